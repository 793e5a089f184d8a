// <forllm-keys>: single keys press the links, buttons and fields that name them. There is one in the layout; without it,
// and where the setting "Single keys do things" is off, every link and button works as it stands.
//
// How a page takes part:
//   data-key="r"      this link or button is pressed by r; a field gets the cursor. Shift+R is written "R".
//   data-key="g q"    … by g and then q.
//   data-key-item     j and k go from one of these to the next; keys look in the present one first, then in the page.
//                     (<article class="post"> and the rows of a list are items without saying so.)
//   In an item, o and Enter follow data-key="o", or else its first link.
//   Places that are in no menu are links inside this element. What stands in a closed menu can be pressed all the same. pages/keys.py lists all keys for the page /keys.
const ITEM = "[data-key-item], article.post, .rows > li";
const FIELD = "input, textarea, select, [contenteditable]";
const SEQUENCE_MS = 1_500;

class ForllmKeys extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    document.addEventListener("keydown", (event) => this.press(event), { signal: this.ending.signal });
  }

  disconnectedCallback() {
    this.ending.abort();
    clearTimeout(this.timer);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.target.closest?.(`${FIELD}, dialog:modal`) || event.key === "Shift") return;
    const keys = this.leading ? `${this.leading} ${nameOf(event)}` : nameOf(event);
    this.lead("");
    if (this.act(keys, event.target)) event.preventDefault();
  }

  // Whether these keys mean something here, and it was done.
  act(keys, target) {
    const step = { j: 1, k: -1 }[keys];
    if (step) return this.go(step);
    if (keys === "Enter" && !target.matches?.(ITEM)) return false;
    if (keys === "o" || keys === "Enter") return this.open();
    if (keys === "?") return this.help();
    const found = this.find(keys);
    if (found) return this.use(found);
    return this.lead(this.hasLonger(keys) ? keys : "");
  }

  find(keys) {
    const here = (scope) =>
      Array.from(scope?.querySelectorAll("[data-key]") ?? []).find(
        (element) => element.dataset.key === keys && !element.closest("[hidden]:not(forllm-keys)") && !element.disabled,
      );
    const pane = document.activeElement?.closest("[data-pane]");
    return here(this.present) ?? here(pane) ?? here(document.querySelector("main")) ?? here(document);
  }

  use(element) {
    if (element.matches(FIELD)) {
      element.focus();
      element.scrollIntoView({ block: "nearest" });
    } else {
      element.click();
    }
    return true;
  }

  lead(keys) {
    clearTimeout(this.timer);
    this.leading = keys;
    if (keys) this.timer = setTimeout(() => (this.leading = ""), SEQUENCE_MS);
    return Boolean(keys);
  }

  hasLonger(keys) {
    return Boolean(document.querySelector(`[data-key^="${CSS.escape(keys)} "]`));
  }

  get present() {
    return document.activeElement?.closest(ITEM);
  }

  // To the next item: from the present one, or from the first that can be seen.
  go(step) {
    const pane = document.activeElement?.closest("[data-pane]") ?? document.querySelector("main");
    const items = Array.from(pane?.querySelectorAll(ITEM) ?? []);
    const at = items.indexOf(this.present);
    const next = at < 0 ? items.find((item) => item.getBoundingClientRect().bottom > 0) : items[at + step];
    if (!next) return items.length > 0;
    if (!next.hasAttribute("tabindex")) next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: next.offsetHeight > window.innerHeight ? "start" : "nearest" });
    return true;
  }

  open() {
    const link = this.present?.querySelector('[data-key="o"]') ?? this.present?.querySelector("a[href]");
    link?.click();
    return Boolean(link);
  }

  // All keys, over the page: read from the page that lists them, which works by itself too.
  help() {
    const dialog = document.querySelector("[data-keys-help]");
    if (!dialog) return false;
    if (dialog.matches(":popover-open")) {
      dialog.hidePopover();
    } else {
      dialog.showPopover();
    }
    return true;
  }
}

function nameOf(event) {
  if (event.key.length !== 1) return event.key;
  return event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase();
}

customElements.define("forllm-keys", ForllmKeys);
