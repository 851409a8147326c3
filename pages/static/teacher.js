/**
 * The teacher's console: the meters, presence and the load of the computer, from /live every second; and the actions,
 * each a form that is sent as JSON.
 */

import { ask } from "./ask.js";
import { betPanel } from "./bet.js";
import { showClass } from "./class_sheet.js";
import { demonstrationBar } from "./demonstration.js";
import { showGuide } from "./guide.js";
import { _, bytes, duration, number, share } from "./i18n.js";
import { on, watch } from "./live.js";
import { statusLine } from "./status.js";

const [count, users, blank, next, lamp, verdict] = ["count", "users", "user", "next", "lamp", "verdict"].map((id) =>
  document.getElementById(id),
);
const problems = document.getElementById("problems");
const networks = document.getElementById("networks");
const crewState = document.getElementById("crew-state");
const showBet = betPanel(document.getElementById("bet"));
const showDemonstration = demonstrationBar(document.getElementById("demonstration"));
const signs = new Map(Array.from(document.querySelectorAll("[data-meters]"), (row) => [
  row.dataset.meters, row.querySelector(".sign").textContent,
]));

// The updates --------------------------------------------------------------------------------

/** A figure of the meters as text, durations (`_s`) in ms; null is "not measured yet", never 0. */
export function inWords(path, meters) {
  const value = path.split(".").reduce((part, key) => part?.[key], meters) ?? null;
  if (value === null) return _("lab.unmeasured");
  return path.includes("_s.") ? duration(value) : path.includes(".bytes_") ? bytes(value) : number(value);
}

function showMeters({ techniques }) {
  for (const row of document.querySelectorAll("[data-meters]")) {
    for (const cell of row.querySelectorAll("[data-figure]")) {
      const words = inWords(cell.dataset.figure, techniques[row.dataset.meters]);
      cell.textContent = words;
      cell.classList.toggle("unmeasured", words === _("lab.unmeasured"));
    }
  }
}

function showGuests(presence) {
  count.textContent = number(presence.length);
  users.replaceChildren(...presence.map(user));
}

function user({ username, mode, hidden }) {
  const line = blank.content.firstElementChild.cloneNode(true);
  line.className = mode;
  line.firstElementChild.textContent = signs.get(mode);
  line.lastElementChild.textContent = hidden ? _("teacher.hidden", { name: username }) : username;
  return line;
}

function showCrew({ running, students, rate, rtt_ms, failed }) {
  const values = { n: number(students), rate: number(rate), rtt: number(rtt_ms) };
  const text = _(!running ? "teacher.crew_none" : rtt_ms ? "teacher.crew_slow" : "teacher.crew_now", values);
  crewState.textContent = failed.length ? _("teacher.crew_failed", { words: failed }) : text;
  document.querySelector("#crew [value=stop]").disabled = !running;
}

function showStrain({ lag_s, cpu, machine, bottleneck }) {
  const figures = { lag: duration(lag_s), cpu: share(cpu ?? 0, cpu === null ? 0 : 1), machine: share(machine ?? 0, machine === null ? 0 : 1) };
  for (const [name, text] of Object.entries(figures)) {
    document.querySelector(`[data-strain=${name}]`).textContent = text;
  }
  lamp.textContent = bottleneck ? "▲" : "●";
  lamp.dataset.lamp = bottleneck ? "bad" : "good";
  document.body.classList.toggle("strained", bottleneck);
  const words = _(bottleneck ? "teacher.bottleneck" : "teacher.fine");
  if (verdict.textContent !== words) verdict.textContent = words;
}

/** Problems of the lab, in the page's language; replaced only when changed, because screen readers read them. */
function showProblems(all) {
  const texts = all.map(({ code, cause, message }) =>
    _(code === "history_unavailable" ? `problem.redis.${cause}` : `problem.${code}`, { message }),
  );
  problems.hidden = texts.length === 0;
  showLines(problems, texts);
}

/** What the networks of the class do, as their users' browsers found out. */
function showNetworks({ count, faults }) {
  const found = Object.entries(faults).filter(([, n]) => n);
  const values = { count: number(count) };
  const texts = found.map(([fault, n]) => _(`teacher.networks.${fault}`, { ...values, n: number(n) }));
  if (!found.length) texts.push(_(count ? "teacher.networks_fine" : "teacher.networks_none", values));
  showLines(networks, texts);
}

/** Replace the lines of a list if they have changed. */
function showLines(list, texts) {
  if (list.dataset.shown === texts.join("\n")) return;
  list.dataset.shown = texts.join("\n");
  list.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function showNext({ presence, crew, bet, lesson, network }) {
  next.hidden = Boolean(lesson.number); // the lesson leads
  const step = bet.state === "open" ? "bet" : bet.state === "counting" ? "truth" : crew.running ? "run" : null;
  const text = _(`teacher.next_${step ?? (presence.length ? "start" : network.url ? "wait" : "open")}`);
  if (next.textContent !== text) next.textContent = text;
}

watch((news) => {
  showDemonstration(news.demonstration);
  showMeters(news.meters);
  showGuests(news.presence);
  showCrew(news.crew);
  showStrain(news.strain);
  showBet(news.bet, news.lesson);
  showGuide(news);
  showClass(news);
  showNetworks(news.networks);
  showNext(news);
  showProblems(news.problems);
  for (const button of document.querySelectorAll("[data-action=bet] button")) {
    const state = news.bet.by_hand ? news.bet.state : "closed";
    button.disabled = !{ closed: ["open"], open: ["count", "close"], counting: ["close"], measured: ["close"] }[state].includes(button.value);
  }
});

const showStatus = statusLine(document.getElementById("status"));
on("status", ({ state }) => showStatus(state === "waiting" ? "live" : state));

// The actions --------------------------------------------------------------------------------

/** The values of a form: numbers as numbers, checked boxes of one name as a list, and the button's own value. */
function asked(form, button) {
  const wanted = button?.name ? { [button.name]: button.value } : {};
  for (const field of form.elements) {
    if (field.type === "number") wanted[field.name] = field.valueAsNumber;
    if (field.tagName === "SELECT") wanted[field.name] = field.value;
    if (field.type === "checkbox") (wanted[field.name] ??= []).push(...(field.checked ? [field.value] : []));
  }
  return wanted;
}

function submit(form, button) {
  return ask(form.querySelector("[role=alert]"), `/teacher/${form.dataset.action}`, asked(form, button));
}

for (const form of document.querySelectorAll("[data-action]")) {
  form.addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), true);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, event.submitter);
  });
  form.querySelector("select")?.addEventListener("change", () => submit(form));
}
