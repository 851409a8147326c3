"""Answer whole polls while Tornado waits for the next head: which requests, by which handlers."""

import logging
from collections.abc import Iterable
from typing import Any

import tornado.log
from tornado.web import Application

from lab.catalogue import TECHNIQUES, server_side
from lab.server.connections import base_path, polls
from lab.server.connections.metered_stream import MeteredStream
from lab.settings import AUTO
from lab.techniques.context import Context
from lab.techniques.endpoint import Endpoint
from lab.techniques.quick_poll import QuickPoll

OWN = ("is_send", "initialize", "prepare", "answer", "finish", "flush", "set_status")
"""Methods that a quick handler replaces or leaves out; a technique with its own is always Tornado's."""


class QuickPolls:
    """The polls that the lab answers without making all that Tornado makes for any request."""

    def __init__(self, application: Application, context: Context) -> None:
        self.application = application
        self.context = context
        base = context.settings.base
        self.base = "/" if base == AUTO else base
        modes = [mode for mode, technique in TECHNIQUES.items() if technique.verb != "stream"]
        routes = [route for mode in modes for route in server_side(mode).ROUTES]
        self.handlers = dict(quick_handlers(routes))

    def begins(self, stream: MeteredStream, data: bytes) -> bool:
        """Answer these bytes, or begin to, when they are a whole poll that needs nothing else."""
        asked = polls.recognised(data)
        if asked is None:
            return False
        path = base_path.without(self.base, asked.path)
        handler = self.handlers.get(path)
        if handler is None or not self.context.answers_to(asked.host_name) or self._is_unusual(stream):
            return False
        poll = handler(self.application, self.context, stream, asked, path)
        if not poll.can_begin():
            return False
        stream.poll_begins(poll, data)
        poll.begin()
        return True

    def _is_unusual(self, stream: MeteredStream) -> bool:
        over = self.context.draining or stream.over_limit or stream.last
        return over or tornado.log.access_log.isEnabledFor(logging.DEBUG)


def quick_handlers(routes: Iterable[tuple[str, type[Endpoint]]]) -> Iterable[tuple[str, Any]]:
    """A quick handler for the path of each handler that receives and changes nothing of what is left out."""
    for path, handler in routes:
        if all(getattr(handler, name, None) is getattr(Endpoint, name, None) for name in OWN):
            yield path, type(f"Quick{handler.__name__}", (QuickPoll, handler), {})
