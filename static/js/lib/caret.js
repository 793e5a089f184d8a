// Where the caret of a text area stands: a copy of the text, laid out the same way, is measured.
const COPIED = ["font", "letterSpacing", "lineHeight", "padding", "borderWidth", "tabSize", "textIndent", "wordSpacing"];

/** The place below the character `index` of `field`, relative to its upper left corner, in pixels. */
export function caretOf(field, index) {
  const style = getComputedStyle(field);
  const copy = document.createElement("div");
  for (const name of COPIED) copy.style[name] = style[name];
  Object.assign(copy.style, { position: "absolute", visibility: "hidden", whiteSpace: "pre-wrap", overflowWrap: "break-word" });
  copy.style.inlineSize = `${field.clientWidth}px`;
  const mark = document.createElement("span");
  mark.textContent = "@";
  copy.append(field.value.slice(0, index), mark);
  document.body.append(copy);
  const place = { left: mark.offsetLeft, top: mark.offsetTop + mark.offsetHeight - field.scrollTop };
  copy.remove();
  return place;
}
