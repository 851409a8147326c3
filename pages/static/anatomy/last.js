/**
 * The last exchange of one technique in this room, or its recording while there is none, or when it is chosen.
 */

import { _ } from "../i18n.js";
import { ask } from "./ask.js";
import { ExchangeView } from "./exchange.js";

const PAUSE_MS = 2000; // between two looks, while messages come

/** The section with the exchange; `follow` gets the technique's meters, and looks again when they have changed. */
export class LastExchange {
  constructor(section, mode) {
    Object.assign(this, { section, mode, source: "room", count: null, looked: -Infinity });
    this.about = section.querySelector("#about");
    this.view = new ExchangeView(section.querySelector(".exchange"));
    this.buttons = section.querySelectorAll("button[value]");
    for (const button of this.buttons) button.addEventListener("click", () => this.use(button.value));
  }

  use(source) {
    this.source = source;
    for (const button of this.buttons) button.setAttribute("aria-pressed", button.value === source);
    return this.look();
  }

  follow({ receive, send }) {
    const count = receive.requests + receive.messages + send.messages;
    if (this.section.contains(document.activeElement)) return; // the user is reading it
    if (this.source !== "room" || count === this.count || performance.now() - this.looked < PAUSE_MS) return;
    this.count = count;
    this.look();
  }

  async look() {
    this.looked = performance.now();
    const found = this.source === "room" ? await ask("/anatomy/last", { mode: this.mode }) : null;
    if (found) return this.show(found, _("technique.last.shown"));
    this.recordings ??= await ask("/anatomy/recorded", { name: this.mode });
    if (!this.recordings) return;
    const { recorded, exchanges } = this.recordings;
    const key = this.source === "room" ? "none" : "record";
    return this.show(exchanges[0], _(`technique.last.${key}`, recorded));
  }

  show(exchange, about) {
    this.about.textContent = about;
    return this.view.show(exchange, this.source === "room");
  }
}
