// What this browser keeps of texts that are being written: one entry for each open form, so that two tabs at the same
// place never overwrite each other. An entry goes only when the server says that it took the text.
const PREFIX = "forllm:draft:";
const FORMAT = 1;
const SENT_COOKIE = "forllm_sent";

/** Keeps `text` ({ content, title, draftId, draftVersion }) of the form `writer`; false where the browser cannot. */
export function keep(place, writer, text) {
  try {
    localStorage.setItem(keyOf(place, writer), JSON.stringify({ format: FORMAT, savedAt: new Date().toISOString(), ...text }));
    return true;
  } catch {
    return false;
  }
}

export function forget(place, writer) {
  try {
    localStorage.removeItem(keyOf(place, writer));
  } catch {
    // Nothing can be kept where nothing can be removed.
  }
}

/** What is kept for `place`, last written first. */
export function keptFor(place) {
  const start = keyOf(place, "");
  return entries()
    .filter(([key]) => key.startsWith(start))
    .map(([key, value]) => ({ writer: key.slice(start.length), ...read(value) }))
    .sort((one, other) => (one.savedAt < other.savedAt ? 1 : -1));
}

// An entry of another FORLLM, or a broken one, is taken for what can be read of it: at worst for a text.
function read(value) {
  const known = { savedAt: "", content: "", title: "", draftId: "", draftVersion: "" };
  try {
    const found = JSON.parse(value);
    if (typeof found !== "object" || found === null) return { ...known, content: String(found) };
    const texts = Object.keys(known).filter((name) => typeof found[name] === "string");
    return { ...known, ...Object.fromEntries(texts.map((name) => [name, found[name]])) };
  } catch {
    return { ...known, content: value };
  }
}

function entries() {
  try {
    return Object.entries(localStorage);
  } catch {
    return [];
  }
}

function keyOf(place, writer) {
  return `${PREFIX}${place}:${writer}`;
}

// The answer to a form that was taken names it in a cookie.
function forgetSent() {
  const sent = document.cookie.match(new RegExp(`(?:^|; )${SENT_COOKIE}=([0-9a-f]+)`))?.[1];
  if (!sent) return;
  for (const [key] of entries()) if (key.startsWith(PREFIX) && key.endsWith(`:${sent}`)) localStorage.removeItem(key);
  document.cookie = `${SENT_COOKIE}=; path=/; max-age=0; samesite=lax`;
}

forgetSent();
window.addEventListener("pageshow", forgetSent);
