// A link that htmx could not follow is followed by the browser, which then shows what the server says.
for (const trouble of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(trouble, (event) => {
    const link = event.detail.elt && event.detail.elt.closest("a[href]");
    if (link) location.assign(link.href);
  });
}
// What was done is said once, and not again by a reload or a bookmark.
const shownAt = new URL(location.href);
if (shownAt.searchParams.has("done")) {
  shownAt.searchParams.delete("done");
  history.replaceState(history.state, "", shownAt);
}
