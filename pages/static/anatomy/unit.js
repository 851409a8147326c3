/**
 * One unit: its bytes as numbers and as text, its fields, and one sentence about the chosen field.
 */

import { _, bytes } from "../i18n.js";
import { ascii, hex, isFrame, visible } from "./bytes.js";
import { element } from "./dom.js";
import { kindName } from "./texts.js";

const narrow = matchMedia("(max-width: 40rem)");
const MOST_ROWS = 64; // of a long unit the first ones; the fields are all listed
const BITS = ["FIN", "RSV1", "RSV2", "RSV3", "opcode", "MASK", "length"];
const WIDTHS = [1, 1, 1, 1, 4, 1, 7];

/** The name of a field: of a header field its own name. */
export function fieldName(field) {
  const named = field.name === "header-field" ? field.value.split(":")[0] : "";
  const key = `anatomy.field.${field.name}`;
  const known = _(key);
  return named || (known === key ? field.name : known);
}

/** The view of one unit inside an element. */
export class UnitView {
  constructor(box) {
    this.box = box;
    this.revealed = Infinity; // how many fields are shown, one more with each press of N
    narrow.addEventListener("change", () => this.unit && this.draw());
  }

  show(unit) {
    this.unit = unit;
    this.revealed = Infinity;
    this.chosen = Math.max(0, unit.fields.findIndex(({ part }) => part === "payload"));
    this.draw();
  }

  /** Light one field everywhere, and show its sentence. */
  choose(n) {
    const most = Math.min(this.unit.fields.length, this.revealed) - 1;
    this.chosen = Math.max(0, Math.min(most, n));
    for (const piece of this.box.querySelectorAll("[data-field]")) {
      piece.toggleAttribute("data-lit", Number(piece.dataset.field) === this.chosen);
    }
    this.note.replaceChildren(...this.sentence(this.unit.fields[this.chosen]));
  }

  move(by) {
    this.choose(this.chosen + by);
  }

  /** Hide all fields but the first, then show one more each time; after the last one nothing is hidden. */
  reveal() {
    const count = this.unit.fields.length;
    this.revealed = this.revealed < count ? this.revealed + 1 : 1;
    this.chosen = this.revealed - 1;
    this.draw();
  }

  draw() {
    const { unit } = this;
    const inside = this.box.contains(document.activeElement);
    this.note = element("p", { class: "note", role: "status" });
    const title = element("h3", {}, `${unit.came ? "→" : "←"} ${kindName(unit.kind)} · ${bytes(unit.size)}`);
    const pieces = [title, ...(isFrame(unit) ? [this.boxes()] : []), this.grid(), this.note, this.fields()];
    this.box.replaceChildren(...pieces);
    this.choose(this.chosen);
    if (inside) this.box.querySelector(".grid").focus();
  }

  sentence(field) {
    const named = element("b", {}, `${fieldName(field)} (${_(`anatomy.part.${field.part}`)}, ${bytes(field.data.length)})`);
    return [named, ` ${_(`note.${field.note}`)}`];
  }

  hidden(n) {
    return n >= this.revealed;
  }

  /** Rows of bytes; neighbours of one field share an element. */
  grid() {
    const [row, rows] = [narrow.matches ? 8 : 16, []];
    const start = this.unit.fields[0].start;
    const size = Math.min(this.unit.size, MOST_ROWS * row);
    for (let place = 0; place < size; place += row) {
      const runs = this.runs(place, Math.min(size, place + row));
      const digits = runs.map(([n, data]) => this.run(n, hex(data)));
      const letters = runs.map(([n, data]) => this.run(n, ascii(data)));
      const offset = element("span", { class: "offset" }, (start + place).toString(16).padStart(4, "0"));
      rows.push(element("div", { class: "row" }, offset, element("span", { class: "hex" }, digits), element("span", { class: "text" }, letters)));
    }
    if (size < this.unit.size) rows.push(element("p", { class: "soft" }, _("anatomy.more", { n: bytes(this.unit.size - size) })));
    const grid = element("div", { class: "grid", role: "group", tabindex: 0, "aria-label": _("anatomy.grid") }, rows);
    grid.addEventListener("pointerover", ({ target }) => this.aim(target));
    grid.addEventListener("click", ({ target }) => this.aim(target));
    return grid;
  }

  aim(target) {
    const piece = target.closest("[data-field]");
    if (piece && !this.hidden(Number(piece.dataset.field))) this.choose(Number(piece.dataset.field));
  }

  /** The runs of one field each between two places of the unit: `[field's number, bytes]`. */
  runs(from, to) {
    const found = [];
    let place = 0;
    this.unit.fields.forEach((field, n) => {
      const [start, end] = [Math.max(from, place), Math.min(to, place + field.data.length)];
      if (start < end) found.push([n, field.data.slice(start - place, end - place)]);
      place += field.data.length;
    });
    return found;
  }

  run(n, text) {
    const hidden = this.hidden(n);
    const shown = hidden ? text.replace(/[^ ]/g, "·") : text;
    return element("span", { "data-field": n, class: hidden ? "unseen-yet" : this.unit.fields[n].part }, shown);
  }

  /** The list of the fields with their values. */
  fields() {
    const items = this.unit.fields.map((field, n) => {
      const value = field.name === "header-field" ? field.value.split(":").slice(1).join(":") : field.value;
      const shown = this.hidden(n) ? ["…"] : [element("b", { class: field.part }, fieldName(field)), " ", element("bdi", {}, visible(value))];
      const button = element("button", { type: "button", class: "quiet", "data-field": n, onclick: () => !this.hidden(n) && this.choose(n) }, shown);
      return element("li", {}, button);
    });
    return element("ol", { class: "field-list" }, items);
  }

  /** The first two bytes of a frame as sixteen boxes (RFC 6455 section 5.2). */
  boxes() {
    const bits = Array.from({ length: 16 }, (_, i) => (this.first(i >> 3) >> (7 - (i % 8))) & 1);
    let place = 0;
    const groups = BITS.map((name, i) => {
      const mine = bits.slice(place, (place += WIDTHS[i]));
      const squares = mine.map((bit) => element("span", { class: "bit" }, String(bit)));
      return element("span", { class: "bits", "data-field": i < 5 ? 0 : 1 }, element("span", {}, squares), element("small", {}, name));
    });
    return element("div", { class: "boxes", role: "img", "aria-label": _("anatomy.boxes", { bits: bits.join("") }) }, groups);
  }

  first(n) {
    return this.unit.fields[n].data[0];
  }
}
