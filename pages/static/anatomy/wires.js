/**
 * One message on all wires: what each technique transfers for it, drawn at one scale.
 *
 * A poll needs a request and a response for each message; a stream needs one unit in a response that is open already.
 */

import { _, number } from "../i18n.js";
import { sizeOf, unitsOf } from "./bytes.js";
import { element, shape } from "./dom.js";

const [WIDTH, ROW, BAR, LEFT, RIGHT] = [1000, 56, 30, 230, 110]; // in the drawing's own units
const PARTS = ["head", "framing", "payload"];

/** The units that one message needs: all of a poll, of a stream the newest unit with a message. */
export function unitsOfMessage(exchange) {
  const units = unitsOf(exchange);
  if (exchange.verb !== "stream") return units;
  const isMessage = ({ came, fields }) => !came && sizeOf(fields, "payload") > 0;
  return [units.findLast(isMessage)].filter(Boolean);
}

/** Bytes by direction and part: `[[came, part, bytes], …]`, empty ones left out. */
export function segments(exchange) {
  const units = unitsOfMessage(exchange);
  const size = (came, part) => units.filter((unit) => unit.came === came).reduce((sum, { fields }) => sum + sizeOf(fields, part), 0);
  const all = [true, false].flatMap((came) => PARTS.map((part) => [came, part, size(came, part)]));
  return all.filter(([, , n]) => n > 0);
}

const total = (pieces) => pieces.reduce((sum, [, , n]) => sum + n, 0);

/** Draw the picture into an element: one row for each technique. */
export function drawWires(box, { recorded, exchanges }) {
  const rows = Object.values(exchanges).filter(({ variant }) => !variant).map((exchange) => ({ exchange, pieces: segments(exchange) }));
  const most = Math.max(...rows.map(({ pieces }) => total(pieces)));
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${ROW * rows.length}`, role: "img", "aria-labelledby": "wires-title" });
  picture.append(hatching(), ...rows.map((row, i) => drawRow(row, i, (WIDTH - LEFT - RIGHT) / most)));
  const about = element("p", { class: "soft" }, _("anatomy.about.recorded", recorded));
  box.replaceChildren(legend(), picture, table(rows), about);
}

function hatching() {
  const line = shape("path", { d: "M0 6 L6 0", stroke: "currentColor", "stroke-width": 1.2 });
  return shape("defs", {}, shape("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" }, line));
}

function drawRow({ exchange: { mode }, pieces }, i, scale) {
  const [top, texts] = [i * ROW, []];
  let x = LEFT;
  const bars = pieces.map(([came, part, n]) => {
    const bar = shape("rect", { x, y: top + 10, width: n * scale, height: BAR, class: `bar ${part}` });
    if (n * scale > 60) texts.push(write(x + (n * scale) / 2, top + 31, `${came ? "→" : "←"} ${number(n)}`, `in ${part}`));
    x += n * scale;
    return bar;
  });
  const name = write(LEFT - 12, top + 31, _(`title.${mode}`), "name");
  return shape("g", { class: mode }, name, ...bars, ...texts, write(x + 10, top + 31, _("unit.bytes", { n: number(total(pieces)) }), "total"));
}

function write(x, y, text, className) {
  const made = shape("text", { x, y, class: className });
  made.textContent = text;
  return made;
}

function legend() {
  const items = PARTS.map((part) => {
    const box = shape("svg", { viewBox: "0 0 28 16", class: "key", "aria-hidden": "true" });
    box.append(shape("rect", { width: 28, height: 16, class: `bar ${part}` }));
    return element("li", {}, box, ` ${_(`anatomy.part.${part}`)}`);
  });
  return element("ul", { class: "legend" }, items);
}

/** The same numbers as a table. */
function table(rows) {
  const sum = (pieces, part) => total(pieces.filter(([, name]) => name === part));
  const head = element("tr", {}, ["technique", ...PARTS, "all"].map((name) => element("th", { scope: "col" }, _(`anatomy.column.${name}`))));
  const lines = rows.map(({ exchange: { mode }, pieces }) => {
    const cells = [...PARTS.map((part) => sum(pieces, part)), total(pieces)].map((n) => element("td", {}, number(n)));
    return element("tr", { class: mode }, element("th", { scope: "row" }, _(`title.${mode}`)), cells);
  });
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, lines));
  return element("details", { class: "wide" }, element("summary", {}, _("anatomy.table")), made);
}
