// <forllm-menus>: one for the page, in its layout. Menus are <details data-menu> and open and close without it; it adds
// that Escape and a press beside a menu close it, and that the arrow keys lead through what is in it.
const ITEMS = "a[href], button:not([disabled])";

class ForllmMenus extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    document.addEventListener("click", (event) => this.closeOthers(event.target), { signal });
    document.addEventListener("keydown", (event) => this.press(event), { signal });
  }

  disconnectedCallback() {
    this.ending.abort();
  }

  // A press on a menu's own ground, its sheet's veil, closes it as well.
  closeOthers(target) {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      const isInside = menu.querySelector(".menu__body")?.contains(target) || target.closest?.("summary")?.parentElement === menu;
      if (!isInside) menu.open = false;
    }
  }

  press(event) {
    const menu = event.target.closest?.("details[data-menu]");
    if (!menu || event.defaultPrevented || event.isComposing) return;
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.preventDefault();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (event.target.matches("input, textarea, select")) return;
      event.preventDefault();
      menu.open = true;
      this.step(menu, event.key === "ArrowDown" ? 1 : -1);
    }
  }

  step(menu, by) {
    const items = Array.from(menu.querySelector(".menu__body").querySelectorAll(ITEMS));
    const at = items.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length;
    items[next]?.focus();
  }
}

customElements.define("forllm-menus", ForllmMenus);
