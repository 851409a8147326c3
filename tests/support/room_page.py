"""The room's page in any engine: what a user does there, and what must be true of it."""

import uuid

from tests.support.browsing import post
from tests.support.engines import ENTER

STATUS = "() => document.querySelector('[data-status]').dataset.status"
IDS = "() => [...document.querySelectorAll('#messages [data-id]')].map((line) => line.dataset.id)"
HAS = "(id) => document.querySelectorAll(`#messages [data-id='${id}']`).length === 1"
HOLDS = """(text) => [...document.querySelectorAll('#messages [data-id] .body')]
    .filter((body) => body.textContent === text).length === 1"""
FOCUS = "() => document.querySelector('form#say [name=body]').focus()"
EMPTY = "() => document.querySelector('form#say [name=body]').value === ''"
CLICK = "(selector) => document.querySelector(selector).click()"


def arrive(engine, address, mode, **query):
    """Open the room by a technique, and wait until it is connected."""
    engine.open(f"{address}/room?mode={mode}" + "".join(f"&{key}={value}" for key, value in query.items()))
    connected(engine)


def connected(engine):
    """Wait until the page receives."""
    engine.until(f"() => ({STATUS})() === 'waiting'")


def receives(engine, address, body=None):
    """A message from elsewhere arrives; returns its id."""
    id_ = post(address, body or f"from elsewhere {uuid.uuid4()}")
    engine.until(HAS, id_)
    return id_


def sends(engine):
    """A message that is typed arrives once, and the box is empty again."""
    text = f"typed {uuid.uuid4()}"
    engine.run(FOCUS)
    engine.type(text + ENTER)
    engine.until(HOLDS, text)
    engine.until(EMPTY)


def switches(engine, mode):
    """Another technique is chosen, and connects."""
    engine.run(CLICK, f"[data-mode={mode}]")
    engine.until("(word) => location.search.includes(`mode=${word}`)", mode)
    connected(engine)
