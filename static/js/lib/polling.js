// Looking at the server again and again: one look at a time, slower while nobody watches and while it fails.
const HIDDEN_FACTOR = 4;
const LONGEST_MS = 120_000;

export class Polling {
  /**
   * `url()` is asked with the last answer's ETag `tag`, and `take(text)` is handed what is new; `pace(unchanged)` is the
   * time to the next look in ms, after so many looks in a row that brought nothing. All ends when `signal` is aborted.
   */
  constructor({ url, take, pace, tag, signal }) {
    Object.assign(this, { url, take, pace, tag, signal, failures: 0, unchanged: 0, isPolling: false, isWanted: false });
    document.addEventListener("visibilitychange", () => !document.hidden && this.poll(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
    this.schedule();
  }

  schedule() {
    clearTimeout(this.timer);
    if (this.signal.aborted) return;
    const factor = (document.hidden ? HIDDEN_FACTOR : 1) * 2 ** Math.min(this.failures, 4);
    this.timer = setTimeout(() => this.poll(), Math.min(this.pace(this.unchanged) * factor, LONGEST_MS));
  }

  /** After something was done here: looks at once, whatever was known; also when an older look is still under way. */
  async pollAfresh() {
    this.tag = null;
    this.isWanted = this.isPolling;
    await this.poll();
  }

  async poll() {
    clearTimeout(this.timer);
    if (this.isPolling || this.signal.aborted) return;
    this.isPolling = true;
    try {
      do {
        this.isWanted = false;
        await this.look();
      } while (this.isWanted);
      this.failures = 0;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.failures += 1;
    } finally {
      this.isPolling = false;
    }
    this.schedule();
  }

  async look() {
    const headers = this.tag ? { "If-None-Match": this.tag } : {};
    const response = await fetch(this.url(), { headers, cache: "no-store", signal: this.signal });
    this.unchanged = response.status === 304 ? this.unchanged + 1 : 0;
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`the poll was answered ${response.status}`);
    const text = await response.text();
    this.tag = this.isWanted ? null : response.headers.get("ETag");
    this.take(text);
  }
}
