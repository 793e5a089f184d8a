// What every page does beyond its links and forms. Everything works without it.
import "./elements/thread.js";
import "./elements/editor.js";
import "./elements/queue.js";
import "./elements/order.js";
import "./elements/hours.js";
import "./elements/addition.js";
import "./lib/moments.js";
import "./lib/slots.js";
import "./lib/fetch-guard.js";
