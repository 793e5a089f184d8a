// What scripts add to a post's acts: they open below the post, have single keys, and votes leave one in one's place.
import { announce } from "./html.js";

// What opens below the post instead of on a page of its own.
const OPENS = /^\/posts\/\d+\/(reply|ask|details)$/;
const KEYS = { reply: "r", ask: "a", edit: "e" };

/** Gives the acts of a post their keys (see elements/keys.js), when the post is first gone to. */
export function addKeys(row) {
  const acts = row?.querySelector(".post__acts");
  if (!acts || acts.dataset.keyed !== undefined) return;
  acts.dataset.keyed = "";
  for (const link of acts.querySelectorAll("a[href]")) {
    const key = KEYS[link.pathname.split("/").at(-1)];
    if (key) link.dataset.key = key;
  }
  const url = `/posts/${row.id.replace("post-", "")}`;
  row.querySelector(`.post__line a[href="${url}"]`)?.setAttribute("data-key", "l");
  const form = acts.querySelector("[form]")?.getAttribute("form");
  acts.append(hiddenAct("a", { href: `${url}/reply?quote=1` }, "q"), hiddenAct("a", { href: `${url}/delete` }, "d"));
  if (form) acts.append(hiddenAct("button", { formAction: `${url}/bookmark` }, "b", form));
}

/** Follows a link of a post's acts in a slot below the post; every other click goes its own way. */
export function openBelow(event) {
  const link = event.target.closest("a[href]");
  const isPlain = !event.button && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const place = link?.closest(".post, .thread__end");
  if (!place || !isPlain || !window.htmx || event.defaultPrevented || !OPENS.test(link.pathname)) return;
  event.preventDefault();
  let slot = place.querySelector(":scope > .post__slot");
  if (!slot) {
    slot = Object.assign(document.createElement("div"), { className: "post__slot" });
    place.append(slot);
  }
  window.htmx.ajax("GET", link.pathname + link.search, { source: link, target: slot, swap: "innerHTML" });
}

function hiddenAct(name, values, key, form) {
  const act = Object.assign(document.createElement(name), values, { className: "post__key", tabIndex: -1 });
  act.setAttribute("aria-hidden", "true");
  act.dataset.key = key;
  if (form) act.setAttribute("form", form);
  return act;
}

/** Sends a vote, and presses its button or lets it go. Whatever else the form is asked for goes the usual way. */
export async function vote(event) {
  const button = event.submitter;
  if (button?.matches(".post__key")) return bookmark(event, button);
  if (!button?.matches(".vote")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target));
  const action = button.getAttribute("formaction");
  const response = await fetch(action, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (response?.type !== "opaqueredirect") return announce("That did not work. Try again.");
  const isTaken = button.getAttribute("aria-pressed") === "true";
  for (const each of button.parentElement.querySelectorAll(".vote")) each.removeAttribute("aria-pressed");
  if (!isTaken) button.setAttribute("aria-pressed", "true");
  announce(isTaken ? "Your vote is taken back." : "Your vote counts.");
}

// In its place: the post stays where it is, and the thread is asked for it anew.
async function bookmark(event, button) {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target));
  body.set("is_quiet", "1");
  const response = await fetch(button.formAction, { method: "POST", body }).catch(() => null);
  if (!response?.ok) return announce("That did not work. Try again.");
  announce("The post is bookmarked.");
  const thread = button.closest("forllm-thread");
  thread.dataset.known = "0";
  thread.polling.pollAfresh();
}
