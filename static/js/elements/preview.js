// <forllm-preview data-url>: the exact prompt of the draft in the form around it, asked for anew while one writes.
import { fetchElements } from "../lib/html.js";

const PATIENCE_MS = 500;

class ForllmPreview extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.form = this.closest("form");
    for (const name of ["input", "change"]) this.form.addEventListener(name, () => this.wait(), { signal });
    // The prompt stands below already: nobody has to leave the form for it.
    this.form.querySelector("[data-prompt]")?.remove();
    this.refresh();
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
  }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), PATIENCE_MS);
  }

  async refresh() {
    this.asking?.abort();
    this.asking = new AbortController();
    const signal = AbortSignal.any([this.asking.signal, this.ending.signal]);
    const body = new URLSearchParams(new FormData(this.form));
    const headers = { "HX-Request": "true" };
    const elements = await fetchElements(this.dataset.url, { method: "POST", body, headers, signal });
    if (elements) this.replaceChildren(...elements);
  }
}

customElements.define("forllm-preview", ForllmPreview);
