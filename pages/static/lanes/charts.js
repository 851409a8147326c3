/**
 * Two small charts: bytes on the wire over time, and how long deliveries took. A view without network.
 *
 * Plain SVG. Colours come from the class of each technique, and its sign is next to each line.
 */

import { bytes, duration } from "../i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST_POINTS = 240; // seconds; then the oldest go
const SIDE = 7; // letters' heights to the right of the lines, for the sign and the amount
const LEFT = 28; // px to the left of the bars, for the sign
const [LEAST_S, MOST_S] = [1e-4, 30]; // of the axis of durations
const NARROW_PX = 420; // every second power of ten is named then
const TENS_S = [1e-3, 1e-2, 1e-1, 1, 10];

function add(parent, tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function empty(svg) {
  const { width, height } = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const size = parseFloat(getComputedStyle(svg).fontSize);
  return { width, height, size };
}

/** Lines that only rise: for each technique the bytes since the first point. */
export class BytesChart {
  constructor(svg, signs) {
    Object.assign(this, { svg, signs, points: [] });
  }

  clear() {
    this.points = [];
  }

  /** Add a point: technique -> bytes so far, by the meters. */
  add(amounts) {
    const last = this.points.at(-1);
    if (last && Object.keys(last).some((mode) => amounts[mode] < last[mode])) this.clear(); // the meters were reset
    this.points = [...this.points.slice(1 - MOST_POINTS), amounts];
    this.draw();
  }

  draw() {
    const { width, height, size } = empty(this.svg);
    if (!this.points.length || !width) return;
    const [first, last] = [this.points[0], this.points.at(-1)];
    const risen = (mode, point = last) => Math.max(0, point[mode] - (first[mode] ?? 0));
    const modes = Object.keys(this.signs).filter((mode) => last[mode] !== null);
    modes.sort((a, b) => risen(b) - risen(a));
    const side = width - SIDE * size;
    const [across, floor] = [side / Math.max(1, this.points.length - 1), height - 4];
    const y = (amount) => floor - ((floor - size) * amount) / Math.max(1, risen(modes[0]));
    const labels = spread(modes.map((mode) => y(risen(mode))), size, height);
    add(this.svg, "line", { class: "rule", x1: 0, x2: side, y1: floor, y2: floor });
    modes.forEach((mode, i) => {
      const line = this.points.map((point, i) => `${i * across},${y(risen(mode, point))}`);
      const group = add(this.svg, "g", { class: mode });
      add(group, "polyline", { points: line.join(" ") });
      add(group, "text", { x: side + 6, y: labels[i] }, `${this.signs[mode]} ${bytes(risen(mode))}`);
    });
  }
}

/** Places from the top down, moved apart so that no label overlaps another or lies outside. */
function spread(places, size, height) {
  const down = places.map((place) => place + size * 0.35);
  for (let i = 1; i < down.length; i++) down[i] = Math.max(down[i], down[i - 1] + size);
  let room = height - 1;
  for (let i = down.length - 1; i >= 0; i--) room = (down[i] = Math.min(down[i], room)) - size;
  return down;
}

/** Marks of a linear axis up to `most`: about five, at round figures. */
function rounds(most) {
  const ten = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((n) => n * ten).find((size) => most / size <= 5);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

/** A row per technique: a dot at the median, a bar up to the 95th percentile, on a logarithmic or a linear axis. */
export class DeliveryChart {
  constructor(svg, signs) {
    Object.assign(this, { svg, signs, log: true, figures: null });
  }

  /** Change to the other scale; returns whether it is the logarithmic one. */
  turn() {
    this.log = !this.log;
    if (this.figures) this.show(this.figures);
    return this.log;
  }

  /** Show technique -> `{p50, p95}` in seconds; null where nothing was measured. */
  show(figures) {
    this.figures = figures;
    const { width, height, size } = empty(this.svg);
    if (!width) return;
    const most = Math.max(LEAST_S, ...Object.values(figures).map(({ p95 }) => p95 ?? 0));
    const scale = this.log ? (s) => Math.log10(Math.max(s, LEAST_S)) : (s) => s;
    const [low, high] = this.log ? [LEAST_S, MOST_S].map(scale) : [0, most];
    const x = (s) => LEFT + ((width - LEFT - SIDE * size) * (scale(s) - low)) / (high - low);
    const step = (height - size * 1.2) / Object.keys(this.signs).length;
    for (const mark of (this.log ? TENS_S : rounds(most)).filter((_, i) => width > NARROW_PX || i % 2 === 0)) {
      add(this.svg, "line", { class: "rule", x1: x(mark), x2: x(mark), y1: 0, y2: height - size * 1.2 });
      add(this.svg, "text", { class: "tick", x: x(mark), y: height - 3 }, duration(mark));
    }
    Object.entries(this.signs).forEach(([mode, sign], row) => {
      const [middle, { p50, p95 }] = [step * (row + 0.5), figures[mode]];
      const group = add(this.svg, "g", { class: mode });
      add(group, "text", { x: 2, y: middle + size * 0.35 }, sign);
      if (p50 === null) return;
      add(group, "line", { class: "reach", x1: x(p50), x2: x(p95), y1: middle, y2: middle });
      add(group, "circle", { cx: x(p50), cy: middle, r: Math.min(6, step * 0.4) });
      add(group, "text", { x: x(p95) + 10, y: middle + size * 0.35 }, duration(p95));
    });
  }
}
