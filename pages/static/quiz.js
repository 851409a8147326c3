/**
 * Quiz cards: the user predicts, and then the card shows the value that was measured in this room. The right answer is
 * computed from the meters at that moment; without a measurement the card says what to do, and waits.
 */

import { _, number, share } from "./i18n.js";
import { figure } from "./lanes/figures.js";
import { watch } from "./live.js";

const VALUES = {
  overhead: (meters) => rest(figure("useful", meters)),
  requests: (meters) => tenfold(figure("requests_per_message", meters)),
};
const WRITTEN = { overhead: (value) => share(value, 1), requests: (value) => number(value) };
const pairs = [...document.querySelectorAll("[data-quiz]")];
const links = [...document.querySelectorAll("#quiz .switch a")];
const cards = [];
let techniques = null;

const rest = (part) => (part === null ? null : 1 - part);
const tenfold = (value) => (value === null ? null : 10 * value);

/** One card: its place on the page, its technique and its question. */
class Card {
  constructor(place, { quiz: mode, verb }) {
    const { question, starts } = place.dataset;
    Object.assign(this, { place, mode, verb, question, starts: starts.split(" ").map(Number), guess: null });
    this.buttons = [...place.querySelectorAll("button")];
    for (const button of this.buttons) button.addEventListener("click", () => this.choose(Number(button.value)));
  }

  choose(guess) {
    this.guess = guess;
    for (const button of this.buttons) button.ariaPressed = String(Number(button.value) === guess);
    this.waits = true;
    this.judge();
  }

  /** Compare the guess with the meters of this moment. */
  judge() {
    if (!this.waits || !techniques) return;
    const meters = techniques[this.mode];
    const value = meters.receive.messages ? VALUES[this.question](meters) : null;
    this.waits = value === null;
    this.show(value, value === null ? "waits" : this.range(value) === this.guess ? "right" : "wrong");
  }

  /** In which range a value is: before how many starts it is not. */
  range(value) {
    return this.starts.filter((start) => value >= start).length;
  }

  show(value, verdict) {
    const title = _(`title.${this.mode}`);
    const status = this.place.querySelector("[role=status]");
    const words = value === null ? _("quiz.unmeasured", { title }) : this.words(value, verdict);
    if (status.textContent !== words) status.textContent = words;
    status.dataset.verdict = verdict;
    this.place.querySelector(".to-room").hidden = value !== null;
  }

  words(value, verdict) {
    const range = _(`quiz.${this.question}.range.${this.range(value)}`);
    const reason = _(`quiz.why.${this.question}.${this.verb}`);
    return _(`quiz.${verdict}`, { value: WRITTEN[this.question](value), range, reason });
  }
}

for (const pair of pairs) {
  for (const place of pair.querySelectorAll("[data-question]")) cards.push(new Card(place, pair.dataset));
}

/** Show the two cards of the technique in the address. */
function open() {
  const wanted = pairs.find(({ id }) => `#${id}` === location.hash);
  if (!wanted) return;
  for (const pair of pairs) pair.hidden = pair !== wanted;
  for (const link of links) link.setAttribute("aria-current", link.hash === location.hash);
}

addEventListener("hashchange", open);
open();

watch(({ meters }) => {
  techniques = meters.techniques;
  for (const card of cards) card.judge();
});
