/**
 * A question to the class, on every page that shows one: while it is open, buttons or a slider on pages that may answer;
 * then the answers, and among them what was measured, with a sentence why. It may belong to a guided lesson.
 */

import { kept, keep } from "./frame.js";
import { _, number } from "./i18n.js";
import { numberPanel } from "./number.js";
import { uuid4 } from "./user.js";
import { sentence, written } from "./written.js";

const [VOTER, GUESS] = ["pushlab-voter", "pushlab-guess"]; // kept per tab, so that a reload is no second user
const [step, ask, conditions, why] = ["bet-step", "bet-ask", "bet-conditions", "bet-why"].map((id) =>
  document.getElementById(id),
);

/** The id under which this tab answers. */
function voter() {
  const id = kept("sessionStorage", VOTER) ?? uuid4();
  keep("sessionStorage", VOTER, id);
  return id;
}

/** What this tab has answered: the number of the question, and the guess. */
function remembered() {
  try {
    return { ...JSON.parse(kept("sessionStorage", GUESS)) };
  } catch {
    return {};
  }
}

/** Show the question in `section`; `vote(answer)` sends an answer; without it there is nothing to answer with. */
export function betPanel(section, vote = null) {
  const state = section.querySelector("[role=status]");
  const lines = new Map(Array.from(section.querySelectorAll("[data-bet]"), (line) => [line.dataset.bet, line]));
  const client = voter();
  let own = remembered();
  let now = { state: "closed" };
  let leads = ""; // the page on which the answer can be seen
  const showNumber = numberPanel(vote && ((value) => answer(value, { value })));

  function answer(guess, fields) {
    own = { number: now.number, guess };
    keep("sessionStorage", GUESS, JSON.stringify(own));
    vote({ client, number: now.number, ...fields });
    show(now);
  }

  for (const [mode, line] of lines) line.querySelector("button").addEventListener("click", () => answer(mode, { mode }));

  /** The answer of this tab; null without one. */
  const mine = () => (own.number === now.number ? own.guess : null);

  function show(bet, lesson) {
    now = bet;
    section.hidden = bet.state === "closed";
    section.dataset.state = bet.state;
    if (lesson) showLesson(lesson);
    if (section.hidden) return;
    write(ask, _(`lesson.ask.${bet.question.name}`));
    showTechniques(bet, bet.question.kind === "technique");
    showNumber(bet, mine());
    write(state, words(bet));
    write(why, bet.why.map(sentence).join(" "));
  }

  function showLesson({ number: place, of, step: name, link, conditions: plan }) {
    leads = link;
    step.hidden = !place || now.by_hand;
    if (place) write(step, _("lesson.show.step", { n: number(place), of: number(of), title: _(`lesson.title.${name}`) }));
    conditions.hidden = !plan;
    if (plan) write(conditions, sentence({ key: `lesson.show.conditions${plan.rtt_ms ? "_far" : ""}`, values: amounts(plan) }));
    for (const one of section.querySelectorAll("[data-link]")) one.hidden = one.dataset.link !== link || now.by_hand;
  }

  function showTechniques(bet, asksTechnique) {
    const asks = bet.state === "open" && Boolean(vote);
    const most = asksTechnique && bet.truth ? greatest(bet.truth) : null;
    for (const [mode, line] of lines) {
      line.hidden = !asksTechnique;
      line.querySelector(".guess").hidden = !asks;
      line.querySelector(".guess").ariaPressed = String(mine() === mode);
      for (const part of line.querySelectorAll(".name, .votes, progress")) part.hidden = asks || !bet.votes;
      line.querySelector(".truth").hidden = asks || !bet.votes || !bet.truth;
      line.toggleAttribute("data-most", mode === most && bet.state === "measured");
      if (bet.votes) showBar(line, bet, mode);
    }
  }

  function showBar(line, { truth, votes, voters, question }, mode) {
    const [amounts, most] = truth ? [truth, Math.max(...Object.values(truth))] : [votes, voters];
    line.querySelector("progress").value = most ? amounts[mode] / most : 0;
    line.querySelector(".votes").textContent = _("bet.votes", { n: number(votes[mode]) });
    if (!truth) return;
    line.querySelector(".truth").textContent = truth[mode] === null ? _("lab.unmeasured") : written(truth[mode], question.unit);
    line.querySelector(".truth").classList.toggle("unmeasured", truth[mode] === null);
  }

  function words(bet) {
    const [values, isNumber] = [{ n: number(bet.voters) }, bet.question.kind === "number"];
    if (bet.state === "open") return _(mine() !== null ? "bet.thanks" : vote ? (isNumber ? "bet.guess" : "bet.choose") : "bet.open", values);
    if (bet.left_s !== null) return _("lesson.show.counting", { left: number(bet.left_s) });
    if (isNumber) return aboutNumber(bet);
    if (bet.why.length && !bet.question.measured) return _("bet.votes", values);
    if (!bet.question.measured) return _(leads && !bet.by_hand ? "lesson.show.look" : "lesson.show.opinions", values);
    return aboutTechnique(bet);
  }

  function aboutTechnique({ truth, state: stands }) {
    const winner = greatest(truth);
    if (!winner) return _(stands === "measured" ? "lesson.show.unmeasured" : "bet.counting");
    const verdict = mine() === null ? "leads" : mine() === winner ? "right" : "wrong";
    const key = stands === "measured" ? `lesson.show.${verdict}` : `bet.${verdict}`;
    return _(key, { title: _(`title.${winner}`), mine: _(`title.${mine()}`) });
  }

  function aboutNumber({ truth, median, right, voters, question: { unit, measured } }) {
    if (truth === null) return _("lesson.show.unmeasured");
    const values = { truth: written(truth, unit), median: written(median, unit), right: number(right), n: number(voters) };
    const text = _(!measured ? "lesson.show.answer" : voters ? "lesson.show.truth" : "lesson.show.truth_alone", values);
    return mine() === null ? text : `${text} ${compared(mine(), truth, unit)}`;
  }

  return show;
}

/** How far a guess is from the right number. */
function compared(guess, truth, unit) {
  const factor = Math.max(guess / truth, truth / guess);
  const values = { guess: written(guess, unit), factor: number(factor) };
  return _(factor < 1.1 ? "lesson.show.close" : guess > truth ? "lesson.show.high" : "lesson.show.low", values);
}

/** The key of the greatest value that was measured; null without one. */
function greatest(values) {
  const known = Object.entries(values).filter(([, value]) => value !== null);
  return known.sort(([, one], [, other]) => other - one)[0]?.[0] ?? null;
}

function amounts({ clients, rate, interval, rtt_ms }) {
  return { clients, rate, interval_s: interval, rtt_s: rtt_ms / 1000 };
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
