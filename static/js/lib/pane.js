// A page of ours as the contents of a pane.

/** Fetches `path`; the title, the elements of its main part, and the path that it was in the end (after redirects). */
export async function load(path, options) {
  const response = await fetch(path, { ...options, headers: { Accept: "text/html" } });
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  if (!isPage) throw new Error(`no page, but ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const main = page.querySelector("main");
  if (!main) throw new Error("a page without a main part");
  // Two pages at once: the landmarks of the second one are told apart.
  for (const landmark of main.querySelectorAll("nav[aria-label], section[aria-label], aside[aria-label]")) {
    landmark.ariaLabel += ", second pane";
  }
  const parts = [...main.childNodes].map((part) => document.adoptNode(part));
  const url = new URL(response.url);
  // A redirect keeps the fragment of its own; the fragment of what was asked for is not in the answer's address.
  const hash = url.hash || new URL(path, location.href).hash;
  const title = page.title.replace(/ · FORLLM$/, "");
  return { title, parts, path: url.pathname + url.search + hash };
}

/** The address of the present page with `path` in its pane; with an empty one, without a pane. */
export function addressWith(path) {
  const url = new URL(location.href);
  if (path) url.searchParams.set("pane", path);
  else url.searchParams.delete("pane");
  return url;
}
