// <forllm-filter data-for="id">: its search field hides, as one types, what does not have all the words in it: each
// [data-filter-item] by its text and data-words, and each [data-filter-section] in which nothing is left. Without an id
// they are looked for in the element itself. Without a script the field is not there, and everything is.
import { announce } from "../lib/html.js";

class ForllmFilter extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.field = this.querySelector("input");
    this.field.addEventListener("input", () => this.filter(), { signal });
    this.field.addEventListener("keydown", (event) => event.key === "Escape" && this.clear(event), { signal });
    this.filter();
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
  }

  get list() {
    return this.dataset.for ? document.getElementById(this.dataset.for) : this;
  }

  filter() {
    const words = this.field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const item of this.list.querySelectorAll("[data-filter-item]")) {
      const text = `${item.textContent} ${item.dataset.words ?? ""} ${this.headingOf(item)}`.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) left += 1;
    }
    for (const section of this.list.querySelectorAll("[data-filter-section]")) {
      section.hidden = !section.querySelector("[data-filter-item]:not([hidden])");
    }
    this.list.querySelector("[data-filter-none]").hidden = left > 0;
    clearTimeout(this.timer);
    if (words.length) this.timer = setTimeout(() => announce(`${left} found`), 600);
  }

  headingOf(item) {
    return item.closest("[data-filter-section]")?.querySelector("h2")?.textContent ?? "";
  }

  clear(event) {
    if (!this.field.value) return;
    event.preventDefault();
    this.field.value = "";
    this.filter();
  }
}

customElements.define("forllm-filter", ForllmFilter);
