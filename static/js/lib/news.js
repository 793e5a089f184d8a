// While nobody looks at a page, the replies that arrive are counted in its title and on its icon, and told on the desktop
// where that was switched on. Fetched when a page is first hidden.
import { elementsOf } from "./html.js";

const EVERY_MS = 60_000;
const NEWS = "/notifications/news";
export const SWITCH = "forllm.tells";
const TOLD = "forllm.told";
const COUNT = /^\(\d+\+?\) /;

class Watch {
  constructor() {
    this.seen = 0;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.begin() : this.end()));
    if (document.hidden) this.begin();
  }

  begin() {
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), EVERY_MS);
    this.look();
  }

  end() {
    clearInterval(this.timer);
    this.seen = 0;
    this.show(0);
  }

  async look() {
    const response = await fetch(`${NEWS}?after=${this.seen}`, { cache: "no-store" }).catch(() => null);
    if (!response?.ok || !document.hidden) return;
    const [news] = elementsOf(await response.text());
    const newest = Number(news.dataset.newest);
    // The first look only finds out where to count from.
    this.seen ||= newest;
    const count = Number(news.dataset.count);
    this.show(count);
    if (count && newest > Number(read(TOLD))) tell(news, newest);
  }

  show(count) {
    const words = document.title.replace(COUNT, "");
    document.title = count ? `(${count}) ${words}` : words;
    const icon = document.querySelector('link[rel="icon"]');
    if (!icon) return;
    icon.dataset.plain ??= icon.getAttribute("href");
    const href = count ? `/notifications/icon/${count}.svg` : icon.dataset.plain;
    if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  }
}

// Of several open pages one tells: who is first notes it.
function tell(news, newest) {
  if (read(SWITCH) !== "on" || globalThis.Notification?.permission !== "granted") return;
  write(TOLD, String(newest));
  const note = new Notification(news.dataset.head, { body: news.textContent.trim(), tag: "forllm" });
  note.addEventListener("click", () => {
    window.focus();
    location.assign(news.dataset.url);
  });
}

export function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Where nothing may be kept, the switch stays off.
  }
}

new Watch();
