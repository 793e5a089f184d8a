// What every page does beyond its links and forms. Everything works without it.
import "./elements/keys.js";
import "./elements/menus.js";
import "./elements/panes.js";
import "./lib/copying.js";
import "./lib/moments.js";
import "./lib/notices.js";
import "./lib/sending.js";
import "./lib/slots.js";
import "./lib/quoting.js";
import "./lib/fetch-guard.js";

// <forllm-NAME> is elements/NAME.js. The layout links the scripts of those that stand in a page when it comes
// (pages/frame.py, elements_in); those that come later are fetched then. So no page pays for another's.
const ELEMENTS = new Set([
  "thread", "editor", "draft", "completion", "queue", "order", "hours", "addition", "theme", "filter", "search", "telling",
  "preview", "trial", "files", "seen",
]);

function fetchPresent() {
  for (const name of ELEMENTS) {
    if (!document.getElementsByTagName(`forllm-${name}`).length) continue;
    ELEMENTS.delete(name);
    import(`./elements/${name}.js`);
  }
}

fetchPresent();
new MutationObserver(fetchPresent).observe(document.body, { childList: true, subtree: true });

// Counting what arrives while nobody looks is fetched when somebody looks away.
if (document.hidden) import("./lib/news.js");
document.addEventListener("visibilitychange", () => import("./lib/news.js"), { once: true });
