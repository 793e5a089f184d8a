// The line that offers a text which the browser kept.

/** Shows `line` for `text` until one of its buttons is pressed. */
export function offerText(line, text, { restore, discard }) {
  const at = Date.parse(text.savedAt);
  line.querySelector("time").textContent = at ? new Date(at).toLocaleTimeString([], { timeStyle: "short" }) : "an earlier time";
  line.querySelector("[data-excerpt]").textContent = (text.content || text.title).slice(0, 60);
  line.querySelector("[data-restore]").onclick = () => close(line, restore);
  line.querySelector("[data-forget]").onclick = () => close(line, discard);
  line.hidden = false;
}

function close(line, act) {
  act();
  line.hidden = true;
}
