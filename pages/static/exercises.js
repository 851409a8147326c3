/**
 * The exercises: hints one after the other, and the state that the user's own program has reported under a name.
 * The lab is asked for this state when its sheet has changed; how many hints were shown is kept in this browser.
 */

import { kept, keep } from "./frame.js";
import { _, number } from "./i18n.js";
import { on, send, watch } from "./live.js";
import { statusLine } from "./status.js";

const [NAME, HINTS] = ["pushlab-report-name", "pushlab-hints"];
const PAUSE_MS = 3000; // the shortest pause between two questions about progress
const nameField = document.getElementById("name");
const reports = document.getElementById("reports");
const exercises = new Map(Array.from(document.querySelectorAll("[data-exercise]"), (e) => [e.dataset.exercise, e]));

// Hints --------------------------------------------------------------------------------------

const hintsShown = read(kept("localStorage", HINTS));

function read(text) {
  try {
    return { ...JSON.parse(text) };
  } catch {
    return {};
  }
}

function showHints(name) {
  const exercise = exercises.get(name);
  const hints = [...exercise.querySelectorAll(".hints li")];
  const button = exercise.querySelector(".hint");
  const shown = Math.min(hints.length, Math.max(0, Number(hintsShown[name]) || 0));
  hints.forEach((hint, place) => (hint.hidden = place >= shown));
  button.hidden = shown === hints.length;
  button.textContent = _(shown ? "class.next_hint" : "class.hint", { number: shown + 1, count: hints.length });
}

function nextHint(name) {
  hintsShown[name] = (Number(hintsShown[name]) || 0) + 1;
  keep("localStorage", HINTS, JSON.stringify(hintsShown));
  showHints(name);
  const last = [...exercises.get(name).querySelectorAll(".hints li:not([hidden])")].at(-1);
  last.tabIndex = -1;
  last.focus(); // the button may be gone, and a screen reader reads what has the focus
}

for (const [name, exercise] of exercises) {
  exercise.querySelector(".hint").addEventListener("click", () => nextHint(name));
  showHints(name);
}

// Own progress -------------------------------------------------------------------------------

let answered = {}; // the name and the revision of the sheet in the last reply
let askedAt = -PAUSE_MS;

function ask({ open, revision }) {
  const words = _(open ? "class.open" : "class.closed");
  if (reports.textContent !== words) reports.textContent = words;
  for (const options of document.querySelectorAll(".report-to")) options.hidden = !open;
  const name = nameField.value.trim();
  const now = performance.now();
  if ((answered.revision === revision && answered.name === name) || now - askedAt < PAUSE_MS) return;
  askedAt = now;
  send({ type: "progress", name }, false); // asked again until there is a reply
}

function showProgress({ name, revision, exercises: found }) {
  if (name !== nameField.value.trim()) return;
  answered = { name, revision };
  for (const [exercise, place] of exercises) showStanding(place, exercise, found[exercise]);
}

function showStanding(place, exercise, found) {
  const standing = place.querySelector(".standing");
  standing.textContent = found ? inWords(exercise, found) : "";
  standing.toggleAttribute("data-done", Boolean(found && found.step === null));
  const counts = found && { tries: number(found.tries), hints: number(found.hints) };
  place.querySelector(".counts").textContent = found ? _("class.counts", counts) : "";
}

function inWords(exercise, { step, passed, steps }) {
  if (step === null) return _("class.done");
  const values = { number: number(passed + 1), steps: number(steps) };
  return _("class.stands", { ...values, title: _(`exercises.${exercise}.step.${step}`) });
}

function showName() {
  const name = nameField.value.trim();
  const words = !name ? "…" : /^[\p{L}\p{N}_-]+$/u.test(name) ? name : JSON.stringify(name);
  for (const place of document.querySelectorAll(".own-name")) place.textContent = words;
}

nameField.value = kept("localStorage", NAME) ?? "";
nameField.addEventListener("input", () => {
  keep("localStorage", NAME, nameField.value.trim());
  askedAt = -PAUSE_MS;
  showName();
});
showName();

watch(({ exercises: state }) => ask(state));
on("progress", showProgress);
const showStatus = statusLine(document.getElementById("status"));
on("status", ({ state }) => {
  showStatus(state === "waiting" ? "live" : state);
  answered = {}; // another lab may be there, which has another sheet
});
