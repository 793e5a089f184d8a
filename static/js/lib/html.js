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

/** The elements that `url` answers with; null when it refuses, cannot be reached, or the call is given up midway. */
export async function fetchElements(url, options) {
  try {
    const response = await fetch(url, options);
    return response.ok ? elementsOf(await response.text()) : null;
  } catch {
    return null;
  }
}
