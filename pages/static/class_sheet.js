/**
 * The sheet of the class on the console: where most stand, and a table of names and exercises. The whole sheet is asked
 * for on /live when its revision has changed; names are text that students have chosen.
 */

import { element } from "./anatomy/dom.js";
import { ask } from "./ask.js";
import { _, isolated, number } from "./i18n.js";
import { on, send } from "./live.js";

const [stuck, empty, table, button, state, alert, address, onlyHere] = [
  "stuck", "class-empty", "class-table", "class-open", "class-state", "class-alert", "report-to", "only-here",
].map((id) => document.getElementById(id));
const [here, LOCAL] = [address.textContent, /\/\/(127\.|localhost|\[::1\])/];
const ORDER = new Intl.Collator(document.documentElement.lang, { numeric: true });
let shown = null;
let isOpen = false;

/** Show the state in the update of each second, and ask for the sheet when another revision is there. */
export function showClass({ exercises: { open, revision }, network }) {
  isOpen = open;
  write(button, _(open ? "class.sheet.refuse" : "class.sheet.accept"));
  write(state, _(open ? "class.sheet.is_open" : "class.sheet.is_closed"));
  if (LOCAL.test(here) && network.url) write(address, network.url.replace(/\/$/, ""));
  onlyHere.hidden = !LOCAL.test(address.textContent);
  if (revision !== shown) send({ type: "sheet" }, false);
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

on("sheet", (sheet) => {
  shown = sheet.revision;
  empty.hidden = sheet.names.length > 0;
  table.hidden = stuck.hidden = !empty.hidden;
  write(stuck, sheet.names.length ? headline(sheet) : "");
  showTable(sheet.names);
});

on("status", () => (shown = null)); // another lab may be there

function headline({ names, stuck: place }) {
  if (!place) return _("class.sheet.all_passed", { names: number(names.length) });
  const { exercise, step, number: nth, count } = place;
  const values = { n: number(count), names: number(names.length), exercise, number: nth, title: title(exercise, step) };
  return _(count === 1 ? "class.sheet.stuck_one" : "class.sheet.stuck", values);
}

function title(exercise, step) {
  return _(`exercises.${exercise}.step.${step}`);
}

/** One line per name and one column per exercise that was reported. */
function showTable(names) {
  const reported = new Set(names.flatMap(({ exercises }) => Object.keys(exercises)));
  const columns = JSON.parse(table.dataset.order).filter((exercise) => reported.has(exercise));
  const head = [_("class.sheet.name"), ...columns].map((text) => element("th", { scope: "col" }, text));
  table.querySelector("thead").replaceChildren(element("tr", {}, ...head));
  const sorted = [...names].sort((one, other) => ORDER.compare(one.name, other.name));
  table.querySelector("tbody").replaceChildren(...sorted.map((row) => line(row, columns)));
}

function line({ name, exercises }, columns) {
  const cells = columns.map((exercise) => cell(exercise, exercises[exercise]));
  return element("tr", {}, element("th", { scope: "row" }, isolated(name)), ...cells);
}

function cell(exercise, found) {
  const words = inWords(exercise, found);
  const sign = !found ? "–" : found.step === null ? "✓" : `${found.passed + 1}/${found.steps}`;
  return element("td", { title: words, "data-done": found?.step === null }, element("span", { "aria-hidden": "true" }, sign), element("span", { class: "unseen" }, words));
}

function inWords(exercise, found) {
  if (!found) return _("class.sheet.none", { exercise });
  const { step, passed, steps, tries, hints } = found;
  const values = { exercise, steps: number(steps), tries: number(tries), hints: number(hints) };
  if (step === null) return _("class.sheet.passed", values);
  return _("class.sheet.stands", { ...values, number: number(passed + 1), title: title(exercise, step) });
}

button.addEventListener("click", () => ask(alert, "/teacher/exercises", { open: !isOpen }));
