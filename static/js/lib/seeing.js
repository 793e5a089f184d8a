// What came into sight counts as seen: told to the server in batches, only while somebody can be looking. Of an answer
// that is folded to a line only the line came into sight.
const LOOKED_AT_MS = 600;
const TELL_AFTER_MS = 1_000;
const FOLDED = ".post--folded:not(:target, :has(> .unfold[open]))";

export class Seeing {
  /** `thread` holds the rows; those that were not seen before carry `data-unseen`. Ends when `signal` is aborted. */
  constructor(thread, signal) {
    Object.assign(this, { thread, inSight: new Map(), seen: new Set() });
    this.observer = new IntersectionObserver((entries) => this.look(entries));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.tell() : this.lookAgain()), { signal });
    window.addEventListener("pagehide", () => this.tell(), { signal });
    window.addEventListener("hashchange", () => this.lookAgain(), { signal });
    thread.addEventListener("toggle", () => this.lookAgain(), { signal, capture: true });
    signal.addEventListener("abort", () => this.end());
    this.watch();
  }

  /** Looks out for rows that came since. */
  watch() {
    for (const row of this.thread.querySelectorAll("[data-unseen]")) this.observer.observe(row);
  }

  look(entries) {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(this.inSight.get(target));
      this.inSight.delete(target);
      if (isIntersecting) this.inSight.set(target, document.hidden ? 0 : this.wait(target));
    }
  }

  lookAgain() {
    for (const [row, timer] of this.inSight) {
      clearTimeout(timer);
      this.inSight.set(row, this.wait(row));
    }
  }

  wait(row) {
    return setTimeout(() => !document.hidden && row.isConnected && this.note(row), LOOKED_AT_MS);
  }

  note(row) {
    if (row.matches(FOLDED)) return;
    this.observer.unobserve(row);
    this.inSight.delete(row);
    row.removeAttribute("data-unseen");
    this.seen.add(row.dataset.post ?? row.id.replace("post-", ""));
    this.timer ??= setTimeout(() => this.tell(), TELL_AFTER_MS);
  }

  /** Tells the server what was seen; what it could not be told is told with the next. */
  async tell() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.seen.size) return;
    const told = [...this.seen];
    this.seen.clear();
    const token = this.thread.querySelector("[name=csrf_token]").value;
    const body = new URLSearchParams({ csrf_token: token, post_ids: told.join(","), is_quiet: "1" });
    const url = `/topics/${this.thread.dataset.topic}/seen`;
    const response = await fetch(url, { method: "POST", body, keepalive: true }).catch(() => null);
    if (!response?.ok) for (const id of told) this.seen.add(id);
  }

  end() {
    this.observer.disconnect();
    for (const timer of this.inSight.values()) clearTimeout(timer);
    this.tell();
  }
}
