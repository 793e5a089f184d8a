// Putting text into a field as if it had been typed, so that it can be undone and everybody who listens hears of it.
export function typeIn(field, text, from = field.selectionStart, until = field.selectionEnd) {
  field.focus();
  field.setSelectionRange(from, until);
  // Marked as old, and the only way in which the browser's own undo still knows of it.
  if (document.execCommand?.("insertText", false, text)) return;
  field.setRangeText(text, from, until, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true, data: text }));
}

/** Gives a field a whole new text. */
export function replaceText(field, text) {
  field.value = text;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}
