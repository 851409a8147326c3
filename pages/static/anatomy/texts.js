/**
 * The texts about bytes: names of units and fields, and one sentence for each field. Loaded when bytes are first shown.
 */

import { _, add } from "../i18n.js";
import { ask } from "./ask.js";

let loading = null;

/** Load the texts in the page's language; resolves when `_` knows them. */
export function texts() {
  const lang = document.documentElement.lang;
  loading ??= ask("/anatomy/texts", { lang }).then((found) => (found ? add(found) : (loading = null)));
  return loading;
}

/** The name of a unit's kind: "text frame"; a kind without a name shows itself. */
export function kindName(kind) {
  const key = `anatomy.kind.${kind}`;
  const found = _(key);
  return found === key ? kind : found;
}
