// <forllm-telling>: the switch for notifications on the desktop. Nothing is asked of the browser without a click.
import { SWITCH, read, write } from "../lib/news.js";

class ForllmTelling extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    this.button = this.querySelector("button");
    this.button.addEventListener("click", () => this.turn(), { signal: this.ending.signal });
    this.draw();
  }

  disconnectedCallback() {
    this.ending.abort();
  }

  get isOn() {
    return read(SWITCH) === "on" && globalThis.Notification?.permission === "granted";
  }

  async turn() {
    if (this.isOn) write(SWITCH, "off");
    else if ((await Notification.requestPermission()) === "granted") write(SWITCH, "on");
    this.draw();
  }

  draw() {
    const permission = globalThis.Notification?.permission ?? "missing";
    this.button.hidden = permission === "missing" || permission === "denied";
    this.button.textContent = this.isOn ? "Stop notifying me" : "Notify me on the desktop";
    this.querySelector("[data-state]").textContent = WORDS[this.isOn ? "on" : permission] ?? WORDS.default;
  }
}

const WORDS = {
  on: "New replies are shown on the desktop while a page of the forum is open and you look elsewhere.",
  denied: "This browser was told not to show notifications of this site. Its settings for the site can change that. New replies are counted in the title and on the icon.",
  missing: "This browser shows no notifications for this site. New replies are counted in the title and on the icon.",
  default: "New replies are counted in the title and on the icon while you look elsewhere.",
};

customElements.define("forllm-telling", ForllmTelling);
