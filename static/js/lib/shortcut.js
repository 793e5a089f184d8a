// Keys as they are written in templates: "Mod+Shift+8", where Mod is Control, and the command key on a Mac.
const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** Whether `event` is the key that `written` names. Digits and letters count by place, whatever Shift makes of them. */
export function isKey(event, written) {
  const parts = written.split("+");
  const name = parts.pop();
  const mod = isMac ? event.metaKey : event.ctrlKey;
  if (mod !== parts.includes("Mod") || event.shiftKey !== parts.includes("Shift")) return false;
  if (event.altKey !== parts.includes("Alt")) return false;
  return event.key.toLowerCase() === name.toLowerCase() || event.code === codeOf(name);
}

function codeOf(name) {
  if (/^[0-9]$/.test(name)) return `Digit${name}`;
  return name === "." ? "Period" : "";
}
