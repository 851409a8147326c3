/**
 * The first page: presence, the measured cost of each technique in this room, and access for phones.
 */

import { element } from "./anatomy/dom.js";
import { ask } from "./ask.js";
import { _, bytes, duration, number } from "./i18n.js";
import { betPanel } from "./bet.js";
import { on, watch } from "./live.js";
import { address } from "./techniques/shared.js";

const PATIENCE_MS = 30_000; // no phone connected for so long: show what to check
const [count, qr, place, scan, simulated, nothing] = ["count", "qr", "address", "scan", "simulated", "nothing"].map((id) =>
  document.getElementById(id),
);
const cards = [...document.querySelectorAll("[data-card]")];
const form = document.getElementById("open");
const checks = document.getElementById("checks");

// Presence and costs -------------------------------------------------------------------------

const COSTS = {
  requests: [({ requests }) => requests || null, number],
  bytes: [bytesPerMessage, bytes],
  p50: [({ delivery_s }) => delivery_s.p50, duration],
};

/** The bytes for one delivered message so far, empty responses included; null before the first. */
function bytesPerMessage({ messages, bytes_in, bytes_out }) {
  return messages ? (bytes_in + bytes_out) / messages : null;
}

/** Show one cost of every technique; all bars of it have one scale, from 0 to the largest value. */
function showCost(name, [measured, format], techniques) {
  const values = new Map(cards.map((card) => [card, measured(techniques[card.dataset.card].receive)]));
  const most = Math.max(...values.values());
  for (const [card, value] of values) {
    const figure = card.querySelector(`[data-figure=${name}]`);
    showFigure(figure, value, format);
    showBar(figure.parentNode.querySelector(".bar"), value, most);
  }
  document.querySelector(`[data-scale=${name}]`).textContent = most > 0 ? `0 – ${format(most)}` : "";
}

function showBar(bar, value, most) {
  bar.hidden = value === null;
  bar.style.width = `${(100 * value) / (most || 1)}%`;
}

function showFigure(figure, value, format) {
  if (value === null) figure.replaceChildren(element("span", { class: "unseen" }, _("lab.unmeasured")));
  else figure.textContent = format(value);
  figure.classList.toggle("unmeasured", value === null);
}

// Access for phones --------------------------------------------------------------------------

let shown = null;

function showNetwork({ url: own, tested, phones }) {
  const url = place.dataset.proxied ?? own; // phones come by the proxy too
  if (url && url !== shown) openDoor(url);
  if (!checks) return;
  const arrived = phones ? _("join.phones", { n: number(phones) }) : _("join.phones_none");
  document.getElementById("arrived").textContent = arrived;
  const found = { true: "join.tested", false: "join.test_failed" }[tested] ?? "join.untested";
  document.getElementById("tested").textContent = _(found, { url: url ?? "" });
}

function openDoor(url) {
  shown = url;
  place.textContent = url.replace("http://", "").replace(/\/$/, "");
  qr.src = address("/qr.svg", { of: url }); // another address is another picture
  qr.hidden = scan.hidden = false;
  document.getElementById("closed")?.setAttribute("hidden", "");
  if (form) afterOpening();
}

function afterOpening() {
  form.hidden = !form.elements.address; // with one adapter there is no choice
  form.querySelector("button").textContent = form.dataset.other;
  document.getElementById("why").hidden = true;
  checks.hidden = false;
  setTimeout(() => (checks.open ||= /^0|^$/.test(String(newest.network.phones || ""))), PATIENCE_MS);
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const refused = document.getElementById("refused");
  const network = await ask(refused, "/teacher/network", { address: form.elements.address?.value });
  if (network) showNetwork(network);
});

// Start --------------------------------------------------------------------------------------

const showBet = betPanel(document.getElementById("bet"));
let newest = { network: {} };

function show(news) {
  newest = news;
  count.textContent = number(news.presence.length);
  for (const card of cards) {
    const here = news.presence.filter(({ mode }) => mode === card.dataset.card).length;
    showFigure(card.querySelector("[data-figure=here]"), here, number);
  }
  const { techniques } = news.meters;
  for (const [name, cost] of Object.entries(COSTS)) showCost(name, cost, techniques);
  nothing.hidden = Object.values(techniques).some(({ receive }) => receive.messages);
  simulated.hidden = !news.crew?.ever;
  showNetwork(news.network);
  showBet(news.bet, news.lesson);
}

watch(show);
on("status", ({ state }) => (count.dataset.state = state));
