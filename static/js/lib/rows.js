// Bringing the rows of a thread in line with what the server says they are now.

/**
 * Makes the children of `rows` those of `fresh`, in its order: a row is kept when its stamp is the same, filled in
 * piece by piece when it is a pending one, else replaced. A placeholder `data-keep` names a row that did not change.
 * Returns the rows that were not there before.
 */
export function merge(rows, fresh) {
  const present = new Map(Array.from(rows.children, (row) => [row.id, row]));
  const wanted = Array.from(fresh.children);
  removeAllBut(new Set(wanted.map(idOf)), present);
  const arrived = [];
  let place = rows.firstElementChild;
  for (const given of wanted) {
    const before = present.get(idOf(given));
    if (!before && given.dataset.keep) continue;
    const row = before ? brought(before, given) : given;
    const hadFocus = before && before !== row && before.contains(document.activeElement);
    if (!before) arrived.push(row);
    if (row === place) {
      place = place.nextElementSibling;
    } else {
      if (before === place) place = place.nextElementSibling;
      rows.insertBefore(row, place);
    }
    if (before && before !== row) before.remove();
    if (hadFocus) keepFocus(row);
  }
  return arrived;
}

function idOf(given) {
  return given.dataset.keep ?? given.id;
}

// First of all: around a row that stands in the way all that follow would be moved, and what is moved loses the focus.
function removeAllBut(ids, present) {
  for (const [id, row] of present) if (!ids.has(id)) row.remove();
}

// The row that stands for `before` from now on.
function brought(before, given) {
  if (given.dataset.keep || before.dataset.stamp === given.dataset.stamp) return before;
  if (before.hasAttribute("data-pending")) return filled(before, given);
  keepSlot(before, given);
  keepOpen(before, given);
  return given;
}

// Only the parts that differ, so that a button under the pointer and a marked text stay where they are.
function filled(before, given) {
  before.className = given.className;
  before.dataset.stamp = given.dataset.stamp;
  for (const part of Array.from(given.querySelectorAll("[data-part]"))) {
    const old = before.querySelector(`[data-part="${part.dataset.part}"]`);
    if (old && plain(old) !== plain(part)) old.replaceWith(part);
  }
  return before;
}

function plain(part) {
  return part.outerHTML.replace(/name="csrf_token" value="[^"]*"/g, "");
}

// What stood open stays open, also when the row would come folded because others stand beside it now.
function keepOpen(before, given) {
  const unfold = given.querySelector(":scope > .unfold");
  if (!unfold) return;
  const wasOpen = before.querySelector(":scope > .unfold")?.open;
  const isNowFolded = given.matches(".post--folded") && !before.matches(".post--folded");
  unfold.open = Boolean(wasOpen || isNowFolded);
}

// Whoever was at a row by the keyboard is at the row that stands for it.
function keepFocus(row) {
  if (row.contains(document.activeElement)) return;
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
}

// A reply that is being written below a post goes over to its new row.
function keepSlot(before, given) {
  const written = before.querySelector(".post__slot");
  if (written?.childElementCount) given.append(written);
}
