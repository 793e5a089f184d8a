// Times that are recent say how long ago they were; the server's words stay in the tooltip.
const EVERY_MS = 30_000;
const HOUR_SECONDS = 3600;
const format = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });

function refresh() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-moment]")) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    if (seconds < 0 || seconds >= HOUR_SECONDS) {
      if (time.dataset.words) time.textContent = time.dataset.words;
      continue;
    }
    time.dataset.words ??= time.textContent;
    time.textContent = seconds < 60 ? "just now" : format.format(-Math.floor(seconds / 60), "minute");
  }
}

refresh();
setInterval(refresh, EVERY_MS);
document.addEventListener("htmx:afterSettle", refresh);
document.addEventListener("forllm:updated", refresh);
