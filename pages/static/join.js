/**
 * The first page: presence, the measured cost of each technique in this room, and access for phones.
 */

import { _, bytes, duration, number } from "./i18n.js";
import { betPanel } from "./bet.js";
import { on, watch } from "./live.js";
import { address, post } from "./techniques/shared.js";

const PATIENCE_MS = 30_000; // no phone connected for so long: show what to check
const [count, qr, place, scan, simulated] = ["count", "qr", "address", "scan", "simulated"].map((id) =>
  document.getElementById(id),
);
const form = document.getElementById("open");
const checks = document.getElementById("checks");

// Presence and costs -------------------------------------------------------------------------

/** The bytes for one delivered message so far, empty responses included; null before the first. */
function bytesPerMessage({ messages, bytes_in, bytes_out }) {
  return messages ? (bytes_in + bytes_out) / messages : null;
}

function showCard(card, { receive }, here) {
  showFigure(card.querySelector("[data-figure=here]"), here, number);
  showFigure(card.querySelector("[data-figure=bytes]"), bytesPerMessage(receive), bytes);
  showFigure(card.querySelector("[data-figure=p50]"), receive.delivery_s.p50, duration);
}

function showFigure(figure, value, format) {
  figure.textContent = value === null ? _("lab.unmeasured") : format(value);
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
  try {
    showNetwork(await post("/teacher/network", { address: form.elements.address?.value }));
    refused.textContent = "";
  } catch ({ code, message }) {
    refused.textContent = code === "unreachable" ? _("state.retrying") : message;
  }
});

// Start --------------------------------------------------------------------------------------

const showBet = betPanel(document.getElementById("bet"));
let newest = { network: {} };

function show(news) {
  newest = news;
  count.textContent = number(news.presence.length);
  for (const card of document.querySelectorAll("[data-card]")) {
    const name = card.dataset.card;
    const here = news.presence.filter(({ mode }) => mode === name).length;
    showCard(card, news.meters.techniques[name], here);
  }
  simulated.hidden = !news.crew?.ever;
  showNetwork(news.network);
  showBet(news.bet, news.lesson);
}

watch(show);
on("status", ({ state }) => (count.dataset.state = state));
