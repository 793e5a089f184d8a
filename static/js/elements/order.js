// <forllm-order>: rows are put in order by dragging their place, or with Alt and an arrow key. What a row can do without
// a script are its buttons "move up", "move down" and "to the top"; here they are pressed for it.
import { announce } from "../lib/html.js";

const EDGE_PX = 70;
const SCROLL_PX = 14;
const SLACK_PX = 5;

class ForllmOrder extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.addEventListener("pointerdown", (event) => this.take(event), { signal });
    this.addEventListener("pointermove", (event) => this.carry(event), { signal });
    this.addEventListener("pointerup", () => this.put(), { signal });
    this.addEventListener("pointercancel", () => this.drop(), { signal });
    this.addEventListener("keydown", (event) => this.press(event), { signal });
    this.addEventListener("change", (event) => this.choose(event), { signal });
    this.addEventListener("click", (event) => this.chooseUpTo(event), { signal });
    document.addEventListener("forllm:updated", () => this.offerGroups(), { signal });
    this.offerGroups();
  }

  disconnectedCallback() {
    this.ending.abort();
  }

  press(event) {
    if (event.key === "Escape") this.drop();
    if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const row = event.target.closest("tr");
    const button = row?.querySelector(`[data-move="${event.key === "ArrowUp" ? "up" : "down"}"]`);
    if (!button) return;
    event.preventDefault();
    if (button.disabled) announce("It stands at the end of its line.");
    else button.click();
  }

  take(event) {
    const grip = event.target.closest("[data-grip]");
    if (!grip || event.button !== 0) return;
    event.preventDefault();
    this.carried = { grip, row: grip.closest("tr"), from: event.clientY };
    grip.setPointerCapture(event.pointerId);
  }

  carry(event) {
    if (!this.carried || (!this.carried.isMoving && Math.abs(event.clientY - this.carried.from) < SLACK_PX)) return;
    this.carried.isMoving = true;
    this.carried.row.classList.add("line--carried");
    if (event.clientY < EDGE_PX) window.scrollBy({ top: -SCROLL_PX, behavior: "instant" });
    if (event.clientY > window.innerHeight - EDGE_PX) window.scrollBy({ top: SCROLL_PX, behavior: "instant" });
    const row = document.elementFromPoint(event.clientX, event.clientY)?.closest("tr");
    this.mark(row && this.contains(row) ? row : null, event.clientY);
  }

  // The row under the pointer, if both stand in one line; over its lower half: behind it.
  mark(row, y) {
    this.unmark();
    const grip = row?.querySelector("[data-grip]");
    if (!grip || row === this.carried.row || grip.dataset.line !== this.carried.grip.dataset.line) return;
    const box = row.getBoundingClientRect();
    const isBehind = y > box.top + box.height / 2;
    row.classList.add(isBehind ? "line--after" : "line--target");
    this.target = { id: grip.dataset.id, isBehind };
  }

  unmark() {
    this.target = null;
    for (const row of this.querySelectorAll(".line--target, .line--after")) row.classList.remove("line--target", "line--after");
  }

  put() {
    const { carried, target } = this;
    this.drop();
    if (!carried || !target) return;
    this.send(carried.grip.dataset.id, target.isBehind ? "after_id" : "before_id", target.id);
  }

  drop() {
    this.carried?.row.classList.remove("line--carried");
    this.carried = null;
    this.unmark();
  }

  send(id, name, value) {
    const button = document.createElement("button");
    Object.assign(button, { hidden: true, name, value });
    button.setAttribute("formaction", `/queue/${id}/move`);
    this.append(button);
    button.click();
    button.remove();
  }

  offerGroups() {
    for (const label of this.querySelectorAll("[data-picks-group][hidden]")) label.hidden = false;
  }

  choose(event) {
    if (!event.target.closest("[data-picks-group]")) return;
    for (const box of boxesAfter(event.target.closest("tr"))) box.checked = event.target.checked;
  }

  // With Shift everything between this tick and the last one.
  chooseUpTo(event) {
    if (event.target.name !== "ids") return;
    const boxes = Array.from(this.querySelectorAll("[name=ids]"));
    const [here, there] = [boxes.indexOf(event.target), boxes.indexOf(this.lastBox)];
    this.lastBox = event.target;
    if (!event.shiftKey || there < 0) return;
    for (const box of boxes.slice(Math.min(here, there), Math.max(here, there) + 1)) box.checked = event.target.checked;
  }
}

function boxesAfter(head) {
  const boxes = [];
  for (let row = head.nextElementSibling; row && !row.classList.contains("line-group"); row = row.nextElementSibling) {
    boxes.push(...row.querySelectorAll("[name=ids]"));
  }
  return boxes;
}

customElements.define("forllm-order", ForllmOrder);
