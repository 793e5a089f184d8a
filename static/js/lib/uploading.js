// Sending a file to the server while its form is still being filled in; fetched when there is one.
import { announce, elementsOf } from "./html.js";
import { renewToken } from "./saving.js";

/** Puts the row of `file` into the list of `place` instead of `line`; that row, or what is wrong is told there. */
export async function sendFile(place, file, line) {
  let response = await post(place, file);
  if (response?.status === 400 && (await renewToken("/drafts/token"))) response = await post(place, file);
  const elements = response ? elementsOf(await response.text()) : [];
  const rows = elements.filter(({ dataset }) => dataset.file && !place.querySelector(`[data-file="${dataset.file}"]`));
  line.replaceWith(...rows);
  const told = elements.find((element) => element.matches("[data-told]"))?.textContent;
  if (told || !response?.ok) tell(place, told ?? refusal(elements, file));
  if (!rows.length) return null;
  place.reveal();
  place.form.dispatchEvent(new Event("change"));
  announce(`${file.name} is attached.`);
  return rows[0];
}

function post(place, file) {
  const body = new FormData();
  body.set("csrf_token", place.form.elements.namedItem("csrf_token").value);
  for (const box of place.querySelectorAll("[name=attachment_ids]:checked")) body.append("attachment_ids", box.value);
  body.set("files", file, file.name || "pasted");
  const { signal } = place.ending;
  return fetch(place.dataset.url, { method: "POST", body, headers: { "HX-Request": "true" }, signal }).catch(() => null);
}

// What an answer that brings no rows says: of its page the sentence.
function refusal([page], file) {
  const words = page?.querySelector(".problem__detail")?.textContent;
  return words ? `${file.name}: ${words}` : `${file.name} could not be sent. Is the server there?`;
}

function tell({ problem }, words) {
  problem.textContent = `${problem.textContent} ${words}`.trim();
  problem.hidden = false;
}
