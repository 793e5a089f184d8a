// A part of a page that could not be loaded: the link is followed as if there were no script.
for (const name of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(name, (event) => {
    const link = event.target.closest?.("a[href]");
    if (link) window.location.assign(link.href);
  });
}
