/**
 * The clients that this browser can run, one per technique; in one tab at a time.
 *
 * A browser opens at most six HTTP/1.1 connections to one server, and most techniques hold one. At most four are held
 * here, so that two stay free for sending and loading. The rule: in the order of the catalogue, a technique
 * listens if its connections still fit; one that does not fit rests. A second tab would block them all, so the tabs
 * send each other which one listens. A hidden tab does not listen, because its timers are slow and its figures would be
 * wrong. Knows no DOM.
 */

import { uuid4 } from "../user.js";

const CHANNEL = "pushlab-lanes";
const LATEST = "latest"; // a cursor: only new messages
const MOST_HELD = 4; // of the browser's six connections

/** Which techniques rest because four connections are held already: `{mode: how many it holds}` in order. */
export function resting(holds) {
  let held = 0;
  const fits = (count) => held + count <= MOST_HELD && ((held += count), true);
  return Object.keys(holds).filter((mode) => !fits(holds[mode]));
}

export class Audience {
  /** `onState` is called with "off", "here", "elsewhere" (in another tab) or "hidden", and which techniques rest. */
  constructor({ modes, onState, pace }) {
    Object.assign(this, { modes, onState, pace, state: "off", lines: [], listening: [], rest: [] });
    this.me = uuid4();
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.onmessage = ({ data }) => this.receive(data);
    this.post("who");
    addEventListener("pagehide", () => this.stop());
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Listen here, or stop listening here. Another tab that listens stops. */
  toggle() {
    if (this.state === "here" || this.state === "hidden") this.stop();
    else this.start();
  }

  start() {
    this.post("mine");
    this.turn(document.hidden ? "hidden" : "here");
  }

  stop() {
    if (this.state === "here" || this.state === "hidden") this.post("free");
    this.turn("off");
  }

  look() {
    if (this.state === "here" && document.hidden) this.turn("hidden");
    else if (this.state === "hidden" && !document.hidden) this.turn("here");
  }

  /** A message of another tab: it asks which tab listens, starts to listen, or stops. */
  receive({ type, me }) {
    const mine = this.state === "here" || this.state === "hidden";
    if (type === "who" && mine) this.post("still");
    else if (type === "mine") this.turn("elsewhere");
    else if (type === "still" && !mine) this.turn("elsewhere");
    else if (type === "still" && me < this.me) this.turn("elsewhere"); // both began at once: one stops
    else if (type === "free" && !mine) this.turn("off");
  }

  post(type) {
    this.channel.postMessage({ type, me: this.me });
  }

  turn(state) {
    if (state === this.state) return;
    this.state = state;
    for (const line of this.lines) line.close();
    [this.lines, this.listening, this.rest] = [[], [], []];
    if (state === "here") this.connect();
    this.onState(state, this.rest);
  }

  /** Send a message by a technique: on its connection if it listens here, else as a client that only sends. */
  async send(mode, message) {
    const line = this.lines[this.listening.indexOf(mode)] ?? (await import(`../techniques/${mode}.js`));
    return line.send(message);
  }

  async connect() {
    const techniques = await Promise.all(this.modes.map((mode) => import(`../techniques/${mode}.js`)));
    if (this.state !== "here") return;
    this.rest = resting(Object.fromEntries(this.modes.map((mode, i) => [mode, techniques[i].HOLDS ?? 1])));
    this.onState(this.state, this.rest);
    const nothing = () => {}; // the picture uses the server's facts; the messages are not needed here
    // Without a client id presence does not count them as users; the lanes recognise them by the username.
    const how = { after: LATEST, onEvents: nothing, onStatus: nothing, username: this.me, pace: this.pace };
    const listens = (_, i) => !this.rest.includes(this.modes[i]);
    this.listening = this.modes.filter(listens);
    this.lines = techniques.filter(listens).map(({ connect }) => connect(how));
  }
}
