/**
 * The compare page: receives the server's facts on /live, keeps them, and lets the views draw them.
 */

import { _, number } from "./i18n.js";
import { demonstrationBar } from "./demonstration.js";
import { Audience } from "./lanes/audience.js";
import { BytesChart, DeliveryChart } from "./lanes/charts.js";
import { Clock } from "./lanes/clock.js";
import { figure } from "./lanes/figures.js";
import { bindKeys, letGo } from "./lanes/keys.js";
import { showMessages } from "./lanes/messages.js";
import { Announcer, showNotes } from "./lanes/notes.js";
import { Picture } from "./lanes/picture.js";
import { bindForm } from "./lanes/send_form.js";
import { showFigures, showSentence } from "./lanes/tables.js";
import { Traffic } from "./lanes/traffic.js";
import { Wires, nearest } from "./lanes/wires.js";
import { on, send, watch } from "./live.js";
import { pace } from "./pace.js";
import { post } from "./techniques/shared.js";

const FRAME_MS = 33; // thirty pictures a second are smooth, and leave the processor to the lab
const STILL_MS = 1000; // for users whose system asks for less motion
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

const $ = (id) => document.getElementById(id);
const rows = [...document.querySelectorAll("[data-lane]")];
const modes = rows.map((row) => row.dataset.lane);
const signs = Object.fromEntries(rows.map((row) => [row.dataset.lane, row.querySelector(".sign").textContent]));
const still = matchMedia("(prefers-reduced-motion: reduce)");

const [traffic, clock, announcer] = [new Traffic(), new Clock(), new Announcer($("voice"))];
const picture = new Picture($("canvas"), $("picture"));
const charts = { bytes: new BytesChart($("chart-bytes"), signs), delivery: new DeliveryChart($("chart-delivery"), signs) };
let techniques = null; // the newest meters of each
let chosen = null; // the lane that stands out
let drawn = -Infinity;
let view = null; // the time span that was drawn last
let painted = []; // everything on which the last picture depended
let picked = null; // the request whose bytes Enter would open, as {lane, from, to}

const showDemonstration = demonstrationBar($("demonstration"), clear);

// What the server sends -----------------------------------------------------------------------

watch((news) => {
  techniques = (news.demonstration.meters ?? news.meters).techniques;
  showDemonstration(news.demonstration);
  showNotes(news, { simulated: $("simulated"), strained: $("strained") });
  showFigures(rows, techniques);
  announce();
  showMessages($("latencies"), traffic, modes);
  charts.bytes.add(each((meter) => figure("bytes", meter)));
  charts.delivery.show(each((meter) => ({ p50: figure("p50", meter), p95: figure("p95", meter) })));
  picture.measure(); // the figures may have moved the lanes
});

on("lanes", (batch) => {
  clock.receive(batch.now, performance.now());
  traffic.take(batch);
  $("hint").hidden = !traffic.empty;
});

on("status", ({ state }) => {
  $("status").dataset.status = state;
  $("status").textContent = _(state === "waiting" ? "state.live" : `state.${state}`);
});

send({ type: "lanes" });

function announce(atOnce) {
  announcer.announce(showSentence($("words"), techniques, chosen), performance.now(), atOnce);
}

function each(make) {
  return Object.fromEntries(modes.map((mode) => [mode, make(techniques[mode])]));
}

// Drawing -------------------------------------------------------------------------------------

function draw(at) {
  requestAnimationFrame(draw);
  if (!clock.ready || at - drawn < FRAME_MS) return;
  drawn = at;
  const shown = still.matches ? at - (at % STILL_MS) : at;
  view = clock.view(shown);
  paint([view.from, view.to, view.isLive, chosen, picked, picture.look]);
  showMode(shown);
}

/** Draw what is new. A paused picture stays unchanged, also when late facts about it arrive. */
function paint(wanted) {
  if (wanted.every((value, i) => value === painted[i])) return;
  picture.draw(traffic, view, chosen, picked);
  painted = wanted;
}

function showMode(at) {
  const ago = (clock.known(at) - clock.moment(at)) / 1000;
  const text = _(`compare.mode.${clock.mode}`, { n: number(ago, { minimumFractionDigits: 1 }) });
  if ($("mode").textContent !== text) $("mode").textContent = text;
  $("pause").setAttribute("aria-pressed", clock.mode === "paused");
  $("slow").setAttribute("aria-pressed", clock.mode === "slow");
}

