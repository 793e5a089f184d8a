// <forllm-files>: files chosen, dropped on the form or pasted into its text are sent to the server at once, so that they
// wait there for the post with the draft. The form is sent when the last of them has arrived.
import { typeIn } from "../lib/typing.js";

class ForllmFiles extends HTMLElement {
  connectedCallback() {
    this.form = this.closest("form");
    this.ending = new AbortController();
    const { signal } = this.ending;
    [this.input, this.list, this.problem] = ["[type=file]", "[data-list]", "[data-problem]"].map((each) => this.querySelector(each));
    this.text = this.form.querySelector("textarea");
    this.coming = new Set();
    // They are sent here; the form itself carries only their numbers.
    this.input.removeAttribute("name");
    this.querySelector("[data-hint]").hidden = false;
    this.input.addEventListener("change", () => this.take(this.input.files), { signal });
    this.addEventListener("click", (event) => this.put(event.target.closest("[data-puts]")), { signal });
    for (const name of ["dragenter", "dragover"]) this.form.addEventListener(name, (event) => this.drag(event), { signal });
    this.form.addEventListener("dragleave", (event) => this.form.contains(event.relatedTarget) || this.lit(false), { signal });
    this.form.addEventListener("drop", (event) => this.drop(event), { signal });
    this.text.addEventListener("paste", (event) => this.paste(event), { signal });
    this.form.addEventListener("submit", (event) => this.hold(event), { signal, capture: true });
    this.reveal();
  }

  disconnectedCallback() {
    this.ending.abort();
    this.input.name = "files";
  }

  reveal() {
    for (const button of this.querySelectorAll("[data-puts]")) button.hidden = false;
  }

  put(button) {
    if (button) typeIn(this.text, button.dataset.puts);
  }

  lit(isOn) {
    this.form.classList.toggle("form--receives", isOn);
  }

  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.lit(true);
  }

  drop(event) {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    this.lit(false);
    this.take(event.dataTransfer.files);
  }

  // A picture out of the clipboard is meant to be seen where it was pasted; text that comes with one is text.
  paste(event) {
    const { files, types } = event.clipboardData ?? { files: [], types: [] };
    if (!files.length || types.includes("text/plain")) return;
    event.preventDefault();
    this.take(files, true);
  }

  // One after the other: each learns which files are there already.
  take(files, isPut = false) {
    this.problem.hidden = true;
    this.problem.textContent = "";
    const sending = import("../lib/uploading.js");
    for (const file of [...files]) {
      const line = document.createElement("li");
      Object.assign(line, { className: "file file--coming", textContent: `${file.name} is being sent …` });
      this.list.append(line);
      const sent = Promise.all([sending, this.last])
        .then(([{ sendFile }]) => sendFile(this, file, line))
        .then((row) => row && isPut && this.put(row.querySelector("[data-puts]")))
        .finally(() => this.coming.delete(sent));
      this.coming.add(sent);
      this.last = sent;
    }
    this.input.value = "";
  }

  async hold(event) {
    if (!this.coming.size) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    await Promise.allSettled(this.coming);
    if (this.problem.hidden && this.isConnected) this.form.requestSubmit(event.submitter);
  }
}

customElements.define("forllm-files", ForllmFiles);
