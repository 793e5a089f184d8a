// <forllm-search>: the switch "Results as I type". Where it is on, what is typed is searched for a moment later; the
// browser remembers it. A text that is too long is told here: much longer ones would not even reach the server, and be
// lost. The form works without.
import { announce } from "../lib/html.js";

const KEPT = "forllm-search-as-typed";
const LEAST = 2;

class ForllmSearch extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.box = this.querySelector("input[type=search]");
    this.toggle = this.querySelector("[data-as-typed]");
    this.toggle.checked = localStorage.getItem(KEPT) === "1";
    this.toggle.closest("label").hidden = false;
    this.measure();
    this.toggle.addEventListener("change", () => this.keep(), { signal });
    this.box.addEventListener("input", () => this.typed(), { signal });
    this.addEventListener("change", (event) => event.target.name === "sort" && this.sorted(), { signal });
    this.addEventListener("htmx:afterSwap", () => this.tell(), { signal });
  }

  disconnectedCallback() {
    this.ending.abort();
  }

  keep() {
    localStorage.setItem(KEPT, this.toggle.checked ? "1" : "0");
    this.typed();
  }

  // Characters as the server counts them: an emoji is one.
  measure() {
    const length = Array.from(this.box.value).length;
    const most = Number(this.box.dataset.longest);
    const said = `This search has ${length.toLocaleString("en")} characters; at most ${most.toLocaleString("en")} are possible. Shorten it.`;
    this.box.setCustomValidity(length > most ? said : "");
  }

  typed() {
    this.measure();
    if (!this.box.validity.valid) return;
    const length = this.box.value.trim().length;
    if (this.toggle.checked && (length === 0 || length >= LEAST)) this.box.dispatchEvent(new CustomEvent("forllm:typed"));
  }

  // Another order is another page; without a text there is nothing to put in order.
  sorted() {
    if (this.box.value.trim()) this.box.form.requestSubmit();
  }

  tell() {
    const summary = this.querySelector("[data-summary]");
    const said = Array.from(summary?.querySelectorAll(":scope > span") ?? [], ({ textContent }) => textContent.trim());
    if (said.length) announce(said.join(" "));
  }
}

customElements.define("forllm-search", ForllmSearch);
