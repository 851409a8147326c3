/**
 * The room page: a list of messages, a box to write in, a switch between techniques, and the costs.
 *
 * Every message crosses the network through one connection, made by the technique in use; switching closes it and
 * opens the next behind the last message shown, so nothing is lost and nothing doubled.
 */

import { betPanel } from "./bet.js";
import { automatic, firstMode } from "./choice.js";
import { serverClock } from "./clock.js";
import { rememberName, rememberedName, uuid4 } from "./user.js";
import { _, bytes, number, share } from "./i18n.js";
import { on, send, watch } from "./live.js";
import { messageList } from "./messages.js";
import { pace } from "./pace.js";
import { sendForm } from "./send_form.js";
import { statusLine } from "./status.js";
import { Tally } from "./tally.js";

const SLEEP_MS = 60_000; // a phone that slept longer may hold a connection that broke in the meantime

const [form, nameBox, reason, status, title, here, found] = [
  "say", "name", "reason", "status", "title", "here", "choice",
].map((id) => document.getElementById(id));
const tabs = [...document.querySelectorAll("[data-mode]")]; // one per technique, from the server
const client = uuid4();
const clock = serverClock();
const tally = new Tally(client, showTally);
const showStatus = statusLine(status);
const messages = messageList(document.getElementById("messages"), delay, openBytes);
const opened = performance.now();
const sent = new Map(); // mid of an own message -> the technique by which it was sent
let claimed;
const showBet = betPanel(document.getElementById("bet"), (answer) =>
  send({ type: "vote", username: nameBox.value, ...answer }),
);

// The connection -----------------------------------------------------------------------------

const order = document.querySelector(".switch").dataset.order.split(" ").filter(Boolean); // empty: the user has chosen
let mode = firstMode(order, document.querySelector("[data-mode][aria-current=true]").dataset.mode);
let automatically = order.length > 0;
let state = "connecting";
let connection;
let connected;
const firstConnection = new Promise((resolve) => (connected = resolve));

const choice = order.length && automatic({
  order, use, pace, mode: () => mode, cursor: messages.cursor, show: (text) => (found.textContent = text),
});

async function use(wanted) {
  mode = wanted;
  const loading = import(`./techniques/${wanted}.js`).catch(() => null);
  const [technique] = await Promise.all([loading, tally.begin(wanted, tab(wanted).dataset.verb)]);
  if (mode !== wanted) return; // there was another click meanwhile
  if (!technique) return (reason.textContent = _("room.no_file", { file: wanted }));
  connection?.close();
  const [after, username] = [messages.cursor(), nameBox.value];
  connection = technique.connect({ after, onEvents, onStatus, client, username, pace });
  connected();
  showMode(wanted);
}

function onEvents(events) {
  tally.receive(events);
  messages.show(events);
}

function onStatus(next, ms) {
  if (automatically) choice.status(next);
  if (next === "waiting" && state !== "waiting") {
    tally.opens();
    sendHidden();
  }
  if (next === state && next === "waiting") return;
  state = next;
  showStatus(next, ms);
}

function tab(wanted) {
  return tabs.find(({ dataset }) => dataset.mode === wanted);
}

function showMode(wanted) {
  document.body.className = `room ${wanted}`;
  for (const one of tabs) one.setAttribute("aria-current", one.dataset.mode === wanted);
  title.textContent = tab(wanted).title;
  if (automatically) return; // a link with a technique is the user's own choice
  const address = new URL(location);
  address.searchParams.set("mode", wanted);
  history.replaceState(null, "", address);
}

for (const one of tabs) {
  one.addEventListener("click", (event) => {
    event.preventDefault(); // it is a link, so that it can also open in a new tab
    choose(one.dataset.mode);
  });
}

/** From now on by this technique, whatever the network does. */
function choose(wanted) {
  if (automatically) choice.stop();
  automatically = false;
  use(wanted);
}

// In front and in the background -------------------------------------------------------------

let hiddenSince = performance.now();

function sendHidden() {
  send({ type: "hidden", hidden: document.hidden });
}

document.addEventListener("visibilitychange", () => {
  sendHidden();
  if (document.hidden) hiddenSince = performance.now();
  else if (performance.now() - hiddenSince > SLEEP_MS) use(mode);
});

// Costs --------------------------------------------------------------------------------------

/** Time of a message from its acceptance in the server to this list; null for old ones, and in the background. */
function delay(time) {
  const now = clock.now();
  if (now === null || document.hidden || time * 1000 < now - (performance.now() - opened)) return null;
  return { seconds: Math.max(0, now - time * 1000) / 1000, bound: clock.bound() / 1000 };
}

function showTally({ requests, empty, down, up, useful, total }) {
  const shown = { requests: number(requests), empty: number(empty), down: bytes(down), up: bytes(up) };
  // With compression, or before the server has counted the newest messages, the share may exceed 100 %.
  Object.assign(shown, { useful: bytes(useful), share: share(useful, useful <= total ? total : 0) });
  for (const [name, text] of Object.entries(shown)) {
    document.querySelector(`[data-tally=${name}]`).textContent = text;
  }
}

/** Of several labs: which of them serve this client by the technique in use. */
on("cost", ({ lab, labs }) => {
  if (!lab?.length) return;
  const badge = document.getElementById("lab");
  badge.textContent = _("lab.number", { n: lab.join(", "), of: labs });
  badge.title = _("lab.serving.about");
});

// Presence -----------------------------------------------------------------------------------

const names = (users) => users.filter((user) => user.client !== client).map(({ username }) => username);

watch((news) => {
  here.textContent = news.here ? _("room.here", { n: number(news.here) }) : ""; // 0: this client is not counted yet
  messages.company({ came: names(news.came), left: names(news.left) });
  showBet(news.bet, news.lesson);
}, { light: true });

// Name and text field ------------------------------------------------------------------------

let name = rememberedName(nameBox.dataset.guest);
nameBox.value = name;

nameBox.addEventListener("change", () => {
  nameBox.value = name = nameBox.value.trim() || name;
  rememberName(name);
  use(mode);
});

sendForm(form, reason, () => nameBox.value, async (message) => {
  await firstConnection; // a user can press Enter before the technique's file is here
  messages.follow(); // show the message to its sender
  sent.set(message.mid, mode);
  const stored = await connection.send(message);
  if (automatically) choice.sent(stored.id);
  return stored;
}, nextMid);

// The bytes of own messages -------------------------------------------------------------------

/** The mid of the next message. It was claimed when the last one was sent: later, another page could claim it. */
function nextMid() {
  const mid = claimed;
  claim();
  return mid;
}

function claim() {
  claimed = uuid4();
  send({ type: "mine", mid: claimed });
}

/** What opens the bytes of a message that this page has sent; null for others. */
function openBytes(mid) {
  const sender = sent.get(mid);
  return sender && (() => import("./lanes/own_bytes.js").then(({ showBytes }) => showBytes(mid, sender)));
}

claim();

// A phone's keyboard ------------------------------------------------------------------------

/** Fit the page to the visible height: a phone's keyboard covers a part of it without changing its size. */
function fit() {
  const { height, scale, offsetTop } = visualViewport;
  document.body.style.height = scale === 1 ? `${height}px` : "";
  if (scale === 1 && offsetTop) scrollTo(0, 0); // the browser had moved it to show the text field
}

globalThis.visualViewport?.addEventListener("resize", fit);

// A frame or script whose response is pending would delay the page's load event, so it is opened last.
if (document.readyState === "complete") use(mode);
else addEventListener("load", () => use(mode));
