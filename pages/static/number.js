/**
 * A question whose answer is a number: a slider on a logarithmic scale, and then the histogram of the class's guesses,
 * in which the measured number is a line.
 */

import { element } from "./anatomy/dom.js";
import { _, number } from "./i18n.js";
import { written } from "./written.js";

const [form, value, range, histogram] = ["number", "number-value", "number-range", "histogram"].map((id) =>
  document.getElementById(id),
);
const [columns, axis] = [".columns", ".axis"].map((part) => histogram.querySelector(part));
const DIGITS = 2; // a guess has no more digits than one can guess
let asked = null; // the question that the slider shows

/** Send the guess by `vote(value)`; without it there is no slider. */
export function numberPanel(vote) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    vote(guess());
  });
  range.addEventListener("input", showGuess);
  return (bet, mine) => {
    form.hidden = !vote || bet.state !== "open" || bet.question.kind !== "number";
    histogram.hidden = !bet.columns;
    if (!form.hidden && asked?.number !== bet.number) ask(bet, mine);
    if (bet.columns) showHistogram(bet, mine);
  };
}

function ask(bet, mine) {
  asked = bet;
  range.value = mine === null ? range.max / 2 : range.max * place(mine, bet.question);
  showGuess();
}

/** The number at the slider's place, rounded. */
function guess() {
  const { least, most } = asked.question;
  const exact = least * (most / least) ** (range.value / range.max);
  return Math.min(most, Math.max(least, Number(exact.toPrecision(DIGITS))));
}

function showGuess() {
  range.ariaValueText = value.textContent = written(guess(), asked.question.unit);
}

/** Where a number is on the axis, from 0 to 1. */
function place(amount, { least, most }) {
  return Math.min(1, Math.max(0, Math.log(amount / least) / Math.log(most / least)));
}

function showHistogram({ columns: counts, truth, median, voters, question }, mine) {
  const [most, own] = [Math.max(1, ...counts), mine === null ? -1 : Math.floor(place(mine, question) * counts.length)];
  columns.replaceChildren(...counts.map((count, index) => column(count / most, index === Math.min(own, counts.length - 1))));
  histogram.querySelector(".line")?.remove();
  if (truth !== null) histogram.append(line(truth, question));
  axis.replaceChildren(...ticks(question).map((tick) => mark(tick, question)));
  const values = { n: number(voters), median: written(median, question.unit), truth: written(truth, question.unit) };
  histogram.ariaLabel = _(truth === null ? "lesson.show.guesses" : "lesson.show.guesses_truth", values);
}

function column(height, isMine) {
  const bar = element("i", { "data-mine": isMine });
  bar.style.height = `${100 * height}%`;
  return bar;
}

function line(truth, question) {
  const where = place(truth, question);
  const made = element("div", { class: "line", "data-side": where > 0.5 ? "left" : "right" }, element("b", {}, written(truth, question.unit)));
  made.style.left = `${100 * where}%`;
  return made;
}

/** The powers of ten on the axis. */
function ticks({ least, most }) {
  const [first, last] = [Math.ceil(Math.log10(least) - 1e-9), Math.floor(Math.log10(most) + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_nothing, index) => 10 ** (first + index));
}

function mark(tick, question) {
  const made = element("span", {}, written(tick, question.unit));
  made.style.left = `${100 * place(tick, question)}%`;
  return made;
}
