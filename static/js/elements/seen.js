// <forllm-seen data-topic>: what of a topic's posts comes into sight inside is marked as seen, outside of its thread too.
import { Seeing } from "../lib/seeing.js";

class ForllmSeen extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    this.seeing = new Seeing(this, this.ending.signal);
  }

  disconnectedCallback() {
    this.ending.abort();
  }
}

customElements.define("forllm-seen", ForllmSeen);
