/**
 * Notes for reading the figures correctly, and a live region that does not interrupt. A view without network.
 */

const BREATH_MS = 15_000; // figures change each second; a screen reader must also read the rest

/** Show whether simulated students are in the figures, and whether the computer is overloaded. */
export function showNotes({ crew, demonstration, strain }, { simulated, strained }) {
  simulated.hidden = !crew.ever && !demonstration.running;
  strained.hidden = !strain.bottleneck;
  document.body.classList.toggle("strained", strain.bottleneck);
}

/** A live region that changes only now and then, or at once on request. */
export class Announcer {
  constructor(place) {
    Object.assign(this, { place, announcedAt: -Infinity });
  }

  announce(words, at, atOnce = false) {
    if (!atOnce && at - this.announcedAt < BREATH_MS) return;
    this.announcedAt = at;
    if (this.place.textContent !== words) this.place.textContent = words;
  }
}
