// <forllm-theme>: shows the theme in its form on the whole page while it is changed. Nothing is kept by it: leaving the
// page, or "Revert", brings back what was. Controls name their token by data-token, and their unit by data-unit.
const root = document.documentElement;

class ForllmTheme extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    const form = this.querySelector("form");
    form.addEventListener("input", (event) => this.show(event.target), { signal });
    // The controls have their old values only after the event.
    form.addEventListener("reset", () => setTimeout(() => this.revert(form)), { signal });
    // What a start or a refused form brought with it is shown as well.
    if (new URLSearchParams(location.search).has("start")) this.showAll(form);
    else if (matchMedia("(prefers-color-scheme: light)").matches) this.beginLight();
  }

  // Only the browser knows whether its screen is light: where nothing is kept yet, the form begins with what is on.
  beginLight() {
    for (const control of this.querySelectorAll("[data-light]")) {
      if (control.type === "radio") control.checked = control.defaultChecked = true;
      else control.value = control.defaultValue = control.dataset.light;
    }
  }

  disconnectedCallback() {
    this.ending.abort();
    this.takeOff();
  }

  show(control) {
    if (control.name === "scheme" && control.checked) root.style.colorScheme = control.value;
    const { token, unit = "" } = control.dataset;
    if (token) root.style.setProperty(`--${token}`, control.value + unit);
  }

  showAll(form) {
    for (const control of form.elements) this.show(control);
  }

  revert(form) {
    this.takeOff();
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  takeOff() {
    root.style.colorScheme = "";
    for (const control of this.querySelectorAll("[data-token]")) root.style.removeProperty(`--${control.dataset.token}`);
  }
}

customElements.define("forllm-theme", ForllmTheme);
