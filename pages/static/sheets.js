/**
 * Sheets: on a projector a page that is longer than the screen shows one part at a time. Each part has
 * `data-sheet` and a button in #sheets that opens it; without the projector's view all parts stand below each other.
 */

const buttons = [...document.querySelectorAll("#sheets button")];
const sheets = [...document.querySelectorAll("[data-sheet]")];

function open(name) {
  for (const sheet of sheets) sheet.toggleAttribute("data-open", sheet.dataset.sheet === name);
  for (const button of buttons) button.setAttribute("aria-pressed", button.value === name);
}

/** A link to a place inside a sheet opens it. */
function follow() {
  const place = location.hash && document.getElementById(location.hash.slice(1));
  const sheet = place && place.closest("[data-sheet]");
  if (!sheet) return;
  open(sheet.dataset.sheet);
  place.scrollIntoView();
}

for (const button of buttons) button.addEventListener("click", () => open(button.value));
addEventListener("hashchange", follow);
open(buttons[0].value);
follow();
