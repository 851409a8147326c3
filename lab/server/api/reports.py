"""Reports for programs: the kept messages, the meters in two formats, and the health of the lab."""

import asyncio
import os
import platform
import time

import tornado

from lab.json_types import JsonObject
from lab.meters import Meter
from lab.room.messages import compact
from lab.server.connections.segments import REPORTED
from lab.server.lesson.health import problems
from lab.techniques import polling
from lab.techniques.context import Context
from lab.techniques.endpoint import Endpoint
from lab.version import __version__


class HistoryReport(Endpoint):
    """The kept messages."""

    def get(self) -> None:
        """Send all kept messages, as a poll without a cursor gets them."""
        self.finish(polling.frame(self.room.ask(None)))


class MetersReport(Endpoint):
    """The meters as JSON."""

    def get(self) -> None:
        """Send all meters, up to this moment."""
        self.settings["lesson"].credit()
        self.finish(compact(self.context.meters.as_json()))


class SegmentsReport(Endpoint):
    """The TCP segments of each technique."""

    def get(self) -> None:
        """Send how many came in and went out for receiving, and the bytes of their headers.

        Null where the system does not report them. Of a connection's end nothing is known.
        """
        self.settings["lesson"].credit_segments()
        techniques = self.context.meters.techniques.items()
        self.finish(compact({mode: segments_of(both.receive) for mode, both in techniques}))


def segments_of(meter: Meter) -> JsonObject | None:
    """The TCP segments of one meter in the report's shape."""
    came, sent, head_bytes = meter.segments
    return {"in": came, "out": sent, "head_bytes": head_bytes} if REPORTED else None


class Metrics(Endpoint):
    """The meters for Prometheus."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def get(self) -> None:
        """Send the meters in the text format."""
        from lab.server.api.metrics import exposition  # only this report needs the package of Prometheus

        self.settings["lesson"].credit()
        self.finish(exposition(self.context))


class Healthz(Endpoint):
    """Whether the event loop works: it does when this responds."""

    def get(self) -> None:
        """Send this process's versions, usage and open resources, which return to their start values without
        clients."""
        spent = {"cpu_s": time.process_time(), "rss_bytes": resident_bytes()}
        held = {"tasks": len(asyncio.all_tasks()), "files": open_files(), "readers": self.room.readers}
        self.finish(compact({"ok": True, "versions": versions(self.context), "process": spent | held}))


class Readyz(Endpoint):
    """Whether the lab can work."""

    def get(self) -> None:
        """Respond 200 when it can; 503 with the reasons when it cannot."""
        found = [problem for problem in problems(self.context) if problem.vital]
        reasons = list(dict.fromkeys(problem.code for problem in found))
        self.set_status(503 if found else 200)
        details = [problem.message for problem in found]
        self.finish(compact({"ready": not found, "reasons": reasons, "details": details}))


def versions(context: Context) -> dict[str, str]:
    """The versions of the lab and its parts."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "tornado": tornado.version,
        "redis": context.backend,
        "platform": platform.platform(),
    }


def open_files() -> int | None:
    """The files and sockets that this process has open; None where the system does not report it."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def resident_bytes() -> int | None:
    """The memory that this process has in use; None where the system does not report it."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, AttributeError):
        return None
