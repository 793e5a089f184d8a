// What every page does beyond its links and forms. Everything works without it.
import "./elements/thread.js";
import "./elements/editor.js";
import "./lib/moments.js";
import "./lib/slots.js";
import "./lib/fetch-guard.js";
