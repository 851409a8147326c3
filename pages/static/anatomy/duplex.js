/**
 * Duplex: who may send when. The units of a poll and of a WebSocket in their order, and how many a client sent while the
 * server was still sending: a count of the shown bytes.
 */

import { _, number } from "../i18n.js";
import { unitsOf } from "./bytes.js";
import { element, shape } from "./dom.js";

const [WIDTH, LANE, STEP] = [1000, 90, 26];
const MOST = 36; // units that fit into the drawing

/** How many units each side sent, and how many of the client's between the first and the last byte of the server's. */
export function overlap(exchange) {
  const units = unitsOf(exchange);
  const [first, last] = [units.findIndex(({ came }) => !came), units.findLastIndex(({ came }) => !came)];
  const within = units.filter(({ came }, i) => came && i > first && i < last).length;
  const client = units.filter(({ came }) => came).length;
  return { client, server: units.length - client, within: first < 0 ? 0 : within };
}

/** Draw one exchange as arrows in the order of time: up from the client, down from the server. */
export function drawDuplex(box, mode, exchange) {
  const units = unitsOf(exchange).slice(0, MOST);
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${LANE}`, preserveAspectRatio: "xMinYMid", role: "img", "aria-label": _("anatomy.duplex.picture", { title: _(`title.${mode}`) }), class: mode });
  picture.append(...[15, 75].map((y) => shape("line", { x1: 0, x2: WIDTH, y1: y, y2: y, class: "side" })), ...units.map(arrow));
  const { client, server, within } = overlap(exchange);
  const counts = { client: number(client), server: number(server), n: number(within) };
  const sentence = _(within ? "anatomy.duplex.both" : "anatomy.duplex.turns", counts);
  box.replaceChildren(element("h3", {}, _(`title.${mode}`)), picture, element("p", {}, sentence));
}

function arrow({ came }, i) {
  const x = 20 + i * STEP;
  const [from, to] = came ? [15, 75] : [75, 15];
  const tip = came ? -8 : 8;
  return shape("path", { class: came ? "up" : "down", d: `M${x} ${from} L${x + 12} ${to} m-8 ${tip} l8 ${-tip} l2 ${tip}` });
}
