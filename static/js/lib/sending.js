// Ctrl+Enter sends what is being written, from the first letter on: it does not wait for the editor's own script.
import { isKey } from "./shortcut.js";

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented || !isKey(event, "Mod+Enter")) return;
  const form = event.target.closest?.("forllm-editor textarea")?.form;
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
});
