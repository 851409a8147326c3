/**
 * The page of one technique: shows its last exchange, writes the figure that was measured in this room next to each
 * claim, and shows no claim that the figure contradicts.
 */

import { LastExchange } from "./anatomy/last.js";
import { _, duration, number } from "./i18n.js";
import { figure } from "./lanes/figures.js";
import { write } from "./lanes/tables.js";
import { on, watch } from "./live.js";

const status = document.getElementById("status");
const { technique: mode } = document.getElementById("technique").dataset;
const conditions = document.querySelector("#conditions span") ?? document.createElement("span"); // no claims, no place
const question = document.getElementById("question");
const places = [...document.querySelectorAll("[data-figure]")];

const last = new LastExchange(document.querySelector(".last"), mode);

watch(({ meters, crew, bet }) => {
  question.hidden = bet.state !== "open";
  conditions.textContent = crew.running ? simulated(crew) : "";
  last.follow(meters.techniques[mode]);
  for (const place of places) {
    const name = place.dataset.figure;
    const value = figure(name, meters.techniques[mode]);
    place.classList.toggle("unmeasured", value === null);
    write(place, name, value);
    if (value === null) place.textContent = _("lab.unmeasured");
    judge(place.closest("li"), value);
  }
});

/** Show a claim, or the other text when the meters contradict it; without a measurement show the claim alone. */
function judge(claim, value) {
  if (!claim.dataset.atMost) return;
  const wrong = value !== null && value > Number(claim.dataset.atMost);
  claim.classList.toggle("wrong", wrong);
  claim.querySelector(".claim").hidden = wrong;
  claim.querySelector(".otherwise").hidden = !wrong;
}

/** What the simulated clients do now: the condition under which the figures were measured. */
function simulated({ students, rate, interval }) {
  return _("lesson.show.conditions", { clients: number(students), rate: number(rate), interval_s: duration(interval) });
}

/** A link to a line shows the file that the line is in; sheets.js then scrolls to it. */
function chooseFile() {
  const side = document.getElementById(location.hash.slice(1))?.closest("[data-side]");
  if (side) document.querySelector(`.choice [value=${side.dataset.side}]`).checked = true;
}

addEventListener("hashchange", chooseFile);
chooseFile();

on("status", ({ state }) => {
  status.dataset.status = state;
  status.textContent = _(state === "waiting" ? "state.live" : `state.${state}`);
});
