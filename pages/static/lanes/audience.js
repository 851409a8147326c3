/**
 * The clients that this browser can run, one per technique; in one tab at a time.
 *
 * Four of them hold an HTTP connection, and a browser has six per server: a second tab's would block them all.
 * So the tabs tell each other who listens. While the tab is hidden it does not: a slowed-down client would make
 * its technique look better than it is. Knows no DOM.
 */

import { uuid4 } from "../guest.js";

const CHANNEL = "pushlab-lanes";
const LATEST = "latest"; // a cursor: only what is said from now on

export class Audience {
  /** `onState` is told "off", "here", "elsewhere" (in another tab) or "hidden". */
  constructor({ words, onState, pace }) {
    Object.assign(this, { words, onState, pace, state: "off", lines: [] });
    this.me = uuid4();
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.tell("who");
    addEventListener("pagehide", () => this.stop());
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Listen here, or stop listening here. What another tab does, it stops doing. */
  toggle() {
    if (this.state === "here" || this.state === "hidden") this.stop();
    else this.start();
  }

  start() {
    this.tell("mine");
    this.turn(document.hidden ? "hidden" : "here");
  }

  stop() {
    if (this.state === "here" || this.state === "hidden") this.tell("free");
    this.turn("off");
  }

  look() {
    if (this.state === "here" && document.hidden) this.turn("hidden");
    else if (this.state === "hidden" && !document.hidden) this.turn("here");
  }

  /** What another tab says: it asks who listens, it listens from now on, or it does so no longer. */
  hear({ says, me }) {
    const mine = this.state === "here" || this.state === "hidden";
    if (says === "who" && mine) this.tell("still");
    else if (says === "mine") this.turn("elsewhere");
    else if (says === "still" && !mine) this.turn("elsewhere");
    else if (says === "still" && me < this.me) this.turn("elsewhere"); // both began at once: one gives way
    else if (says === "free" && !mine) this.turn("off");
  }

  tell(says) {
    this.channel.postMessage({ says, me: this.me });
  }

  turn(state) {
    if (state === this.state) return;
    this.state = state;
    for (const line of this.lines) line.close();
    this.lines = [];
    if (state === "here") this.connect();
    this.onState(state);
  }

  async connect() {
    const techniques = await Promise.all(this.words.map((word) => import(`../techniques/${word}.js`)));
    if (this.state !== "here") return;
    const nothing = () => {}; // the picture shows what the server saw; nobody reads the messages here
    // Without a client id nobody counts them among the people; by the name their lanes know them again.
    const how = { after: LATEST, onEvents: nothing, onStatus: nothing, username: this.me, pace: this.pace };
    this.lines = techniques.map(({ connect }) => connect(how));
  }
}
