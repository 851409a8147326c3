/**
 * The text field for a message to all lanes. A view: it gets the function that sends.
 */

import { uuid4 } from "../user.js";
import { _ } from "../i18n.js";

/** Let the form send by `send({mid, username, body})`; `onFailed` gets the reason, or null on success. */
export function bindForm(form, send, onFailed) {
  let draft = null; // kept when sending fails, so that a second try has the same mid
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const box = form.elements.body;
    if (!box.value.trim()) return;
    if (draft?.body !== box.value) draft = { mid: uuid4(), username: _("compare.username"), body: box.value };
    try {
      await send(draft);
      [box.value, draft] = ["", null];
      onFailed(null);
    } catch (error) {
      onFailed(error.message);
    }
  });
}
