// <forllm-addition>: what asking would add to the queue, told again whenever its form is changed.
import { fetchElements } from "../lib/html.js";

class ForllmAddition extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    this.closest("form")?.addEventListener("change", () => this.refresh(), { signal: this.ending.signal });
  }

  disconnectedCallback() {
    this.ending.abort();
  }

  async refresh() {
    this.asking?.abort();
    this.asking = new AbortController();
    const signal = AbortSignal.any([this.asking.signal, this.ending.signal]);
    const body = new URLSearchParams(new FormData(this.closest("form")));
    const elements = await fetchElements(this.dataset.url, { method: "POST", body, signal });
    if (elements) this.replaceChildren(...elements);
  }
}

customElements.define("forllm-addition", ForllmAddition);
