// A button that copies a block of code.
import { announce } from "./html.js";

const SAID_MS = 1_500;

function prepare() {
  for (const block of document.querySelectorAll(".post__body pre.highlight")) {
    if (block.parentElement.matches(".code")) continue;
    const frame = document.createElement("div");
    frame.className = "code";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "code__copy";
    button.textContent = "Copy";
    button.dataset.copy = "";
    block.replaceWith(frame);
    frame.append(block, button);
  }
}

async function copy(block) {
  if (navigator.clipboard) return navigator.clipboard.writeText(block.textContent);
  // Over plain HTTP from another machine there is no clipboard to write to: what is marked can still be copied.
  getSelection().selectAllChildren(block);
  if (!document.execCommand("copy")) throw new Error("nothing was copied");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const words = await copy(button.parentElement.querySelector("pre")).then(() => "Copied", () => "Not copied");
  button.textContent = words;
  announce(words);
  setTimeout(() => (button.textContent = "Copy"), SAID_MS);
});

prepare();
document.addEventListener("htmx:afterSettle", prepare);
document.addEventListener("forllm:updated", prepare);
