// Changing a list without moving what is being read.

/** Runs `change` and scrolls so that the first row in sight stays where it was; returns what `change` returned. */
export function steady(rows, change) {
  // The browser keeps what is read in its place, too, a frame later where rows are laid out late: once is enough.
  const root = document.documentElement;
  root.style.overflowAnchor = "none";
  requestAnimationFrame(() => requestAnimationFrame(() => (root.style.overflowAnchor = "")));
  const anchor = Array.from(rows.children).find((row) => row.getBoundingClientRect().bottom > 0);
  const before = anchor?.getBoundingClientRect().top;
  const result = change();
  const now = anchor && document.getElementById(anchor.id);
  // At the very top nothing is compensated: there a reader sees new rows push down what follows, as expected.
  if (now && window.scrollY > 0) {
    const moved = now.getBoundingClientRect().top - before;
    if (moved) window.scrollBy({ top: moved, behavior: "instant" });
  }
  return result;
}
