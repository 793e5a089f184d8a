// <forllm-draft>: keeps what is typed into its form, in the browser at once and on the server a little later, offers
// what was kept when the form is opened again, and tells when another tab writes at the same place.
import { forget, keep, keptFor } from "../lib/kept.js";
import { listenForOthers } from "../lib/neighbours.js";
import { attachedIn, saveForm } from "../lib/saving.js";
import { replaceText } from "../lib/typing.js";

const KEEP_AFTER_MS = 300;
const SAVE_AFTER_MS = 2_000;
const SAVE_AT_LEAST_MS = 15_000;

class ForllmDraft extends HTMLElement {
  connectedCallback() {
    this.form = this.closest("form");
    this.content = this.form && this.field("content");
    if (!this.content) return;
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.heading = this.field("title");
    this.writer = this.field("draft_writer").value;
    this.known = this.typed() + attachedIn(this.form);
    this.isKept = true;
    this.form.addEventListener("input", () => this.changed(), { signal });
    this.form.addEventListener("change", () => this.changed(), { signal });
    this.form.addEventListener("submit", () => this.sent(), { signal });
    this.querySelector("[data-discards]")?.addEventListener("click", (event) => this.discard(event.target), { signal });
    window.addEventListener("pagehide", () => this.flush(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden && this.flush(), { signal });
    this.form.querySelector("[data-save-draft]")?.toggleAttribute("hidden", true);
    this.others = listenForOthers(this.dataset.place, this.writer, () => this.warn());
    this.offer();
  }

  disconnectedCallback() {
    this.flush();
    this.ending?.abort();
    this.others?.close();
    clearTimeout(this.saving);
  }

  field(name) {
    return this.form.elements.namedItem(name);
  }

  get isBlank() {
    return !this.content.value.trim() && !this.heading?.value.trim();
  }

  typed() {
    return JSON.stringify([this.content.value, this.heading?.value ?? ""]);
  }

  changed() {
    this.isKept = false;
    this.firstChange ??= Date.now();
    [this.keeping, this.saving].forEach((timer) => clearTimeout(timer));
    this.keeping = setTimeout(() => this.keep(), KEEP_AFTER_MS);
    const overdue = this.firstChange + SAVE_AT_LEAST_MS - Date.now();
    this.saving = setTimeout(() => this.save(), Math.max(0, Math.min(SAVE_AFTER_MS, overdue)));
    this.others.tell();
  }

  keep() {
    if (this.isBlank) return forget(this.dataset.place, this.writer);
    const [content, title] = JSON.parse(this.typed());
    const [draftId, draftVersion] = ["draft_id", "draft_version"].map((name) => this.field(name).value);
    this.isKept = keep(this.dataset.place, this.writer, { content, title, draftId, draftVersion });
  }

  flush() {
    clearTimeout(this.keeping);
    if (this.firstChange) this.keep();
  }

  discard(button) {
    const id = button.dataset.discards;
    for (const text of keptFor(this.dataset.place)) if (text.draftId === id) forget(this.dataset.place, text.writer);
    if (this.field("draft_id").value !== id) return;
    this.sent();
    forget(this.dataset.place, this.writer);
    this.firstChange = null;
  }

  // The browser's copy stays until the answer says that the text was taken.
  sent() {
    this.flush();
    this.isKept = true;
    clearTimeout(this.saving);
    this.asking?.abort();
  }

  async save() {
    this.firstChange = null;
    const typed = this.typed() + attachedIn(this.form);
    if (typed === this.known) return;
    this.asking?.abort();
    this.asking = new AbortController();
    const signal = AbortSignal.any([this.asking.signal, this.ending.signal]);
    const elements = await saveForm(this.form, { ...this.dataset, signal });
    if (elements) this.saved(typed, elements);
    if (elements === null) this.say(this.isKept ? "Kept in this browser only" : "Not saved");
  }

  saved(typed, elements) {
    this.known = typed;
    this.isKept = true;
    const state = this.querySelector("[data-state]");
    state.replaceChildren(...elements);
    const words = state.querySelector("[data-words]");
    if (words?.hasAttribute("data-is-beside")) this.warn();
    this.say(words?.textContent ?? "");
    words?.remove();
    this.keep();
  }

  warn() {
    this.querySelector("[data-elsewhere]").hidden = false;
  }

  say(words) {
    this.form.querySelector("[data-draft-words]").textContent = words;
  }

  // Into an empty form the text comes by itself; over another text it is offered.
  async offer() {
    const found = keptFor(this.dataset.place).find((text) => JSON.stringify([text.content, text.title]) !== this.typed());
    if (!found) return;
    const isSame = found.draftId !== "" && found.draftId === this.field("draft_id").value;
    if (isSame && Date.parse(found.savedAt) <= Date.parse(this.dataset.savedAt)) return forget(this.dataset.place, found.writer);
    if (isSame || this.isBlank) return this.restore(found);
    const { offerText } = await import("../lib/offering.js");
    offerText(this.querySelector("[data-local]"), found, {
      restore: () => this.restore(found),
      discard: () => forget(this.dataset.place, found.writer),
    });
  }

  restore(found) {
    const own = this.field("draft_id");
    if (!own.value && found.draftId) [own.value, this.field("draft_version").value] = [found.draftId, found.draftVersion];
    if (this.heading && found.title) replaceText(this.heading, found.title);
    replaceText(this.content, found.content);
    this.keep();
    if (this.isKept && found.writer !== this.writer) forget(this.dataset.place, found.writer);
    this.say("Restored from this browser");
  }
}

customElements.define("forllm-draft", ForllmDraft);
