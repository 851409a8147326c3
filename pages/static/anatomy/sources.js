/**
 * Where the shown bytes come from: a recording that comes with the lab, a request of this room, or bytes that the user
 * types. A link such as /anatomy#818537fa213d7f9f4d5158 opens the sandbox with these bytes.
 */

import { _, number } from "../i18n.js";
import { uuid4 } from "../user.js";
import { ask } from "./ask.js";
import { fromHex, hex } from "./bytes.js";

const MOST_BYTES = 4096; // the lab dissects no more
const AGAIN_MS = 1000; // an open stream grows; it is asked for again so often
const EXAMPLES = ["818537fa213d7f9f4d5158", "810548656c6c6f", "010348656c80026c6f", "8a8537fa213d7f9f4d5158", "c107f248cdc9c90700"];

const $ = (id) => document.getElementById(id);

/** What was recorded: `{recorded, compression, exchanges}`, with an exchange for each technique. Null without a lab. */
export async function recordings() {
  const found = await ask("/anatomy/recorded");
  return found && { ...found, exchanges: Object.fromEntries(found.exchanges.map((exchange) => [exchange.mode, exchange])) };
}

/** Show the exchanges of three sources in a view, as the user chooses. `onShown` gets each exchange that is shown. */
export class Sources {
  constructor(view, found, onShown) {
    Object.assign(this, { view, found, onShown, source: "recorded", bars: {} });
    this.sees = "teacher" in $("sources").dataset; // the bytes of all users
    this.choose($("mode").value);
    for (const button of document.querySelectorAll("[data-source]")) {
      button.addEventListener("click", () => this.use(button.dataset.source));
    }
    $("mode").addEventListener("change", () => this.turn($("mode").value));
    $("hex").addEventListener("input", () => this.typed());
    $("examples").addEventListener("change", () => this.type($("examples").value));
    $("examples").append(...EXAMPLES.map((digits) => new Option(_(`anatomy.example.${digits}`), digits)));
    $("live-send").addEventListener("submit", (event) => this.say(event));
    addEventListener("hashchange", () => this.follow());
    this.follow() || this.use("recorded");
  }

  /** Open the sandbox if the address has bytes. */
  follow() {
    const data = fromHex(location.hash.slice(1));
    if (!data) return false;
    $("hex").value = hex(data);
    this.use("sandbox");
    return true;
  }

  async use(source) {
    this.source = source;
    for (const button of document.querySelectorAll("[data-source]")) {
      button.setAttribute("aria-pressed", button.dataset.source === source);
    }
    for (const part of document.querySelectorAll("[data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(source);
    }
    clearInterval(this.timer);
    if (source !== "live") this.audience?.stop();
    await { recorded: () => this.recorded(), live: () => this.live(), sandbox: () => this.typed() }[source]();
  }

  /** A technique, or a variant of it, such as "websocket:binary". */
  choose(name) {
    [this.name, this.mode] = [name, name.split(":")[0]];
  }

  turn(name) {
    this.choose(name);
    this.use(this.source);
  }

  show(exchange, about) {
    $("about").textContent = about;
    $("exchange").className = `exchange ${this.source === "sandbox" ? "websocket" : this.mode}`;
    this.onShown(exchange, this);
    return this.view.show(exchange, this.source === "live");
  }

  async recorded() {
    const { found: { recorded, exchanges }, name } = this;
    exchanges[name] ??= (await ask("/anatomy/recorded", { name }))?.exchanges[0];
    if (this.source !== "recorded" || this.name !== name) return; // the user has chosen another
    if (exchanges[name]) return this.show(exchanges[this.name], _("anatomy.about.recorded", recorded));
  }

  // This room ---------------------------------------------------------------------------------

  async live() {
    $("about").textContent = _("anatomy.about.wait");
    const loaded = ["../lanes/audience.js", "../live.js", "../pace.js"].map((file) => import(file)); // first here
    const [{ Audience }, { on, send }, { pace }] = await Promise.all(loaded);
    if (this.source !== "live") return;
    this.send = send;
    this.stopped ??= [
      on("lanes", (batch) => this.learn(batch)),
      on("followed", () => this.audience.start()),
      on("own", (found) => this.receive(found)),
    ];
    this.audience?.stop();
    this.audience = new Audience({ modes: [this.mode], pace, onState: () => {} });
    send(this.sees ? { type: "lanes" } : { type: "follow", as: this.audience.me });
    if (this.sees) this.audience.start();
    this.timer = setInterval(() => document.hidden || this.look(), AGAIN_MS);
  }

  /** The newest request in each lane that brought a message, for the teacher. */
  learn({ facts, open }) {
    for (const { lane, from, empty } of facts) if (from !== undefined && !empty) this.bars[lane] = from;
    for (const [lane, from] of Object.entries(open)) if (this.isStream(lane)) this.bars[lane] = from;
  }

  isStream(mode) {
    return this.found.exchanges[mode].verb === "stream";
  }

  /** Ask for the newest bytes: a student's own, the teacher's of all. */
  async look() {
    if (!this.sees) return this.send({ type: "own", lane: this.mode }, false);
    const from = this.bars[this.mode];
    if (from !== undefined) this.receive(await ask("/wire", { lane: this.mode, from }));
  }

  receive(found) {
    const hasMessage = found?.units?.some(({ came, fields }) => !came && fields.some(({ part }) => part === "payload"));
    if (this.source !== "live" || !hasMessage || (found.lane ?? this.mode) !== this.mode) return;
    const size = JSON.stringify([found.parts, found.left_out]);
    if (size !== this.shown) this.show(found, _("anatomy.about.live", { n: number(found.left_out) }));
    this.shown = size;
  }

  /** Send a message to the room by the shown technique, on its open connection if that can send. */
  async say(event) {
    event.preventDefault();
    const box = $("live-send").elements.body;
    const message = { mid: uuid4(), username: _("anatomy.username"), body: box.value };
    await this.audience.send(this.mode, message).then(
      () => (box.value = ""),
      (error) => ($("about").textContent = _("compare.failed", { reason: error.message })),
    );
  }

  // The sandbox -------------------------------------------------------------------------------

  type(digits) {
    $("hex").value = digits;
    this.typed();
  }

  async typed() {
    const text = $("hex").value;
    const data = fromHex(text) ?? new TextEncoder().encode(text.replace(/\r?\n/g, "\r\n"));
    if (!data.length) return this.show({ parts: [], units: [] }, _("anatomy.about.sandbox"));
    if (data.length > MOST_BYTES) return ($("about").textContent = _("anatomy.about.long"));
    const digits = hex(data).replaceAll(" ", "");
    const found = await ask("/anatomy/dissect", { bytes: digits });
    if (this.source !== "sandbox" || $("hex").value !== text) return; // an answer to what stood here before
    if (!found) return ($("about").textContent = _("state.retrying"));
    const link = new URL(location);
    link.hash = digits;
    history.replaceState(null, "", link);
    this.show(found, _("anatomy.about.sandbox"));
  }
}
