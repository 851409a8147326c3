/**
 * What every page has: the theme, the projector's view, the language switch, and help; their buttons and keys.
 */

const root = document.documentElement;
const help = document.getElementById("help");
const letters = document.getElementById("letters");
const LETTERS = "pushlab-letters"; // whether keys that are single characters do anything (WCAG 2.1.4)

/** Keep a text in a storage of the browser (`localStorage`, `sessionStorage`). */
export function keep(store, key, value) {
  try {
    window[store].setItem(key, value);
  } catch {
    // a browser may forbid storage; then the choice lasts as long as the page
  }
}

/** The text that was kept; null without one. */
export function kept(store, key) {
  try {
    return window[store].getItem(key);
  } catch {
    return null;
  }
}

function otherTheme() {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  keep("localStorage", "pushlab-theme", root.dataset.theme);
}

function otherView() {
  const view = root.dataset.view === "projector" ? "" : "projector";
  if (view) root.dataset.view = view;
  else delete root.dataset.view;
  keep("sessionStorage", "pushlab-view", view);
  const here = new URL(location);
  if (view) here.searchParams.set("view", view);
  else here.searchParams.delete("view");
  history.replaceState(null, "", here);
}

function showHelp() {
  if (help.open) help.close();
  else help.showModal();
}

/** Whether the user is typing in a field, so that a key is a letter. */
export function writing(target) {
  return Boolean(target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]"));
}

/** Do something at a key, unless the user is typing, a modifier is pressed, or single letters are switched off. */
export function onKey(key, action) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
    if (!letters.checked || event.key.toLowerCase() !== key) return;
    event.preventDefault();
    action(event);
  });
}

letters.checked = kept("localStorage", LETTERS) !== "off";
letters.addEventListener("change", () => keep("localStorage", LETTERS, letters.checked ? "on" : "off"));

for (const [id, key, action] of [["theme", "t", otherTheme], ["view", "p", otherView], ["ask", "?", showHelp]]) {
  document.getElementById(id).addEventListener("click", action);
  onKey(key, action);
}

for (const link of document.querySelectorAll("[data-lang]")) {
  link.addEventListener("click", () => {
    const here = new URL(location); // it may have changed since the page was loaded
    here.searchParams.set("lang", link.dataset.lang);
    link.href = here;
  });
}
