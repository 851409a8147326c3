/**
 * What must be known to read the figures rightly, and a voice that does not interrupt. A view without network.
 */

const BREATH_MS = 15_000; // figures change each second; whoever is read to wants to hear something else as well

/** Say whether simulated students are in the figures, and whether the laptop is too busy to be trusted. */
export function showNotes({ crew, strain }, { simulated, strained }) {
  simulated.hidden = !crew.ever;
  strained.hidden = !strain.bottleneck;
  document.body.classList.toggle("strained", strain.bottleneck);
}

/** A live region that speaks now and then, and at once when it is told to. */
export class Voice {
  constructor(place) {
    Object.assign(this, { place, spoke: -Infinity });
  }

  say(words, at, atOnce = false) {
    if (!atOnce && at - this.spoke < BREATH_MS) return;
    this.spoke = at;
    if (this.place.textContent !== words) this.place.textContent = words;
  }
}
