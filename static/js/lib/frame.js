// The counts of the rail and the night's state in the corner, as a poll brings them: of the same moment as the rest.
export function freshenFrame(fresh) {
  for (const name of [".rail__nav", "[data-night]"]) replace(document.querySelector(name), fresh.querySelector(name));
}

/** Puts `part` in the place of `old` when it looks different and nobody is at it. */
export function replace(old, part) {
  if (old && part && !isBusy(old) && plain(old) !== plain(part)) old.replaceWith(part);
}

function isBusy(part) {
  return part.contains(document.activeElement) || part.querySelector("details[open]") !== null;
}

function plain(part) {
  return part.outerHTML.replace(/name="csrf_token" value="[^"]*"/g, "").replace(/<time [^>]*>[^<]*/g, "");
}
