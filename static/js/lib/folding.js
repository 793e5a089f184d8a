// Folding branches of a thread. What is folded is remembered in this browser, topic by topic.
const DEPTH = /\bdepth-(\d+)/;

export class Folding {
  /** `thread` holds the rows. Ends when `signal` is aborted. */
  constructor(thread, signal) {
    this.thread = thread;
    this.key = `forllm.folded.${thread.dataset.topic}`;
    this.folded = new Set(read(this.key));
    thread.addEventListener("click", (event) => this.click(event), { signal });
    window.addEventListener("hashchange", () => this.openTarget(), { signal });
    this.apply();
    this.openTarget();
  }

  get rows() {
    return Array.from(this.thread.rows.children);
  }

  /** Hides what is folded and gives every row with replies its button. Call it again when rows came or went. */
  apply() {
    const rows = this.rows;
    const depths = rows.map(depthOf);
    let foldedDepth = null;
    rows.forEach((row, at) => {
      const isAway = foldedDepth !== null && depths[at] > foldedDepth;
      row.hidden = isAway;
      if (isAway) return;
      const replies = countBelow(depths, at);
      const isFolded = replies > 0 && this.folded.has(row.id);
      foldedDepth = isFolded ? depths[at] : null;
      drawButton(row, replies, isFolded);
    });
  }

  click(event) {
    const button = event.target.closest("[data-fold]");
    if (!button) return;
    const { id } = button.closest("article");
    if (!this.folded.delete(id)) this.folded.add(id);
    this.keep();
  }

  keep() {
    if (this.folded.size) localStorage.setItem(this.key, JSON.stringify([...this.folded]));
    else localStorage.removeItem(this.key);
    this.apply();
  }

  openTarget() {
    const row = location.hash && this.rows.find((each) => each.id === location.hash.slice(1));
    if (row) this.reveal(row);
  }

  /** Unfolds whatever hides this row. */
  reveal(row) {
    if (!row.hidden) return;
    let depth = depthOf(row);
    for (let above = row.previousElementSibling; above; above = above.previousElementSibling) {
      if (depthOf(above) >= depth) continue;
      depth = depthOf(above);
      this.folded.delete(above.id);
    }
    this.keep();
    row.scrollIntoView({ block: "start" });
  }
}

function depthOf(row) {
  return Number(DEPTH.exec(row.className)?.[1] ?? 0);
}

function countBelow(depths, at) {
  const end = depths.findIndex((depth, place) => place > at && depth <= depths[at]);
  return (end < 0 ? depths.length : end) - at - 1;
}

function drawButton(row, replies, isFolded) {
  const head = row.querySelector(".post__head");
  let button = head?.querySelector("[data-fold]");
  if (!replies) return button?.remove();
  if (!button && head) {
    button = document.createElement("button");
    button.type = "button";
    button.className = "post__fold";
    button.dataset.fold = "";
    button.dataset.key = "f";
    head.append(button);
  }
  if (!button) return;
  const words = replies === 1 ? "1 reply" : `${replies} replies`;
  button.setAttribute("aria-expanded", String(!isFolded));
  button.setAttribute("aria-label", isFolded ? `Unfold ${words}` : `Fold ${words}`);
  button.textContent = isFolded ? `+ ${words}` : "−";
}

function read(key) {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}
