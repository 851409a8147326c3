/**
 * The picture of the lanes: open requests as bars, deliveries as marks, each message as one line.
 *
 * A view without network: draws traffic onto a canvas that lies over the table whose rows are the lanes.
 */

import { duration } from "../i18n.js";
import { drawAxis } from "./axis.js";
import { stepOf } from "./numbers.js";
import { places } from "./places.js";
import { latency } from "./traffic.js";

const BAR = { ask: 0.6, wait: 0.36, stream: 0.12 }; // of the lane's height: a tick, a block, a line
const HALF = 0.5;
const THIN_PX = 2;
const THICK_PX = 3;
const LEAST_PX = 4; // so that the shortest request is visible
const LABEL_PX = 64; // a shorter distance has no space for its label
const FADED = 0.3;

export class Picture {
  constructor(canvas, box) {
    this.canvas = canvas;
    this.box = box;
    this.pen = canvas.getContext("2d");
    new ResizeObserver(() => this.measure()).observe(box);
  }

  /** Read the positions and colours of the lanes again; a change clears the canvas. */
  measure() {
    const [{ width, height }, scale, found] = [this.box.getBoundingClientRect(), devicePixelRatio, places(this.box)];
    const look = JSON.stringify([width, height, scale, found]);
    if (look === this.look) return;
    Object.assign(this.canvas, { width: width * scale, height: height * scale });
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    Object.assign(this, found, { look, dot: Math.max(5, found.size * 0.45) });
  }

  /** Draw a time span; `chosen` is the highlighted lane, `picked` the request. */
  draw(traffic, view, chosen, picked = null) {
    if (!this.lanes) this.measure();
    Object.assign(this, { view, traffic });
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.pen.font = this.font;
    const bars = traffic.held(view.from, view.moment);
    const marks = traffic.handed(view.from, view.moment);
    const messages = traffic.between(view.from, view.moment);
    const [{ x, width }] = this.lanes;
    drawAxis(this.pen, { ...this, x, width }, view);
    for (const lane of this.lanes) {
      this.within(lane, chosen, () => {
        for (const bar of bars.filter((bar) => bar.lane === lane.mode)) this.bar(lane, bar, bar.from === picked?.from);
      });
    }
    this.messages(messages);
    for (const lane of this.lanes) {
      this.within(lane, chosen, () => {
        for (const message of messages) this.way(lane, message);
        for (const mark of marks.filter((mark) => mark.lane === lane.mode)) this.mark(lane, mark);
        const empty = bars.filter((bar) => bar.lane === lane.mode && bar.empty && bar.to <= view.moment);
        for (const bar of empty) this.dotAt(lane, bar.to, false);
      });
    }
  }

  within(lane, chosen, paint) {
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(lane.x, lane.y, lane.width, lane.height);
    this.pen.clip();
    this.pen.globalAlpha = chosen && chosen !== lane.mode ? FADED : 1;
    paint();
    this.pen.restore();
  }

  x(moment) {
    const [{ x, width }, { from, to }] = [this.lanes[0], this.view];
    return x + (width * (moment - from)) / (to - from);
  }

  /** The time under a pointer. */
  moment({ clientX }) {
    const [{ x, width }, { from, to }] = [this.lanes[0], this.view];
    return from + ((clientX - this.box.getBoundingClientRect().left - x) * (to - from)) / width;
  }

  bar({ y, height, verb, colour }, { from, to }, isPicked) {
    const [left, right] = [this.x(from), this.x(Math.min(to, this.view.moment))];
    const [thick, middle, wide] = [height * BAR[verb], y + height * HALF, Math.max(right - left, LEAST_PX)];
    Object.assign(this.pen, { fillStyle: colour, strokeStyle: colour, lineWidth: THIN_PX });
    const place = [Math.min(left, right - wide * HALF), middle - thick * HALF, wide, thick];
    this.pen.save();
    this.pen.globalAlpha *= FADED;
    this.pen.fillRect(...place);
    this.pen.restore();
    this.pen.strokeRect(...place);
    if (!isPicked) return;
    Object.assign(this.pen, { strokeStyle: this.ink, lineWidth: THICK_PX });
    this.pen.strokeRect(place[0] - THICK_PX, y + THICK_PX, wide + 2 * THICK_PX, height - 2 * THICK_PX);
  }

  /** Each message is a line across all lanes, at the time at which the room accepted it; each n-th has its number. */
  messages(messages) {
    const [{ pen }, { x: left, width }, { y, height }] = [this, this.lanes[0], this.lanes.at(-1)];
    const inside = ([, x]) => x >= left && x <= left + width;
    const seen = messages.map(({ id, accepted }) => [Number(id.split("-")[1]), this.x(accepted)]).filter(inside);
    seen.sort(([, one], [, other]) => one - other);
    pen.fillStyle = this.ink;
    for (const [, x] of seen) {
      for (const lane of this.lanes) pen.fillRect(x - THIN_PX * HALF, lane.y, THIN_PX, lane.height);
    }
    const wide = pen.measureText(`#${seen.at(-1)?.[0]}`).width; // the last number is the widest
    this.step = stepOf(seen, wide + this.size, this.step);
    for (const [n, x] of seen) {
      if (n % this.step !== 0 || x + wide > left + width) continue;
      pen.clearRect(x + 2, y + height - this.size - 2, wide + 4, this.size + 2); // no line crosses it
      this.write(`#${n}`, x + 4, y + height - 3, "left");
    }
  }

  /** Text with an outline in the background colour, so that no line crosses it. */
  write(words, x, y, textAlign) {
    Object.assign(this.pen, { textAlign, textBaseline: "alphabetic", strokeStyle: this.paper, lineWidth: THICK_PX });
    this.pen.strokeText(words, x, y);
    this.pen.fillText(words, x, y);
  }

  /** The line from a message to its delivery in a lane: its length is the delay, and grows until the delivery. */
  way({ mode, y, height, colour }, message) {
    const { moment } = this.view;
    const arrived = message.at[mode] <= moment ? message.at[mode] : null;
    if (arrived === null && !this.traffic.isPending(message, mode, moment)) return;
    const [from, to] = [this.x(message.accepted), this.x(arrived ?? moment)];
    const [middle, pen] = [y + height * HALF, this.pen];
    pen.fillStyle = colour;
    pen.fillRect(from, middle - THICK_PX * HALF, to - from, THICK_PX);
    if (arrived === null || to - from < LABEL_PX) return;
    this.write(duration(latency(message, mode) / 1000), (from + to) * HALF, y + this.size, "center");
  }

  mark(lane, { at, messages, more }) {
    this.dotAt(lane, at, true);
    if (messages.length || !more) return;
    this.write(`+${more}`, this.x(at) + this.dot + 2, lane.y + this.size, "left"); // old messages, for a new listener
  }

  dotAt({ y, height, colour }, moment, full) {
    const [fill, edge] = full ? [colour, this.paper] : [this.paper, colour];
    Object.assign(this.pen, { fillStyle: fill, strokeStyle: edge, lineWidth: full ? THIN_PX : THICK_PX });
    this.pen.beginPath();
    this.pen.arc(this.x(moment), y + height * HALF, this.dot, 0, 2 * Math.PI);
    this.pen.fill();
    this.pen.stroke();
    this.pen.fillStyle = colour;
  }
}
