// <forllm-trial data-url data-ended data-every>: what models do for this page as it comes, until it is finished; looked
// at every so many milliseconds.
import { announce, fetchElements } from "../lib/html.js";

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
    if (this.querySelector("[data-unfinished]")) this.timer = setTimeout(() => this.refresh(), Number(this.dataset.every) || EVERY_MS);
    else if (this.isWaiting) announce(this.dataset.ended);
  }

  async refresh() {
    this.isWaiting = true;
    const { signal } = this.ending;
    const elements = await fetchElements(this.dataset.url, { headers: { "HX-Request": "true" }, signal });
    // A button that has the focus is not taken away from under it.
    const isHeld = this.contains(document.activeElement);
    if (elements && !isHeld) this.replaceChildren(...elements);
    if (!signal.aborted) this.wait();
  }
}

customElements.define("forllm-trial", ForllmTrial);
