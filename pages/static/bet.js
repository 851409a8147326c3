/**
 * The vote on every page: while it is open, a button per technique on pages that may vote; then the bars of the
 * measured bytes, which grow as messages are delivered.
 */

import { _, bytes, number } from "./i18n.js";

/** Show the vote in `section`; `vote(mode)` sends a vote; without it there are no buttons. */
export function betPanel(section, vote = null) {
  const state = section.querySelector("[role=status]");
  const lines = new Map(Array.from(section.querySelectorAll("[data-bet]"), (line) => [line.dataset.bet, line]));
  let mine = null;
  let shown = null;

  for (const [mode, line] of lines) {
    line.querySelector("button").addEventListener("click", () => {
      mine = mode;
      vote(mode);
      for (const [other, { firstElementChild }] of lines) firstElementChild.ariaPressed = String(other === mode);
    });
  }

  function show(bet) {
    section.hidden = bet.state === "closed";
    section.dataset.state = bet.state;
    if (bet.state === "open" && shown !== "open") mine = null;
    shown = bet.state;
    const asks = bet.state === "open" && Boolean(vote);
    for (const [mode, line] of lines) {
      line.querySelector(".guess").hidden = !asks;
      if (!mine) line.querySelector(".guess").ariaPressed = "false";
      for (const part of line.querySelectorAll(".name, .votes, progress, .truth")) part.hidden = asks || !bet.truth;
      if (bet.truth) showTruth(line, bet, mode);
    }
    showText(words(bet));
  }

  function showTruth(line, { truth, votes }, mode) {
    const most = Math.max(...Object.values(truth));
    line.querySelector("progress").value = most ? truth[mode] / most : 0;
    line.querySelector(".truth").textContent = truth[mode] === null ? _("lab.unmeasured") : bytes(truth[mode]);
    line.querySelector(".truth").classList.toggle("unmeasured", truth[mode] === null);
    line.querySelector(".votes").textContent = _("bet.votes", { n: number(votes[mode]) });
  }

  function words({ state: now, voters, truth }) {
    if (now === "open") return _(mine ? "bet.thanks" : vote ? "bet.choose" : "bet.open", { n: number(voters) });
    if (!truth || Object.values(truth).every((value) => value === null)) return _("bet.counting");
    const [winner] = Object.entries(truth).sort(([, one], [, other]) => other - one)[0];
    const verdict = !mine ? "bet.leads" : mine === winner ? "bet.right" : "bet.wrong";
    return _(verdict, { title: _(`title.${winner}`), mine: _(`title.${mine}`) });
  }

  function showText(text) {
    if (state.textContent !== text) state.textContent = text;
  }

  return show;
}
