// <forllm-thread>: keeps an open page of a topic fresh. One cheap poll, 304 when nothing changed; rows are put in,
// replaced and removed in place, and what is being read does not move.
import { announce, elementsOf } from "../lib/html.js";
import { merge } from "../lib/rows.js";
import { steady } from "../lib/steady.js";

const PACES_MS = { running: 2_000, waiting: 10_000, idle: 30_000 };
// Just after asking the answer may begin at once: the first looks at a waiting one are quick, then fewer and fewer.
const EAGER_MS = 1_000;
const HIDDEN_FACTOR = 4;
const LONGEST_MS = 120_000;

class ForllmThread extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    this.failures = 0;
    this.unchanged = 0;
    this.tag = this.dataset.tag;
    const { signal } = this.ending;
    document.addEventListener("visibilitychange", () => !document.hidden && this.poll(), { signal });
    this.addEventListener("submit", (event) => this.submit(event), { signal });
    this.schedule();
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
    this.arrivals?.remove();
  }

  get rows() {
    return this.querySelector("[data-rows]");
  }

  schedule() {
    clearTimeout(this.timer);
    const steadyPace = PACES_MS[this.dataset.pace] ?? PACES_MS.idle;
    const pace = this.dataset.pace === "waiting" ? Math.min(EAGER_MS * 2 ** this.unchanged, steadyPace) : steadyPace;
    const factor = (document.hidden ? HIDDEN_FACTOR : 1) * 2 ** Math.min(this.failures, 4);
    this.timer = setTimeout(() => this.poll(), Math.min(pace * factor, LONGEST_MS));
  }

  async poll() {
    clearTimeout(this.timer);
    if (this.isPolling || this.ending.signal.aborted) return;
    this.isPolling = true;
    try {
      await this.ask();
      this.failures = 0;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.failures += 1;
    } finally {
      this.isPolling = false;
    }
    this.schedule();
  }

  async ask() {
    const { updates, from, until, base, known, pending } = this.dataset;
    const query = new URLSearchParams({ from, until, base, known, pending });
    const headers = this.tag ? { "If-None-Match": this.tag } : {};
    const response = await fetch(`${updates}?${query}`, { headers, cache: "no-store", signal: this.ending.signal });
    this.unchanged = response.status === 304 ? this.unchanged + 1 : 0;
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`the poll was answered ${response.status}`);
    this.tag = response.headers.get("ETag");
    const [fresh] = elementsOf(await response.text());
    this.update(fresh);
  }

  update(fresh) {
    Object.assign(this.dataset, { known: fresh.dataset.known, pending: fresh.dataset.pending, pace: fresh.dataset.pace });
    const asked = fresh.querySelector("[data-asked]");
    asked?.remove();
    const arrived = steady(this.rows, () => merge(this.rows, fresh));
    if (asked) document.querySelector("[data-asked]")?.replaceWith(asked);
    this.welcome(arrived);
    this.dispatchEvent(new CustomEvent("forllm:updated", { bubbles: true }));
    window.htmx?.process(this.rows);
  }

  welcome(arrived) {
    const posts = arrived.filter((row) => !row.hasAttribute("data-pending"));
    if (!posts.length) return;
    for (const post of posts) post.classList.add("post--new");
    announce(wordsFor(posts.length));
    const above = posts.filter((post) => post.getBoundingClientRect().bottom < 0);
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
    this.arrived[0]?.scrollIntoView({ block: "start" });
  }

  // Cancel, retry, hold …: done without leaving the place, then looked at again.
  async submit(event) {
    const form = event.target.closest("form[data-quiet]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    const response = await fetch(button?.getAttribute("formaction") ?? form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      redirect: "manual",
    }).catch(() => null);
    if (button) button.disabled = false;
    if (response?.type !== "opaqueredirect") {
      announce("That did not work. It may have changed meanwhile.");
    }
    this.tag = null;
    await this.poll();
  }
}

function wordsFor(count) {
  return count === 1 ? "1 new reply" : `${count} new replies`;
}

customElements.define("forllm-thread", ForllmThread);