requestAnimationFrame(draw);

// What the teacher selects --------------------------------------------------------------------

function choose(mode) {
  chosen = chosen === mode ? null : mode;
  for (const row of rows) {
    row.querySelector("button").setAttribute("aria-pressed", row.dataset.lane === chosen);
    row.toggleAttribute("data-chosen", row.dataset.lane === chosen);
  }
  showSender();
  if (techniques) announce(true);
}

function step(by) {
  const next = (modes.indexOf(chosen) + by + modes.length + (chosen ? 0 : by < 0)) % modes.length;
  choose(modes[next]);
}

/** Forget what was drawn. */
function clear() {
  traffic.clear();
  painted = [];
  charts.bytes.clear();
}

function reset() {
  clear();
  clock.live();
  if (chosen) choose(chosen);
}

const audience = new Audience({ modes, pace, onState: showAudience });

function showAudience(state, rest) {
  $("listen").setAttribute("aria-pressed", state === "here" || state === "hidden");
  for (const row of rows) row.toggleAttribute("data-rests", rest.includes(row.dataset.lane));
  const titles = rest.map((mode) => _(`title.${mode}`));
  const text = state === "elsewhere" ? _("compare.elsewhere") : titles.length ? _("compare.rests", { titles }) : "";
  Object.assign($("notice"), { hidden: !text, textContent: text });
}

const pause = () => clock.togglePause(performance.now());
const slow = () => clock.slow(performance.now());
const listen = () => audience.toggle();
for (const [id, action] of Object.entries({ pause, reset, slow, listen })) $(id).addEventListener("click", action);
for (const row of rows) row.querySelector(".sign").addEventListener("click", () => choose(row.dataset.lane));

const letters = { r: reset, s: slow, l: listen };
modes.forEach((mode, i) => (letters[i + 1] = () => choose(mode)));
bindKeys({ letters, space: pause, next: () => step(1), previous: () => step(-1) });
for (const button of document.querySelectorAll(".controls button, .lanes .sign")) {
  button.addEventListener("click", letGo);
}

// The bytes of a request -------------------------------------------------------------------------

const wires = new Wires($("wire"), audience.me);

function requests(lane) {
  return view ? traffic.held(view.from, view.moment).filter((bar) => bar.lane === lane).sort((a, b) => a.from - b.from) : [];
}

function openWire(row, event) {
  const bars = requests(row.dataset.lane);
  const aimed = event.detail ? nearest(bars, picture.moment(event)) : bars.find(({ from }) => from === picked?.from);
  picked = aimed ?? bars.at(-1) ?? null;
  if (picked) wires.open(picked.lane, picked.from, _(`title.${picked.lane}`));
}

function pick(row, by) {
  const bars = requests(row.dataset.lane);
  const now = bars.findIndex(({ from }) => from === picked?.from);
  picked = bars[now < 0 ? bars.length - 1 : Math.min(bars.length - 1, Math.max(0, now + by))] ?? null;
}

for (const row of rows) {
  const button = row.querySelector(".ways");
  button.addEventListener("click", (event) => openWire(row, event));
  button.addEventListener("keydown", ({ key }) => key in STEPS && pick(row, STEPS[key]));
  button.addEventListener("blur", () => wires.dialog.open || (picked = null));
}

// The scale of the chart, and an empty room ---------------------------------------------------

$("scale").addEventListener("click", () => {
  $("scale").setAttribute("aria-pressed", charts.delivery.turn());
});
$("hint-listen").addEventListener("click", () => audience.start());
$("hint-crew")?.addEventListener("click", () => post("/teacher/crew", { do: "start" }).catch(() => {}));

// A message for all: by the chosen lane's technique, so that its own way to send is seen -----------

/** The technique that sends. */
function sender() {
  return chosen ?? $("say").dataset.default;
}

function showSender() {
  const { send: button } = $("say").elements;
  const title = _("compare.send_by", { title: _(`title.${sender()}`) });
  button.className = sender();
  button.querySelector("b").textContent = signs[sender()];
  Object.assign(button, { title, ariaLabel: title });
}

showSender();

bindForm($("say"), (message) => audience.send(sender(), message), (reason) => {
  if (reason === null) showAudience(audience.state, audience.rest);
  else Object.assign($("notice"), { hidden: false, textContent: _("compare.failed", { reason }) });
});
