/**
 * The box to write in. What fails stays in it, with the reason; sent again it keeps its mid, and cannot double.
 */

import { _ } from "./i18n.js";
import { uuid4 } from "./guest.js";

const PATIENCE_MS = 10_000; // a send without an answer for so long has failed, as far as one can tell

/** Make `form` send by `send({mid, username, body})`, as whoever `name()` says. */
export function sayingForm(form, reason, name, send) {
  let draft = null; // the message being sent, or whose sending failed
  const [box, button] = [form.elements.body, form.elements.send];

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    if (draft?.body !== box.value) draft = { mid: uuid4(), body: box.value };
    button.disabled = true;
    try {
      await Promise.race([send({ ...draft, username: name() }), late()]);
      if (box.value === draft.body) box.value = "";
      draft = null;
      show("");
    } catch (error) {
      show(`${why(error)} ${_(`room.stored_${error.stored}`)}`, _("room.again"));
    }
    button.disabled = false;
  });

  box.addEventListener("input", () => show(""));

  function show(text, next = _("room.send")) {
    reason.textContent = text;
    button.textContent = next;
  }
}

/** The reason in the reader's language; one that no catalogue knows is said as the server said it. */
function why({ code, message }) {
  const text = _(`room.error_${code}`);
  return text.startsWith("room.") ? message : text;
}

function late() {
  const error = Object.assign(new Error(), { code: "late", stored: "unknown" });
  return new Promise((_resolve, reject) => setTimeout(reject, PATIENCE_MS, error));
}
