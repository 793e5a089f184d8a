// <forllm-panes>: a second pane beside the page on wide screens, itself a page: its links and forms stay in it, its
// topics stay alive, and Back leads through it. The address says what is in it (?pane=/topics/7), so a reload and a
// bookmark bring it back; without a script, or on a narrow screen, the same links open as they always did.
import { announce } from "../lib/html.js";
import { addressWith, load } from "../lib/pane.js";

const WIDE = matchMedia("(min-width: 75rem)");
const MODE = "forllm.panes";
// Where topics stand to be chosen from.
const LIST = 'main .rows a[href^="/topics/"]';
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
    if (!this.wanted && this.isOn && document.querySelector(LIST)) this.offer();
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
    Object.assign(this.toggle, { hidden: false, ariaPressed: String(this.isOn) });
    this.toggle.addEventListener("click", () => this.switchMode(), { signal: this.ending.signal });
  }

  switchMode() {
    const isTwo = localStorage.getItem(MODE) === "two";
    localStorage.setItem(MODE, isTwo ? "one" : "two");
    this.toggle.ariaPressed = String(!isTwo);
    announce(isTwo ? "Topics open in this pane." : "Topics open beside the list.");
    if (isTwo) this.visit("");
    else if (this.isOn && !this.shown) this.offer();
  }

  // Nothing is chosen yet: what the pane is for.
  offer() {
    this.open("Second pane", [this.querySelector("[data-pane-empty]").content.cloneNode(true)]);
    this.classList.add("pane--empty");
  }

  click(event) {
    if (event.target.closest?.("[data-pane-close]")) return this.shown ? this.visit("") : this.switchMode();
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
    if (path !== this.wanted) history.pushState(null, "", addressWith(path));
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
    if (isAnswer && PLACES.test(path)) history.replaceState(null, "", addressWith(path));
    this.shown = path;
    this.opener ??= document.activeElement;
    this.querySelector("[data-pane-whole]").href = path;
    this.open(title, parts);
    window.htmx?.process(this.body);
    this.body.scrollTop = 0;
    const target = path.includes("#") && this.body.querySelector(`#${CSS.escape(path.split("#")[1])}`);
    if (target) target.scrollIntoView();
    document.dispatchEvent(new CustomEvent("forllm:updated", { bubbles: true }));
    if (moves) this.heading.focus();
  }

  open(title, parts) {
    this.hidden = false;
    this.classList.remove("pane--empty");
    document.body.classList.add("layout--panes");
    this.heading.textContent = title;
    this.body.replaceChildren(...parts);
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
