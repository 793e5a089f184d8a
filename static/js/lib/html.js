// HTML from our own server becomes elements by the parser, never by assignment to innerHTML.

/** The elements in `text`, belonging to this document. */
export function elementsOf(text) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  // Copied first: adopting an element takes it out of the living list of children.
  return [...parsed.body.children].map((element) => document.adoptNode(element));
}

/** Says `text` to people who cannot see the page, when they are not busy. */
export function announce(text) {
  const region = document.querySelector("[data-announcements]");
  if (region) region.textContent = text;
}
