/**
 * The keys of the compare page, for a teacher with a keyboard or a clicker.
 */

import { onKey, writing } from "../frame.js";

/** Run the actions of the keys: `{letters: {r: action}, space, next, previous}`. */
export function bindKeys({ letters, space, next, previous }) {
  for (const [key, action] of Object.entries(letters)) onKey(key, action);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const action = { " ": space, PageDown: next, PageUp: previous }[event.key];
    if (!action || (event.key === " " ? pressed(event.target) : scrolls())) return;
    event.preventDefault();
    action();
  });
}

/** Whether the space bar already means something to what has the focus. */
function pressed(target) {
  return Boolean(target.closest?.("button, a, summary"));
}

/** Whether the page is longer than the window: then a clicker's keys scroll it, as on every page. */
function scrolls() {
  return document.documentElement.scrollHeight > innerHeight;
}

/** After a click with a pointer, remove the focus, so that the space bar does not click again. */
export function letGo(event) {
  if (event.detail) event.currentTarget.blur();
}
