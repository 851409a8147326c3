/**
 * The bytes of one exchange: on the left its units, one a row, both directions; on the right the chosen unit.
 *
 *     new ExchangeView(element).show({ parts, units });   // an answer of /wire
 *
 * Up and down choose a unit, left and right a field, N shows one field after the other.
 */

import { _, bytes, duration } from "../i18n.js";
import { BASE } from "../techniques/shared.js";
import { isFrame, sizeOf, unitsOf } from "./bytes.js";
import { element } from "./dom.js";
import { kindName, texts } from "./texts.js";
import { UnitView } from "./unit.js";

const SHEET = `${BASE}/static/anatomy/exchange.css`;
const KINDS = { alive: ["ping", "pong", "heartbeat"], close: ["close"], handshake: ["request", "response"] };
const FILTERS = {
  all: () => true,
  handshake: ({ kind }) => KINDS.handshake.includes(kind),
  message: ({ fields }) => sizeOf(fields, "payload") > 0,
  alive: ({ kind }) => KINDS.alive.includes(kind),
  close: ({ kind }) => KINDS.close.includes(kind),
};

/** The page's own style sheets do not have the component's: it brings it along. */
function style() {
  if (document.querySelector(`link[href="${SHEET}"]`)) return;
  document.head.append(element("link", { rel: "stylesheet", href: SHEET }));
}

/** What a row says of a unit: the request or status line, or its kind. */
export function label(unit) {
  const [first, second, third] = unit.fields;
  if (unit.kind === "request") return `${first.value.trim()} ${second.value.split("?")[0]}`;
  if (unit.kind === "response") return `${second.value} ${third?.value.trim() ?? ""}`.trim();
  const masked = isFrame(unit) && unit.came && !unit.kind.startsWith("not") ? `, ${_("anatomy.masked")}` : "";
  const named = unit.fields.find(({ name }) => name === "close-code")?.value ?? typeOf(unit);
  return kindName(unit.kind) + (named ? `: ${named}` : "") + masked;
}

/** Whether two units are the same one, in an exchange that has grown meanwhile. */
function isSame(unit, other) {
  return unit.at === other?.at && unit.came === other.came && unit.fields[0].start === other.fields[0].start;
}

/** The type of the event in a unit, such as "ack"; of a send there is none. */
function typeOf({ fields }) {
  const event = fields.find(({ name }) => name === "message" || name === "event");
  return event && /^\{"type":"(\w+)"/.exec(event.value)?.[1];
}

/** The view of an exchange inside an element. */
export class ExchangeView {
  constructor(box) {
    this.list = element("ol", { class: "units", role: "listbox", tabindex: 0 });
    this.filters = element("div", { class: "filters", role: "group" });
    this.filter = "all";
    this.side = element("div", { class: "unit" });
    this.view = new UnitView(this.side);
    this.box = box;
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.side.addEventListener("keydown", (event) => this.key(event));
  }

  /** Show parts and units; the chosen unit stays chosen if it is still there, else the first or newest message is. */
  async show(exchange, newest = false) {
    this.newest = newest;
    style();
    await texts();
    this.units = unitsOf(exchange);
    if (!this.filters.children.length) this.build();
    this.offer();
    this.fill();
  }

  build() {
    const button = (name) => element("button", { type: "button", class: "quiet", value: name, onclick: () => this.turn(name) }, _(`anatomy.filter.${name}`));
    this.filters.append(...Object.keys(FILTERS).map(button));
    this.filters.setAttribute("aria-label", _("anatomy.filter"));
    this.list.setAttribute("aria-label", _("anatomy.units"));
    this.box.classList.add("exchange");
    const head = element("p", { class: "columns soft" }, element("span", {}, _("anatomy.unit")), element("span", {}, _("anatomy.sizes")));
    this.box.replaceChildren(element("div", { class: "conversation" }, this.filters, head, this.list), this.side);
  }

  turn(name) {
    this.filter = name;
    this.offer();
    this.fill();
  }

  /** A filter for which there is no unit is not offered. */
  offer() {
    if (!this.units.some(FILTERS[this.filter])) this.filter = "all";
    for (const button of this.filters.children) {
      button.hidden = button.value !== "all" && !this.units.some(FILTERS[button.value]);
      button.setAttribute("aria-pressed", button.value === this.filter);
    }
  }

  fill() {
    const shown = this.units.filter(FILTERS[this.filter]);
    this.rows = shown;
    const before = shown.findIndex((unit) => isSame(unit, this.current));
    this.list.replaceChildren(...shown.map((unit) => this.row(unit)));
    const payload = this.newest ? shown.findLastIndex(FILTERS.message) : shown.findIndex(FILTERS.message);
    this.choose(before >= 0 ? before : Math.max(0, payload));
  }

  row(unit) {
    const sizes = unit.overhead < unit.size ? `${unit.overhead} + ${bytes(unit.size - unit.overhead)}` : bytes(unit.size);
    const way = element("span", { class: "way", "aria-label": _(unit.came ? "anatomy.up" : "anatomy.down") }, unit.came ? "→" : "←");
    const shown = [way, element("span", { class: "label" }, label(unit)), element("span", { class: "size" }, sizes)];
    const time = element("span", { class: "soft time" }, duration(unit.at / 1000));
    const pick = () => this.choose(this.rows.indexOf(unit));
    return element("li", { role: "option", class: unit.came ? "came" : "sent", onclick: pick }, ...shown, time);
  }

  choose(n) {
    this.current = this.rows[n];
    [...this.list.children].forEach((row, i) => {
      row.setAttribute("aria-selected", i === n);
      row.id = i === n ? `${(this.list.id ||= `units-${++ExchangeView.count}`)}-chosen` : "";
    });
    if (!this.current) return this.side.replaceChildren(element("p", { class: "soft" }, _("anatomy.none")));
    this.list.setAttribute("aria-activedescendant", `${this.list.id}-chosen`);
    if (this.list === document.activeElement) this.list.children[n].scrollIntoView({ block: "nearest" });
    this.view.show(this.current);
  }

  key(event) {
    const now = this.rows.indexOf(this.current);
    const actions = {
      ArrowDown: () => this.choose(Math.min(this.rows.length - 1, now + 1)),
      ArrowUp: () => this.choose(Math.max(0, now - 1)),
      ArrowRight: () => this.view.move(1),
      ArrowLeft: () => this.view.move(-1),
      n: () => this.view.reveal(),
    };
    if (!actions[event.key] || !this.current || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}

ExchangeView.count = 0;
