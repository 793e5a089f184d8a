// <forllm-editor>: a toolbar with keys, a preview by the server's own renderer (below, beside, full screen),
// and how long the text is and how much of the model's context it takes, while it is written.
import "../../vendor/markdown-toolbar-element/index.js";
import { alone } from "../lib/alone.js";
import { announce, elementsOf } from "../lib/html.js";
import { isKey } from "../lib/shortcut.js";
import { typeIn } from "../lib/typing.js";

const REFRESH_AFTER_MS = 600;
const number = new Intl.NumberFormat("en");

class ForllmEditor extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    const part = (name) => this.querySelector(`[data-${name}]`);
    this.text = this.querySelector("textarea");
    [this.tools, this.previewed, this.count] = ["tools", "previewed", "count"].map(part);
    this.views = { preview: part("preview"), beside: part("beside"), full: part("full") };
    this.tools.hidden = this.count.hidden = false;
    for (const [name, button] of Object.entries(this.views)) {
      button.addEventListener("click", () => this.toggle(name), { signal });
    }
    this.tools.addEventListener("click", (event) => this.insert(event.target.closest("[data-insert]")), { signal });
    this.addEventListener("keydown", (event) => this.press(event), { signal });
    this.text.addEventListener("input", () => this.changed(), { signal });
    this.text.form?.addEventListener("change", () => this.schedule(), { signal });
    window.addEventListener("beforeunload", (event) => this.isUnsaved && event.preventDefault(), { signal });
    this.text.form?.addEventListener("submit", () => (this.isSent = true), { signal });
    this.changed();
  }

  disconnectedCallback() {
    this.ending.abort();
    this.restore?.();
    clearTimeout(this.timer);
    this.tools.hidden = true;
  }

  // Where a draft is kept nothing can be lost by leaving.
  get isUnsaved() {
    const draft = this.text.form?.querySelector("forllm-draft");
    const isKept = draft ? draft.isKept : this.text.value === this.text.defaultValue;
    return !this.isSent && this.isConnected && !isKept;
  }

  press(event) {
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === "Escape" && this.restore) this.toggle("full");
    else if (!this.useTool(event)) return;
    event.preventDefault();
  }

  useTool(event) {
    const tool = Array.from(this.querySelectorAll("[data-keys]")).find(({ dataset }) => isKey(event, dataset.keys));
    tool?.click();
    return tool;
  }

  insert(tool) {
    if (!tool) return;
    const before = this.text.value.slice(0, this.text.selectionStart);
    const gap = before === "" || before.endsWith("\n\n") ? "" : before.endsWith("\n") ? "\n" : "\n\n";
    typeIn(this.text, gap + tool.dataset.insert);
  }

  toggle(name) {
    const isOn = this.views[name].getAttribute("aria-pressed") !== "true";
    this.views[name].setAttribute("aria-pressed", String(isOn));
    if (name === "full") return this.fillScreen(isOn);
    this.classList.toggle(`composer--${name}`, isOn);
    // Beside the text is one way of showing the preview.
    if (name === "beside" || !isOn) this.views.preview.setAttribute("aria-pressed", String(isOn));
    if (name === "preview" && !isOn) this.toggleOff("beside");
    this.show(isOn);
  }

  toggleOff(name) {
    this.views[name].setAttribute("aria-pressed", "false");
    this.classList.remove(`composer--${name}`);
  }

  async show(isShown) {
    this.previewed.hidden = !isShown;
    if (!isShown) return;
    await this.fill(this.previewed, this.dataset.previewUrl);
    announce("Preview shown.");
  }

  fillScreen(isOn) {
    this.classList.toggle("composer--full", isOn);
    this.restore?.();
    this.restore = isOn ? alone(this) : null;
    this.text.focus();
  }

  changed() {
    const words = this.text.value.match(/[\p{L}\p{N}]+(?:['’_-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
    const lines = this.text.value ? this.text.value.split("\n").length : 0;
    this.count.textContent = `${number.format(words)} ${words === 1 ? "word" : "words"} · ${number.format(lines)} ${lines === 1 ? "line" : "lines"}`;
    this.schedule();
  }

  schedule() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), REFRESH_AFTER_MS);
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
