// Other tabs of this browser that write at the same place.

/** Calls `meet` when another form at `place` is open or written in; `tell()` lets the others know of this one. */
export function listenForOthers(place, writer, meet) {
  const channel = new BroadcastChannel("forllm-drafts");
  const tell = (isNew = false) => channel.postMessage({ place, writer, isNew });
  channel.addEventListener("message", ({ data }) => {
    if (data.place !== place || data.writer === writer) return;
    meet();
    if (data.isNew) tell();
  });
  tell(true);
  return { tell, close: () => channel.close() };
}
