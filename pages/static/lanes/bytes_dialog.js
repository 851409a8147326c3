/**
 * The dialog with the bytes of one exchange, and a link that opens them in the anatomy. A view without network.
 */

import { hex, isFrame } from "../anatomy/bytes.js";
import { ExchangeView } from "../anatomy/exchange.js";
import { BASE } from "../techniques/shared.js";

const HEADS = ["request", "response"];
const MOST_BYTES = 4096; // of the anatomy's sandbox

export class BytesDialog {
  constructor(dialog) {
    Object.assign(this, { dialog, box: dialog.querySelector("[data-exchange]"), link: dialog.querySelector("a") });
    this.view = new ExchangeView(this.box);
    for (const event of ["pointerdown", "focus", "click"]) this.link.addEventListener(event, () => this.aim());
    dialog.addEventListener("close", () => (this.shown = null));
  }

  /** Open the dialog, at first without bytes. */
  open(mode, title, about) {
    this.dialog.className = mode;
    this.dialog.querySelector("h2").textContent = title;
    this.say(about);
    this.box.hidden = this.link.hidden = true;
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** Show what the bytes are, or why there are none. */
  say(about) {
    this.dialog.querySelector("[role=status]").textContent = about;
  }

  /** Show an exchange `{parts, units}`. */
  async show(exchange) {
    this.shown = exchange;
    await this.view.show(exchange);
    this.box.hidden = this.link.hidden = !exchange.units.length;
  }

  /** Let the link open the chosen unit; an event of a stream only with the bytes before it, which say what it is. */
  aim() {
    const digits = this.digits();
    this.link.href = `${BASE}/anatomy${digits && `#${digits}`}`;
  }

  digits() {
    const { current, units = [] } = this.view;
    if (!current) return "";
    const alone = isFrame(current) || HEADS.includes(current.kind);
    const shown = alone ? [current] : units.filter(({ came }) => came === current.came);
    const data = shown.flatMap(({ fields }) => fields.flatMap((field) => [...field.data])).slice(0, MOST_BYTES);
    return hex(data).replaceAll(" ", "");
  }
}
