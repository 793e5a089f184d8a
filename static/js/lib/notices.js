// What was told can be put away; what was told of replies that are to come goes when they are there.
const ASKED = ".notices > .notice--asked";
// A quick model has answered before the page is there; until then the thread has looked for it a few times.
const LOOKED_FOR_MS = 5_000;

document.addEventListener("click", (event) => {
  const notice = event.target.closest?.("[data-dismiss]")?.closest(".notice");
  if (notice) putAway(notice);
});

document.addEventListener("forllm:updated", (event) => {
  if (event.detail?.some((row) => !row.hasAttribute("data-pending"))) putAllAway();
});

setTimeout(() => {
  const threads = Array.from(document.querySelectorAll("forllm-thread"));
  if (threads.length && threads.every((thread) => thread.dataset.pending === "0")) putAllAway();
}, LOOKED_FOR_MS);

function putAllAway() {
  for (const notice of document.querySelectorAll(ASKED)) putAway(notice);
}

function putAway(notice) {
  const notices = notice.parentElement;
  notice.remove();
  if (!notices.childElementCount) notices.remove();
}
