// <forllm-queue>: keeps the open queue page fresh. One cheap poll, 304 when nothing changed; while only texts grow,
// only they are sent. What is done here is done in place, and said.
import { freshenFrame, replace } from "../lib/frame.js";
import { announce, elementsOf } from "../lib/html.js";
import { Polling } from "../lib/polling.js";
import { merge } from "../lib/rows.js";
import { steady } from "../lib/steady.js";

const PACES_MS = { running: 2_000, waiting: 10_000, idle: 30_000 };

class ForllmQueue extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.addEventListener("submit", (event) => this.submit(event), { signal });
    this.polling = new Polling({
      url: () => this.url(),
      take: (text) => this.take(text),
      pace: () => PACES_MS[this.dataset.pace] ?? PACES_MS.idle,
      tag: this.dataset.tag,
      signal,
    });
  }

  disconnectedCallback() {
    this.ending.abort();
  }

  url() {
    const url = new URL(this.dataset.updates, location.origin);
    url.searchParams.set("known", this.dataset.known);
    return url;
  }

  take(text) {
    const [fresh] = elementsOf(text);
    Object.assign(this.dataset, { known: fresh.dataset.known, pace: fresh.dataset.pace });
    this.update(fresh);
    this.dispatchEvent(new CustomEvent("forllm:updated", { bubbles: true }));
  }

  update(fresh) {
    const place = placeOf(document.activeElement);
    for (const part of Array.from(fresh.querySelectorAll("[data-live]"))) {
      const old = this.querySelector(`[data-live="${part.dataset.live}"]`);
      if (old) this.bring(old, part);
    }
    freshenFrame(fresh);
    place?.();
  }

  // A part that a person is busy with is left as it is; the lists are brought up to date row by row.
  bring(old, part) {
    const rows = old.querySelector("[data-rows]");
    const freshRows = part.querySelector("[data-rows]");
    if (part.dataset.live === "running") merge(old, part);
    else if (rows && freshRows) steady(rows, () => merge(rows, freshRows));
    else replace(old, part);
  }

  async submit(event) {
    const form = event.target.closest("form[data-quiet]");
    const button = event.submitter;
    if (!form || button?.hasAttribute("data-loud")) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, button));
    this.setAttribute("aria-busy", "true");
    const response = await fetch(button?.getAttribute("formaction") ?? form.getAttribute("action"), {
      method: "POST",
      body: fields,
      headers: { "HX-Request": "true" },
    }).catch(() => null);
    this.removeAttribute("aria-busy");
    const [said] = response ? elementsOf(await response.text()) : [];
    const problem = said?.querySelector?.(".problem__detail")?.textContent;
    const failed = response?.ok ? "" : (problem ?? "That did not work. It may have changed meanwhile.");
    this.say(failed || said?.textContent || "", Boolean(failed));
    if (!failed) this.finish(form, button);
    this.dataset.known = "";
    await this.polling.pollAfresh();
  }

  // What was chosen is done with, and what was opened for it is closed: it may be brought up to date again.
  finish(form, button) {
    if (button?.name === "action") for (const box of form.querySelectorAll("[name=ids]:checked")) box.checked = false;
    form.closest("details")?.removeAttribute("open");
    if (!form.querySelector("[data-rows]")) document.activeElement?.blur();
  }

  say(text, isBad) {
    const place = this.querySelector("[data-said]");
    place.textContent = text;
    place.classList.toggle("said--bad", isBad);
    if (isBad) place.scrollIntoView({ block: "nearest" });
    if (text) announce(text);
  }
}

// How to find the focus again after its row was moved or its buttons were replaced.
function placeOf(focused) {
  const row = focused?.closest?.("[data-rows] > [id]");
  if (!row) return null;
  const { id } = row;
  const move = focused.dataset.move;
  return () => {
    if (document.activeElement !== document.body) return;
    const now = document.getElementById(id);
    (now?.querySelector(`[data-move="${move}"]:enabled`) ?? now?.querySelector("input, a, button"))?.focus({ preventScroll: true });
  };
}

customElements.define("forllm-queue", ForllmQueue);
