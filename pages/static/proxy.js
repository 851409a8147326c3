/**
 * The faulty proxy: a click sets nginx up and starts a trial; nginx.conf, the steps and a lamp for each technique come
 * from /live as they happen.
 */

import { element } from "./anatomy/dom.js";
import { ask } from "./ask.js";
import { _, duration, number } from "./i18n.js";
import { on, send, watch } from "./live.js";

const [conf, step, about, error, form, own] = ["conf", "step", "about", "error", "switches", "own"].map((id) =>
  document.getElementById(id),
);
const lamps = new Map(Array.from(document.querySelectorAll("[data-technique]"), (line) => [line.dataset.technique, line]));
const lessons = document.querySelectorAll("[data-lesson]");
const buttons = document.querySelectorAll("#faults button, #try");
const OF_LAB = ["hold", "heartbeat", "labs"]; // the other switches are those of the proxy
const LOOPBACK = /^(localhost|127\.|\[::1\])/;
let revision = null;
let shownLines = "";

// What is shown ------------------------------------------------------------------------------------

function show(state) {
  ({ revision } = state);
  for (const button of buttons) button.disabled = state.running;
  error.textContent = state.error ?? "";
  step.textContent = stepOf(state);
  showLines(state.lines);
  showSwitches(state);
  showLesson(state);
  for (const [mode, line] of lamps) showLamp(line, state.results.find((result) => result.mode === mode));
  own.hidden = !state.url || !LOOPBACK.test(location.hostname);
  const room = `${state.url}/room?mode=sse`;
  Object.assign(own.querySelector("a"), { href: state.url ? room : "", textContent: state.url ? room : "" });
}

function stepOf({ step: name, silence_s, version, date, results }) {
  const values = { version: version ?? "", date: date ?? "", time: time(silence_s) };
  if (date) return _(results.length ? "proxy.step.recorded" : "proxy.step.unrecorded", values);
  return _(`proxy.step.${name ?? "none"}`, values);
}

/** nginx.conf; a line that a switch has changed is marked, and the first of them is scrolled to. */
function showLines(lines) {
  const text = JSON.stringify(lines);
  if (text === shownLines) return;
  shownLines = text;
  conf.replaceChildren(...lines.map(([line, by]) => {
    const note = by ? [element("span", { class: "unseen" }, _("proxy.changed", { name: by }))] : [];
    return element("li", by ? { "data-switch": by, title: by } : {}, element("code", {}, line), ...note);
  }));
  showChanges();
}

function showChanges() {
  const first = conf.querySelector("[data-switch]");
  conf.scrollTop = first ? first.offsetTop - conf.clientHeight / 3 : 0;
}

new ResizeObserver(showChanges).observe(conf);

function showSwitches({ switches, ...state }) {
  const given = new Map(switches.split(",").map((part) => part.split("=")));
  for (const select of form.querySelectorAll("select")) {
    const usual = select.options[0].value;
    const value = OF_LAB.includes(select.name) ? String(state[select.name]) : (given.get(select.name) ?? usual);
    if (![...select.options].some((option) => option.value === value)) select.add(new Option(value));
    select.value = value;
  }
}

/** The lesson whose fault or cure is in force, and what there is to know about it. */
function showLesson({ switches, hold, heartbeat, labs, results }) {
  const now = JSON.stringify({ switches, hold, heartbeat, labs });
  let pressed = null;
  for (const lesson of lessons) {
    for (const button of lesson.querySelectorAll("button")) {
      const { switches: of, ...lab } = JSON.parse(button.dataset.order);
      const fits = JSON.stringify({ switches: of, hold: lab.hold, heartbeat: lab.heartbeat, labs: lab.labs }) === now;
      button.setAttribute("aria-pressed", fits && button === chosen);
      if (fits && button === chosen) pressed = lesson.dataset.lesson;
    }
  }
  about.hidden = !pressed || !results.length;
  about.textContent = pressed ? _(`proxy.about.${pressed}`) : "";
}

function showLamp(line, result) {
  const lamp = result?.lamp ?? "none";
  line.dataset.lamp = lamp;
  line.querySelector(".lamp").textContent = _(`proxy.lamp.${lamp}`);
  line.querySelector(".evidence").textContent = result ? evidence(result).join(" · ") : "";
  line.querySelector(".costs").textContent = result ? costs(result) : "";
  line.querySelector(".costs").toggleAttribute("data-labs", Boolean(result?.labs));
  line.querySelector(".line").textContent = result?.log ?? "";
}

/** What the client saw, in a few words. */
function evidence({ lamp, status, then, close_code: code, first_byte_s, failed_s, messages_s: [message] }) {
  const values = { status, then, code, time: time(failed_s) };
  const parts = [];
  if (status) parts.push(_("proxy.status", values));
  else if (code) parts.push(_("proxy.close", values));
  else if (lamp === "cut") parts.push(_("proxy.broken", values));
  if (then) parts.push(_("proxy.then", values));
  if (lamp === "late") parts.push(_(message === undefined ? "proxy.nothing" : "proxy.at_end", { time: time(first_byte_s) }));
  else if (lamp === "ok") parts.push(_("proxy.first_byte", { time: time(first_byte_s) }));
  if (message !== undefined) parts.push(_("proxy.message", { time: time(message) }));
  return parts;
}

function costs({ requests, connections, labs }) {
  if (labs) return _("proxy.costs.labs", { one: number(labs[0]), two: number(labs[1]), connections: number(connections) });
  return _("proxy.costs", { requests: number(requests), connections: number(connections) });
}

/** A duration, from one second on in seconds. */
function time(seconds) {
  return seconds >= 1 ? _("unit.seconds", { n: number(seconds, { maximumFractionDigits: 2 }) }) : duration(seconds);
}

const [toPhones, votes] = ["to-phones", "votes"].map((id) => document.getElementById(id));

/** How many have answered the vote about the proxy; nothing while it is not open. */
function showVotes({ state, voters, question }) {
  const isOpen = state === "open" && question.name === "fails";
  votes.textContent = isOpen ? _("bet.open", { n: number(voters) }) : "";
  toPhones.setAttribute("aria-pressed", isOpen);
}

watch(({ bet }) => bet && showVotes(bet));
watch(({ proxy }) => proxy !== revision && send({ type: "proxy" }, false));
on("proxy", show);

// The actions --------------------------------------------------------------------------------------

let chosen = null; // the button of a lesson that was pressed last: two lessons have the same cure

async function order(wanted) {
  const state = await ask(error, "/teacher/proxy", wanted);
  if (state) show(state);
}

for (const button of document.querySelectorAll("#faults button")) {
  button.addEventListener("click", () => {
    chosen = button;
    order({ do: "try", ...JSON.parse(button.dataset.order) });
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  chosen = null;
  const values = Array.from(form.querySelectorAll("select"), ({ name, value, options }) => [name, value, value !== options[0].value]);
  const switches = values.filter(([name, , changed]) => changed && !OF_LAB.includes(name));
  const lab = values.filter(([name]) => OF_LAB.includes(name)).map(([name, value]) => [name, Number(value)]);
  order({ do: "try", switches: switches.map(([name, value]) => `${name}=${value}`).join(","), ...Object.fromEntries(lab) });
});

toPhones.addEventListener("click", () => ask(error, "/teacher/bet", { do: "open", about: "proxy" }));
document.getElementById("stop").addEventListener("click", () => order({ do: "stop" }));
