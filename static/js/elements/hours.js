// <forllm-hours>: a window of the week, painted with the pointer or the keys. It fills the plain fields of its form and
// follows them; what is sent are the fields.
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WORDS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MINUTES = 1440;
const SHOWN_MINUTES = 2160;
const STEP_MINUTES = 30;
// Where the picture has its hours: across in percent, down in pixels.
const [LEFT, WIDTH] = [9, 88];
const [TOP, ROW] = [18, 25];

class ForllmHours extends HTMLElement {
  connectedCallback() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.form = this.closest("form");
    this.grid = this.querySelector("[data-grid]");
    this.hidden = false;
    this.removeAttribute("aria-hidden");
    this.grid.addEventListener("pointerdown", (event) => this.begin(event), { signal });
    this.grid.addEventListener("pointermove", (event) => this.paint(event), { signal });
    this.grid.addEventListener("pointerup", () => (this.corner = null), { signal });
    this.grid.addEventListener("pointercancel", () => (this.corner = null), { signal });
    this.grid.addEventListener("keydown", (event) => this.press(event), { signal });
    this.form.addEventListener("input", () => this.draw(), { signal });
    this.draw();
  }

  disconnectedCallback() {
    this.ending.abort();
    this.hidden = true;
  }

  get boxes() {
    return DAYS.map((day) => this.form.querySelector(`[name=days][value=${day}]`));
  }

  // Where a pointer is: the row of the day, and minutes after its midnight.
  at(event) {
    const box = this.grid.getBoundingClientRect();
    const day = Math.floor((event.clientY - box.top - TOP) / ROW);
    const minute = (((event.clientX - box.left) / box.width) * 100 - LEFT) * (SHOWN_MINUTES / WIDTH);
    return { day: clamp(day, 0, 6), minute: clamp(minute, 0, SHOWN_MINUTES) };
  }

  begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.grid.focus({ preventScroll: true });
    this.grid.setPointerCapture(event.pointerId);
    this.corner = this.at(event);
    this.paint(event);
  }

  paint(event) {
    if (!this.corner) return;
    const here = this.at(event);
    const [first, last] = [Math.min(here.day, this.corner.day), Math.max(here.day, this.corner.day)];
    const start = down(Math.min(here.minute, this.corner.minute, SHOWN_MINUTES - STEP_MINUTES));
    const end = Math.max(up(Math.max(here.minute, this.corner.minute)), start + STEP_MINUTES);
    this.fill(first, last, start, end);
  }

  // Arrows move the whole; with Shift the last day and the end move.
  press(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { first, last, start, end } = this.read() ?? { first: 0, last: 4, start: 1350, end: 1800 };
    const [days, minutes] = [step[0], step[1] * STEP_MINUTES];
    if (event.shiftKey) return this.fill(first, clamp(last + days, first, 6), start, end + minutes);
    const moved = clamp(days, -first, 6 - last);
    this.fill(first + moved, last + moved, start + minutes, end + minutes);
  }

  fill(first, last, start, end) {
    if (start < 0 || end - start < STEP_MINUTES || end - start > DAY_MINUTES || end > SHOWN_MINUTES) return;
    // What begins after midnight belongs to the next day.
    const shift = start >= DAY_MINUTES ? 1 : 0;
    this.boxes.forEach((box, day) => (box.checked = within((day - shift + 7) % 7, first, last)));
    this.form.elements.start_minute.value = clock(start % DAY_MINUTES);
    this.form.elements.end_minute.value = end - start === DAY_MINUTES ? clock(start % DAY_MINUTES) : clock(end % DAY_MINUTES);
    this.draw();
  }

  read() {
    const days = this.boxes.map((box, day) => (box.checked ? day : -1)).filter((day) => day >= 0);
    const start = minutes(this.form.elements.start_minute.value);
    const end = minutes(this.form.elements.end_minute.value);
    if (!days.length || start === null || end === null) return null;
    const length = (end - start + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
    return { first: days[0], last: days.at(-1), start, end: start + length };
  }

  draw() {
    const found = this.read();
    this.boxes.forEach((box, day) => {
      const painted = this.grid.querySelector(`[data-day=${DAYS[day]}]`);
      const isLit = Boolean(found && box.checked);
      painted.setAttribute("x", `${LEFT + (isLit ? percent(found.start) : 0)}%`);
      painted.setAttribute("width", isLit ? `${percent(Math.min(found.end, SHOWN_MINUTES) - found.start)}%` : 0);
    });
    const days = WORDS.filter((_, day) => this.boxes[day].checked).join(", ");
    const { start_minute: start, end_minute: end } = this.form.elements;
    this.querySelector("[data-words]").textContent = found ? `${days}: ${start.value} to ${end.value}` : "";
  }
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const within = (value, least, most) => value >= least && value <= most;
const percent = (length) => (length * WIDTH) / SHOWN_MINUTES;
const down = (minute) => Math.floor(minute / STEP_MINUTES) * STEP_MINUTES;
const up = (minute) => Math.ceil(minute / STEP_MINUTES) * STEP_MINUTES;
const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

function minutes(text) {
  const found = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  return found ? Number(found[1]) * 60 + Number(found[2]) : null;
}

customElements.define("forllm-hours", ForllmHours);
