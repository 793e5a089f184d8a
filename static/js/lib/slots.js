// A form that was put in below a post: the cursor goes into it; "Back" takes it away again, and Escape where nothing
// would be lost with it.
document.addEventListener("htmx:afterSwap", (event) => {
  const field = event.target.querySelector?.("[autofocus], select, textarea");
  field?.focus();
});

document.addEventListener("click", (event) => {
  const slot = event.target.closest?.("[data-closes]")?.closest(".post__slot");
  if (!slot) return;
  event.preventDefault();
  close(slot);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
  const slot = event.target.closest?.(".post__slot");
  if (slot && !Array.from(slot.querySelectorAll("textarea")).some((text) => text.value.trim())) close(slot);
});

function close(slot) {
  slot.replaceChildren();
  const acts = slot.closest(".post")?.querySelector(".post__acts") ?? slot.parentElement;
  acts.querySelector("a")?.focus();
}
