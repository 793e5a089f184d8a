// <forllm-editor>: a toolbar, a preview by the server's own renderer, Ctrl+Enter, and how much of the model's
// context the text takes, beside the text while it is written.
import "../../vendor/markdown-toolbar-element/index.js";
import { announce, elementsOf } from "../lib/html.js";

const ESTIMATE_AFTER_MS = 600;

class ForllmEditor extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.text = this.querySelector("textarea");
    this.tools = this.querySelector("[data-tools]");
    this.previewed = this.querySelector("[data-previewed]");
    this.button = this.querySelector("[data-preview]");
    this.tools.hidden = false;
    this.button.addEventListener("click", () => this.togglePreview(), { signal });
    this.text.addEventListener("keydown", (event) => this.send(event), { signal });
    this.text.addEventListener("input", () => this.scheduleEstimate(), { signal });
    this.text.form?.addEventListener("change", () => this.scheduleEstimate(), { signal });
    window.addEventListener("beforeunload", (event) => this.isUnsaved && event.preventDefault(), { signal });
    this.text.form?.addEventListener("submit", () => (this.isSent = true), { signal });
    this.scheduleEstimate();
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
    this.tools.hidden = true;
  }

  get isUnsaved() {
    return !this.isSent && this.isConnected && this.text.value !== this.text.defaultValue;
  }

  send(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.text.form?.requestSubmit();
  }

  async togglePreview() {
    const isOpening = this.previewed.hidden;
    this.button.setAttribute("aria-pressed", String(isOpening));
    this.previewed.hidden = !isOpening;
    if (isOpening) {
      await this.fill(this.previewed, this.dataset.previewUrl);
      announce("Preview shown below the text.");
    }
  }

  scheduleEstimate() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), ESTIMATE_AFTER_MS);
  }

  async refresh() {
    if (!this.previewed.hidden) await this.fill(this.previewed, this.dataset.previewUrl);
    if (!this.dataset.estimateUrl) return;
    const place = this.querySelector("[data-estimate]");
    if (this.text.value.trim()) await this.fill(place, this.dataset.estimateUrl);
    else place.replaceChildren();
  }

  // The form's own fields go along: the token that proves the page is ours, and whom and what is asked.
  async fill(place, url) {
    const fields = new URLSearchParams(this.text.form ? new FormData(this.text.form) : undefined);
    fields.set("content", this.text.value);
    if (this.text.dataset.parentId) fields.set("parent_id", this.text.dataset.parentId);
    if (this.text.dataset.subforumId) fields.set("subforum_id", this.text.dataset.subforumId);
    this.asking?.abort();
    this.asking = new AbortController();
    const signal = AbortSignal.any([this.asking.signal, this.ending.signal]);
    const response = await fetch(url, { method: "POST", body: fields, signal }).catch(() => null);
    if (response?.ok) place.replaceChildren(...elementsOf(await response.text()));
    else if (response) place.textContent = "That could not be worked out just now.";
  }
}

customElements.define("forllm-editor", ForllmEditor);
