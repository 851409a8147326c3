/**
 * The guided lesson on the console: one button leads on, and says what it will do.
 */

import { element } from "./anatomy/dom.js";
import { ask } from "./ask.js";
import { _, number } from "./i18n.js";

const [place, title, say, next, alert] = ["guide-place", "guide-title", "guide-say", "guide-next", "guide-alert"].map((id) =>
  document.getElementById(id),
);
const results = document.getElementById("guide-results");
const assigned = document.querySelector("[data-action=assign] select");
const buttons = [...document.querySelectorAll("#guide-buttons button")];

/** Show the place in the lesson. */
export function showGuide({ lesson, bet, presence }) {
  const { number: step, of, step: name, over } = lesson;
  place.hidden = !step;
  write(place, step ? _("lesson.lead.place", { n: number(step), of: number(of), here: number(presence.length) }) : "");
  write(title, step ? _(`lesson.title.${name}`) : _("lesson.lead.title"));
  write(say, step ? _(`lesson.say.${name}`) : _(over ? "lesson.lead.over" : "lesson.lead.off"));
  write(next, nextWords(lesson, bet));
  const asking = step && !bet.by_hand && bet.state !== "closed";
  next.disabled = Boolean(asking && bet.state === "counting");
  const [first, last] = [step === 1, !lesson.then]; // at the last stop the one button ends the lesson
  const shown = { back: step ? !first : over, skip: step && !last, again: asking, end: step && !last, next: true };
  for (const button of buttons) button.hidden = !shown[button.value];
  document.getElementById("guide-first").hidden = step > 1; // phones join at the beginning
  showResults(lesson.right ?? []);
  if (document.activeElement !== assigned) assigned.value = lesson.assign;
}

/** After the lesson: how many were right in each question of the exit ticket. */
function showResults(right) {
  results.hidden = !right.length;
  const texts = right.map(({ name, right: n, voters }) =>
    _("lesson.lead.right", { ask: _(`lesson.ask.${name}`), n: number(n), of: number(voters) }),
  );
  if (results.dataset.shown === texts.join("\n")) return;
  results.dataset.shown = texts.join("\n");
  results.replaceChildren(...texts.map((text) => element("li", {}, text)));
}

function nextWords({ number: step, then, over }, bet) {
  if (!step) return _(over ? "lesson.lead.begin_again" : "lesson.lead.begin");
  if (!bet.by_hand && bet.state === "open") {
    const { seconds } = bet.question;
    return seconds ? _("lesson.lead.count", { n: number(seconds) }) : _("lesson.lead.answers");
  }
  if (!bet.by_hand && bet.state === "counting") return _("lesson.lead.counting", { n: number(bet.left_s) });
  return then ? _("lesson.lead.next", { title: _(`lesson.title.${then}`) }) : _("lesson.lead.last");
}

function write(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

for (const button of buttons) {
  button.addEventListener("click", () => ask(alert, "/teacher/lesson", { do: button.value }));
}
