// <forllm-thread>: keeps an open page of a topic fresh. One cheap poll, 304 when nothing changed; rows are put in,
// replaced and removed in place, and what is being read does not move. What came into sight is marked as seen.
import { Folding } from "../lib/folding.js";
import { freshenFrame, replace } from "../lib/frame.js";
import { announce, elementsOf } from "../lib/html.js";
import { Polling } from "../lib/polling.js";
import { addKeys, openBelow, vote } from "../lib/row-acts.js";
import { merge } from "../lib/rows.js";
import { Seeing } from "../lib/seeing.js";
import { steady } from "../lib/steady.js";

const PACES_MS = { running: 2_000, waiting: 10_000, idle: 30_000 };
// Just after asking the answer may begin at once: the first looks at a waiting one are quick, then fewer and fewer.
const EAGER_MS = 1_000;
// Below what stands fixed at the top of a phone's screen.
const TOP_PX = 80;

class ForllmThread extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.polling = new Polling({
      url: () => this.url,
      take: (text) => this.update(elementsOf(text)[0]),
      pace: (unchanged) => this.pace(unchanged),
      tag: this.dataset.tag,
      signal,
    });
    this.folding = new Folding(this, signal);
    this.seeing = new Seeing(this, signal);
    this.addEventListener("submit", (event) => this.submit(event), { signal });
    this.addEventListener("click", openBelow, { signal });
    this.addEventListener("focusin", (event) => addKeys(event.target.closest("article.post")), { signal });
    const next = this.place.querySelector("[data-next-unread]");
    if (next) next.hidden = false;
    next?.addEventListener("click", () => this.goToNextUnread(), { signal });
  }

  disconnectedCallback() {
    this.ending.abort();
    this.arrivals?.remove();
  }

  get rows() {
    return this.querySelector("[data-rows]");
  }

  // The page, or the pane, that the topic stands in.
  get place() {
    return this.closest("[data-pane], main") ?? document;
  }

  get url() {
    const { updates, from, until, base, known, pending, view } = this.dataset;
    return `${updates}?${new URLSearchParams({ from, until, base, known, pending, view })}`;
  }

  pace(unchanged) {
    const usual = PACES_MS[this.dataset.pace] ?? PACES_MS.idle;
    // A quick model may have answered between the reading of posts and of what is asked: then neither stands here yet.
    const isEager = this.dataset.pace === "waiting" || document.querySelector(".notice--asked");
    return isEager ? Math.min(EAGER_MS * 2 ** unchanged, usual) : usual;
  }

  poll() {
    return this.polling.poll();
  }

  update(fresh) {
    Object.assign(this.dataset, { known: fresh.dataset.known, pending: fresh.dataset.pending, pace: fresh.dataset.pace });
    const beside = fresh.querySelector("[data-beside]");
    beside.remove();
    const arrived = steady(this.rows, () => {
      const rows = merge(this.rows, fresh);
      this.folding.apply();
      return rows;
    });
    for (const name of ["[data-asked]", "[data-replies]", "[data-discussions]"]) replace(this.place.querySelector(name), beside.querySelector(name));
    freshenFrame(beside);
    this.welcome(arrived);
    this.seeing.watch();
    this.dispatchEvent(new CustomEvent("forllm:updated", { bubbles: true, detail: arrived }));
    window.htmx?.process(this.rows);
  }

  welcome(arrived) {
    const posts = arrived.filter((row) => !row.hasAttribute("data-pending"));
    if (!posts.length) return;
    announce(wordsFor(posts.length));
    const above = posts.filter((post) => post.hidden || post.getBoundingClientRect().bottom < 0);
    if (above.length) this.offer(above);
  }

  offer(posts) {
    this.arrived = [...(this.arrivals?.isConnected ? this.arrived : []), ...posts].filter((post) => post.isConnected);
    if (!this.arrivals?.isConnected) {
      this.arrivals = document.createElement("button");
      this.arrivals.className = "button button--lamp arrivals";
      this.arrivals.addEventListener("click", () => this.show());
      document.body.append(this.arrivals);
    }
    this.arrivals.textContent = wordsFor(this.arrived.length);
  }

  show() {
    this.arrivals.remove();
    const [first] = this.arrived;
    if (!first) return;
    this.folding.reveal(first);
    first.scrollIntoView({ block: "start" });
  }

  // On this page as long as there is one further down, then wherever the topic has one.
  async goToNextUnread() {
    const rows = Array.from(this.querySelectorAll(".post--unread"));
    const next = rows.find((row) => row.hidden || row.getBoundingClientRect().top > TOP_PX);
    if (!next) {
      await this.seeing.tell();
      return this.place.querySelector('[data-key="L"]')?.click();
    }
    this.folding.reveal(next);
    const unfold = next.matches(".post--folded") && next.querySelector(":scope > .unfold");
    if (unfold) unfold.open = true;
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  }

  // Vote, cancel, retry, hold …: done without leaving the place, then looked at again.
  async submit(event) {
    if (event.target.matches("[data-votes]")) return vote(event);
    const form = event.target.closest("form[data-quiet]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    const body = new URLSearchParams(new FormData(form));
    if (button) button.disabled = true;
    const action = button?.getAttribute("formaction") ?? form.action;
    const response = await fetch(action, { method: "POST", body, redirect: "manual" }).catch(() => null);
    if (button) button.disabled = false;
    if (response?.type !== "opaqueredirect") announce("That did not work. It may have changed meanwhile.");
    await this.polling.pollAfresh();
  }
}

function wordsFor(count) {
  return count === 1 ? "1 new reply" : `${count} new replies`;
}

customElements.define("forllm-thread", ForllmThread);
