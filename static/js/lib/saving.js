// Sending a form's fields to the server while they are still being filled in.
import { elementsOf } from "./html.js";

/** The elements that the server answers with, null when it was not reached or refused, undefined when aborted. */
export async function saveForm(form, { url, tokenUrl, signal }) {
  let response = await post(form, url, signal);
  if (response.status === 400 && (await renewToken(tokenUrl))) response = await post(form, url, signal);
  if (response.name === "AbortError") return undefined;
  return response.ok ? elementsOf(await response.text()) : null;
}

function post(form, url, signal) {
  const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  return fetch(url, { method: "POST", body, headers: { "HX-Request": "true" }, signal }).catch((error) => error);
}

// A page that lay open longer than its session lasted is given a token of the new one.
export async function renewToken(url) {
  const response = await fetch(url, { cache: "no-store" }).catch(() => null);
  if (!response?.ok) return false;
  const token = await response.text();
  for (const field of document.querySelectorAll('input[name="csrf_token"]')) field.value = token;
  return true;
}

/** Which files a form has: the numbers of those that are ticked, and of those that its post had before. */
export function attachedIn(form) {
  const fields = new FormData(form);
  return JSON.stringify([fields.getAll("attachment_ids"), fields.getAll("shown_attachment_ids")]);
}
