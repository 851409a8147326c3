/**
 * What the results of the checks say about a network: its faults, what works all the same, and one sentence.
 */

import { _ } from "./i18n.js";

/** The faults of the network, by the names under which they are reported. */
export function faultsOf({ upgrade, first, apart, silence, head, seventh, lines }) {
  const buffers = first.ok === false || apart.ok === false;
  const found = {
    upgrade: upgrade.ok === false,
    buffers,
    lines: lines.ok === false && lines.why !== "broken" && !buffers,
    silence: silence.ok === false || Boolean(upgrade.cut && upgrade.ok),
    head: head.ok === false,
    connections: Boolean(seventh.refused),
  };
  return Object.keys(found).filter((fault) => found[fault]);
}

/** The techniques that work, of `needs` with what each needs. */
export function working(needs, { upgrade, first, apart, silence, lines }) {
  const works = {
    upgrade: upgrade.ok && !upgrade.cut,
    events: first.ok && apart.ok && silence.ok,
    lines: lines.ok && silence.ok,
    silence: silence.ok,
    requests: true,
  };
  return Object.keys(needs).filter((mode) => works[needs[mode]]);
}

/** Whether nothing at all came back. */
export function unreachable({ upgrade, first, head, lines }) {
  return [upgrade, first, head, lines].every(({ ok }) => ok === false);
}

/** One sentence. */
export function sentence(needs, results) {
  if (unreachable(results)) return _("doctor.unreachable");
  const parts = faultsOf(results).map((fault) => _(`doctor.fault.${fault}`));
  if (!parts.length) return _("doctor.all");
  const titles = working(needs, results).map((mode) => _(`title.${mode}`));
  return _(titles.length > 1 ? "doctor.some" : "doctor.one", { parts, titles });
}
