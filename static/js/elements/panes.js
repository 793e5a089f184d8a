// <forllm-panes>: a second pane beside the page on wide screens, itself a page: its links and forms stay in it, its
// topics stay alive, and Back leads through it. The address says what is in it (?pane=/topics/7), so a reload and a
// bookmark bring it back; without a script, or on a narrow screen, the same links open as they always did.
import { announce } from "../lib/html.js";
import { load } from "../lib/pane.js";

const WIDE = matchMedia("(min-width: 75rem)");
const MODE = "forllm.panes";
const PLACES = /^\/(topics|posts)\/\d+/;

class ForllmPanes extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.body = this.querySelector("[data-pane]");
    this.heading = this.querySelector("[data-pane-title]");
    document.addEventListener("click", (event) => this.click(event), { signal });
    document.addEventListener("submit", (event) => this.submit(event), { signal });
    window.addEventListener("popstate", () => this.show(this.wanted), { signal });
    WIDE.addEventListener("change", () => this.show(this.wanted), { signal });
    this.addToggle();
    this.show(this.wanted);
  }

  disconnectedCallback() {
    this.ending.abort();
    this.loading?.abort();
    this.toggle?.remove();
  }

  get isOn() {
    return localStorage.getItem(MODE) === "two" && WIDE.matches;
  }

  // What the address says; nothing but pages of topics.
  get wanted() {
    const pane = new URLSearchParams(location.search).get("pane") ?? "";
    return PLACES.test(pane) ? pane : "";
  }

  addToggle() {
    this.toggle = document.querySelector("[data-pane-toggle]");
    if (!this.toggle) return;
    this.toggle.hidden = false;
    this.toggle.setAttribute("aria-pressed", String(this.isOn));
    this.toggle.addEventListener("click", () => this.switchMode(), { signal: this.ending.signal });
  }

  switchMode() {
    const isTwo = localStorage.getItem(MODE) === "two";
    localStorage.setItem(MODE, isTwo ? "one" : "two");
    this.toggle.setAttribute("aria-pressed", String(!isTwo));
    announce(isTwo ? "Topics open in this pane." : "Topics open beside the list.");
    if (isTwo && this.wanted) this.visit("");
  }

  click(event) {
    if (event.target.closest?.("[data-pane-close]")) return this.visit("");
    const link = event.target.closest?.("a[href]");
    const isOther = event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!link || isOther || link.target || link.hasAttribute("download") || link.hasAttribute("hx-get")) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || !PLACES.test(url.pathname)) return;
    const isInPane = this.body.contains(link);
    if (!isInPane && (!this.isOn || !link.closest("main") || url.pathname === location.pathname)) return;
    event.preventDefault();
    this.visit(url.pathname + url.search + url.hash);
  }

  submit(event) {
    const form = event.target;
    if (event.defaultPrevented || !this.body.contains(form) || form.method !== "post") return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const isPlain = form.enctype !== "multipart/form-data";
    const action = event.submitter?.getAttribute("formaction") ?? form.action;
    this.bring(action, { method: "POST", body: isPlain ? new URLSearchParams(body) : body });
  }

  // Go there, in the pane, with a step in the history.
  visit(path) {
    const url = new URL(location.href);
    if (path) url.searchParams.set("pane", path);
    else url.searchParams.delete("pane");
    history.pushState(null, "", url);
    this.show(path, { moves: true });
  }

  async show(path, { moves = false } = {}) {
    if (!path || !WIDE.matches) return this.close(moves);
    if (this.shown === path) return;
    await this.bring(path, {}, moves);
  }

  async bring(path, options, moves = true) {
    this.loading?.abort();
    this.loading = new AbortController();
    this.body.ariaBusy = "true";
    const found = await load(path, { ...options, signal: this.loading.signal }).catch((error) => error);
    if (found.name === "AbortError") return;
    this.body.ariaBusy = "false";
    if (found instanceof Error) return window.location.assign(path);
    this.place(found, moves);
  }

  place({ title, parts, path }, moves) {
    const isAnswer = this.shown !== undefined && path !== this.wanted;
    if (isAnswer && PLACES.test(path)) {
      const url = new URL(location.href);
      url.searchParams.set("pane", path);
      history.replaceState(null, "", url);
    }
    this.shown = path;
    this.opener ??= document.activeElement;
    this.hidden = false;
    document.body.classList.add("layout--panes");
    this.heading.textContent = title;
    this.querySelector("[data-pane-whole]").href = path;
    this.body.replaceChildren(...parts);
    window.htmx?.process(this.body);
    this.body.scrollTop = 0;
    const target = path.includes("#") && this.body.querySelector(`#${CSS.escape(path.split("#")[1])}`);
    if (target) target.scrollIntoView();
    document.dispatchEvent(new CustomEvent("forllm:updated", { bubbles: true }));
    if (moves) this.heading.focus();
  }

  close(moves) {
    this.loading?.abort();
    this.hidden = true;
    this.shown = undefined;
    this.body.replaceChildren();
    document.body.classList.remove("layout--panes");
    if (moves && this.opener?.isConnected) this.opener.focus();
    this.opener = undefined;
  }
}

customElements.define("forllm-panes", ForllmPanes);
