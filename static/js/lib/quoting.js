// Quoting what is selected in a post: a button beside the selection (key q) puts it, with who said it and where, into
// the reply that is being written, or opens one below the post.
import { typeIn } from "./typing.js";

const BODY = ".post__body";
let button = null;
let chosen = null;

document.addEventListener("selectionchange", () => {
  const selection = document.getSelection();
  const body = bodyOf(selection);
  // A press on the button may take the selection away first: what was chosen stays for as long as the button does.
  if (!body) return document.activeElement === button || hide();
  chosen = { post: body.closest(".post"), text: selection.toString().trim() };
  place(selection.getRangeAt(0).getBoundingClientRect());
});

document.addEventListener("htmx:afterSettle", (event) => {
  const field = event.target.querySelector?.("textarea[name=content]");
  if (!field || !waiting) return;
  write(field, waiting);
  waiting = null;
});

// "Quote the post" in a form that is open already adds to it instead of loading it anew.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-quote]");
  const post = link?.closest(".post");
  if (!post) return;
  event.preventDefault();
  write(link.closest("form").querySelector("textarea"), quoteOf({ post, text: post.querySelector(BODY).innerText.trim() }));
});

let waiting = null;

function bodyOf(selection) {
  if (!selection || selection.isCollapsed || !selection.toString().trim()) return null;
  const [start, end] = [selection.anchorNode, selection.focusNode].map((node) => (node.nodeType === 1 ? node : node.parentElement));
  const body = start?.closest(BODY);
  return body && body === end?.closest(BODY) && body.closest(".post")?.id.startsWith("post-") ? body : null;
}

function place(rectangle) {
  button ??= make();
  if (!button.isConnected) document.body.append(button);
  const below = rectangle.bottom + window.scrollY + 6;
  button.style.top = `${below}px`;
  button.style.left = `${Math.min(Math.max(8, rectangle.left + window.scrollX), document.documentElement.clientWidth - 110)}px`;
}

function make() {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: "button button--lamp quoting", textContent: "Quote", title: "Quote the selected text (q)" });
  made.dataset.key = "q";
  // The selection stays while the button is pressed.
  made.addEventListener("pointerdown", (event) => event.preventDefault());
  made.addEventListener("click", () => quote());
  return made;
}

function hide() {
  button?.remove();
  chosen = null;
}

function quote() {
  if (!chosen) return;
  const text = quoteOf(chosen);
  const { post } = chosen;
  hide();
  document.getSelection().removeAllRanges();
  const open = document.querySelector(".post__slot textarea[name=content]");
  if (open) return write(open, text);
  waiting = text;
  const link = post.querySelector('.post__acts a[href$="/reply"]') ?? document.querySelector(`a[href="/posts/${numberOf(post)}/reply"]`);
  link?.click();
}

function write(field, text) {
  const end = field.value.length;
  const gap = !end || field.value.endsWith("\n\n") ? "" : field.value.endsWith("\n") ? "\n" : "\n\n";
  typeIn(field, gap + text, end, end);
  field.scrollIntoView({ block: "nearest" });
}

// The form that the server writes too (forum/quoting.py): back-links are read from it.
function quoteOf({ post, text }) {
  const name = (post.querySelector(".post__author")?.textContent ?? "").trim().replace(/([\\`*_[\]<>@])/g, "\\$1");
  const head = `**${name}** [#${numberOf(post)}](/posts/${numberOf(post)}):`;
  const lines = [head, "", ...text.split("\n")].map((line) => `> ${line}`.trimEnd());
  return `${lines.join("\n")}\n\n`;
}

function numberOf(post) {
  return post.id.replace("post-", "");
}
