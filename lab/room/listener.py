"""A listener of the room, which is one client or many; when one fails, the others are still notified."""

import logging
from contextlib import suppress
from typing import Protocol

from lab.room.messages import Batch
from lab.room.tasks import in_a_line

MISSED_RETRY_MS = (0, 500)
"""Clients of a listener that failed reconnect within this time, and receive what they missed."""

logger = logging.getLogger("pushlab")


class Listener(Protocol):
    """One client or many that receive every event: the room calls `notify` when new events arrive."""

    def __len__(self) -> int: ...

    def notify(self, batch: Batch) -> None:
        """Receive the events since the last call."""

    def send_bye(self, retry_ms: tuple[int, int]) -> None:
        """The server closes: reconnect after a random time in these bounds (ms)."""


def notify(listener: Listener, batch: Batch) -> None:
    """Notify one listener. If it fails, the others are still notified, and its clients reconnect."""
    try:
        listener.notify(batch)
    except Exception as error:
        logger.error("A listener failed, so its clients must reconnect: %s.", in_a_line(error))
        logger.debug("The listener failed here:", exc_info=error)
        with suppress(Exception):
            listener.send_bye(MISSED_RETRY_MS)
