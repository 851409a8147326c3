/**
 * The page of one technique: writes beside each claim the figure that was measured in this room.
 */

import { _ } from "./i18n.js";
import { figure } from "./lanes/figures.js";
import { write } from "./lanes/tables.js";
import { on, watch } from "./live.js";

const status = document.getElementById("status");
const { technique: word } = document.getElementById("technique").dataset;
const places = [...document.querySelectorAll("[data-figure]")];

watch(({ meters }) => {
  for (const place of places) {
    const name = place.dataset.figure;
    const value = figure(name, meters.techniques[word]);
    place.classList.toggle("unmeasured", value === null);
    write(place, name, value);
    if (value === null) place.textContent = _("lab.unmeasured");
  }
});

on("status", ({ state }) => {
  status.dataset.status = state;
  status.textContent = _(state === "waiting" ? "state.live" : `state.${state}`);
});
