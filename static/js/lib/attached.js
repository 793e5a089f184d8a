// Which files a form has: the numbers of those that are ticked, and of those that its post had before.
export function attachedIn(form) {
  const fields = new FormData(form);
  return JSON.stringify([fields.getAll("attachment_ids"), fields.getAll("shown_attachment_ids")]);
}
