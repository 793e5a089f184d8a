// <forllm-completion>: after an @ in its text area, whom the text can call: persona, model and about how long it takes;
// after a #, the files of the form and of the topic, which become links. The list of the WAI-ARIA pattern "combobox", for a field of many lines: the cursor stays in the text, arrows move,
// Enter takes, Escape and Tab leave.
import { caretOf } from "../lib/caret.js";
import { announce, fetchElements } from "../lib/html.js";
import { typeIn } from "../lib/typing.js";

const ASK_AFTER_MS = 120;
const CALL = /(?:^|[\s([{,;>:])([@#])("?)([\p{L}\p{N}_. -]{0,40})$/u;

class ForllmCompletion extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.field = document.getElementById(this.dataset.for);
    this.list = document.createElement("ul");
    Object.assign(this.list, { id: `${this.dataset.for}-calls`, className: "completion", hidden: true });
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Personas");
    this.append(this.list);
    this.field.setAttribute("aria-autocomplete", "list");
    this.field.addEventListener("input", () => this.look(), { signal });
    this.field.addEventListener("keydown", (event) => this.press(event), { signal, capture: true });
    this.field.addEventListener("blur", () => this.close(), { signal });
    // Before the field loses the focus.
    this.list.addEventListener("pointerdown", (event) => this.point(event), { signal });
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
    this.list.remove();
  }

  get options() {
    return Array.from(this.list.querySelectorAll("[role=option]"));
  }

  // What is being typed after an @ or #: nothing with a space in it, unless it began with a quotation mark.
  get call() {
    const { selectionStart: end, selectionEnd, value } = this.field;
    const found = end === selectionEnd && CALL.exec(value.slice(Math.max(0, end - 60), end));
    if (!found || (!found[2] && /\s/.test(found[3])) || (found[1] === "#" && !this.dataset.filesUrl)) return null;
    return { isFile: found[1] === "#", typed: found[3], from: end - found[2].length - found[3].length - 1 };
  }

  look() {
    clearTimeout(this.timer);
    if (!this.call) return this.close();
    this.timer = setTimeout(() => this.ask(), ASK_AFTER_MS);
  }

  async ask() {
    const { call } = this;
    if (!call) return this.close();
    const { parentId, subforumId } = this.field.dataset;
    const query = new URLSearchParams({ typed: call.typed, ...(parentId ? { parent_id: parentId } : { subforum_id: subforumId }) });
    for (const box of this.field.form.querySelectorAll("[name=attachment_ids]:checked")) query.append("attachment_ids", box.value);
    this.asking?.abort();
    this.asking = new AbortController();
    const signal = AbortSignal.any([this.asking.signal, this.ending.signal]);
    const options = await fetchElements(`${call.isFile ? this.dataset.filesUrl : this.dataset.url}?${query}`, { signal });
    if (options && this.call && document.activeElement === this.field) this.open(options, call);
  }

  open(options, call) {
    this.list.replaceChildren(...options);
    if (!options.length) return this.close();
    const { left, top } = caretOf(this.field, call.from);
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = this.field;
    this.list.hidden = false;
    const room = Math.max(0, offsetWidth - this.list.offsetWidth);
    this.list.style.left = `${offsetLeft + Math.min(left, room)}px`;
    this.list.style.top = `${offsetTop + Math.min(top, offsetHeight)}px`;
    this.field.setAttribute("aria-controls", this.list.id);
    this.choose(0);
    const noun = call.isFile ? "file" : "persona";
    this.list.setAttribute("aria-label", call.isFile ? "Files" : "Personas");
    announce(`${options.length} ${noun}${options.length === 1 ? "" : "s"}: arrows choose, Enter takes.`);
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.list.hidden = true;
    for (const name of ["aria-controls", "aria-activedescendant"]) this.field.removeAttribute(name);
  }

  choose(place) {
    const { options } = this;
    this.chosen = (place + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.chosen)));
    options[this.chosen].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", options[this.chosen].id);
  }

  press(event) {
    if (this.list.hidden || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Tab") return this.close();
    const acts = {
      ArrowDown: () => this.choose(this.chosen + 1),
      ArrowUp: () => this.choose(this.chosen - 1),
      Enter: () => this.take(this.options[this.chosen]),
      Escape: () => this.close(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  point(event) {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) this.take(option);
  }

  take(option) {
    const { call } = this;
    this.close();
    if (call) typeIn(this.field, `${option.dataset.value} `, call.from, this.field.selectionStart);
    this.close();
  }
}

customElements.define("forllm-completion", ForllmCompletion);
