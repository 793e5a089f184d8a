// A form that was put in below a post: the cursor goes into it, and "Back" takes it away again.
document.addEventListener("htmx:afterSwap", (event) => {
  const field = event.target.querySelector?.("[autofocus], select, textarea");
  field?.focus();
});

document.addEventListener("click", (event) => {
  const slot = event.target.closest?.("[data-closes]")?.closest(".post__slot");
  if (!slot) return;
  event.preventDefault();
  const post = slot.closest(".post");
  slot.replaceChildren();
  post?.querySelector(".post__acts a")?.focus();
});
