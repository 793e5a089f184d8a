import { elementsOf } from "./html.js";

/** The elements that `url` answers with; null when it refuses, cannot be reached, or the call is given up midway. */
export async function fetchElements(url, options) {
  try {
    const response = await fetch(url, options);
    return response.ok ? elementsOf(await response.text()) : null;
  } catch {
    return null;
  }
}
