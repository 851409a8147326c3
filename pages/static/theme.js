/**
 * Light or dark, and the projector's view: set on <html> before anything is painted. A classic script for that reason;
 * frame.js has the buttons and keys.
 */

(() => {
  const kept = (store, key) => {
    try {
      return window[store].getItem(key);
    } catch {
      return null; // a browser may forbid storage; then the choice lasts as long as the page
    }
  };
  const root = document.documentElement;
  const view = new URLSearchParams(location.search).get("view") ?? kept("sessionStorage", "pushlab-view");
  const dark = view !== "projector" && matchMedia("(prefers-color-scheme: dark)").matches; // dark washes out there
  root.dataset.theme = kept("localStorage", "pushlab-theme") ?? (dark ? "dark" : "light");
  if (view === "projector") root.dataset.view = view;
})();
