// <forllm-trial data-url data-ended>: what a model writes for this page as it comes, until it is finished.
import { announce, elementsOf } from "../lib/html.js";

const EVERY_MS = 1500;

class ForllmTrial extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    this.wait();
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
  }

  wait() {
    if (this.querySelector("[data-unfinished]")) this.timer = setTimeout(() => this.refresh(), EVERY_MS);
    else if (this.isWaiting) announce(this.dataset.ended);
  }

  async refresh() {
    this.isWaiting = true;
    const { signal } = this.ending;
    const response = await fetch(this.dataset.url, { headers: { "HX-Request": "true" }, signal }).catch(() => null);
    // A button that has the focus is not taken away from under it.
    const isHeld = this.contains(document.activeElement);
    if (response?.ok && !isHeld) this.replaceChildren(...elementsOf(await response.text()));
    if (!signal.aborted) this.wait();
  }
}

customElements.define("forllm-trial", ForllmTrial);
