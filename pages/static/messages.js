/**
 * The list of messages: each once, in order, and a line where some are missing. Knows no network.
 */

import { followed } from "./follow.js";
import { _, duration, number } from "./i18n.js";

const KEPT = 1000; // lines; the server keeps 100 messages, a page may look back further
const NAMED = 3; // names of new users in one line; of more only the number is shown
const CLOCK = new Intl.DateTimeFormat(document.documentElement.lang, {
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});

/** Whether message `id` is after the cursor: in one history numbers only rise; in another one all are new. */
export function isNews(id, cursor) {
  const [[epoch, n], [lastEpoch, last]] = [id, cursor ?? "0-0"].map((text) => text.split("-").map(Number));
  return epoch !== lastEpoch || n > last;
}

/**
 * Show events in `list`, an <ol> inside a box that scrolls. `delay(time)` returns how long after its `time` a message
 * arrived, as `{seconds, bound}`, or null if unknown; `openBytes(mid)` a function that shows the bytes of this message,
 * or null where they cannot be shown. Returns `{show, company, cursor, follow}`.
 */
export function messageList(list, delay = () => null, openBytes = () => null) {
  const { change, follow } = followed(list, list.parentElement);
  let before = new Map(); // mid -> its line, from a history that is gone
  let cursor = null;

  function show(events) {
    change(() => {
      for (const event of events) shown[event.type]?.(event);
      while (list.children.length > KEPT) list.firstElementChild.remove();
    });
  }

  const shown = {
    message({ id, mid, username, body, time }) {
      if (!isNews(id, cursor)) return;
      cursor = id;
      before.get(mid)?.remove(); // it has moved into the new history
      const line = element("li", "message", [
        element("b", "name", [element("bdi", "", username)]),
        delivery(delay(time)),
        element("time", "", CLOCK.format(time * 1000)),
        Object.assign(element("span", "body", body), { dir: "auto" }),
      ]);
      const open = openBytes(mid);
      if (open) line.append(bytesButton(open));
      Object.assign(line.dataset, { id, mid });
      list.append(line);
    },
    gap({ missed }) {
      notice(missed === 1 ? _("room.missed_one") : _("room.missed", { n: number(missed) }));
    },
    reset({ id }) {
      cursor = id;
      before = new Map(Array.from(list.querySelectorAll("[data-mid]"), (line) => [line.dataset.mid, line]));
      notice(_("room.reset"));
    },
  };

  function notice(text) {
    list.append(element("li", "notice", text));
  }

  /** Show users that joined or left; further changes at once go into the same line. */
  function company({ came, left }) {
    if (!came.length && !left.length) return;
    change(() => {
      let line = list.lastElementChild;
      if (!line?.matches(".company")) list.append((line = element("li", "company", "")));
      line.came = [...(line.came ?? []), ...came];
      line.left = [...(line.left ?? []), ...left];
      const parts = [names("room.came", line.came), names("room.left", line.left)];
      line.textContent = parts.filter(Boolean).join(" · ");
    });
  }

  return { show, company, follow, cursor: () => cursor };
}

function names(key, people) {
  if (!people.length) return "";
  if (people.length > NAMED) return _(`${key}_many`, { n: number(people.length) });
  return _(key, { names: people });
}

function delivery(known) {
  if (!known) return element("span", "delivery", "");
  const { seconds, bound } = known;
  const within = seconds <= bound; // shorter than the clocks of two machines can be compared
  const text = _(within ? "room.within" : "room.after", { n: duration(within ? bound : seconds) });
  return Object.assign(element("span", "delivery", text), { title: _("room.bound", { n: duration(bound) }) });
}

function bytesButton(open) {
  const button = Object.assign(element("button", "quiet bytes", _("room.bytes")), { type: "button", onclick: open });
  return Object.assign(button, { title: _("room.bytes_title"), ariaLabel: _("room.bytes_title") });
}

/** An element with a class and with text or children; text is never read as HTML. */
function element(tag, className, content) {
  const made = document.createElement(tag);
  made.className = className;
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  return made;
}
