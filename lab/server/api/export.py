"""Export of the meters: JSON, CSV and a figure; each states whether simulated students were counted."""

import asyncio
import csv
import io
import time
from collections.abc import Iterator
from contextlib import suppress

from lab.json_types import JsonObject
from lab.meters import COUNTERS
from lab.room.messages import compact
from lab.server.api.reports import versions
from lab.server.api.teacher import ForTeacher

TIMES = ("count", "mean", "p50", "p95", "p99", "max")
COLUMNS = ("mode", "direction", "simulated", *COUNTERS, *(f"delivery_{name}_s" for name in TIMES))


class Export(ForTeacher):
    """The lesson so far, as a file."""

    ending = ""

    async def get(self) -> None:
        """Bring the meters up to date and send the file."""
        self.lesson.credit()
        contents = await self.contents()
        self.set_header("Content-Disposition", f'attachment; filename="pushlab-meters.{self.ending}"')
        self.finish(contents)

    async def contents(self) -> bytes:
        """The content of the file."""
        raise NotImplementedError

    def everything(self) -> bytes:
        """The lesson as one JSON object, with the conditions under which it was counted."""
        crew = self.lesson.simulated.as_json()
        return compact(
            {
                "schema": "pushlab.lesson/1",
                "lab": versions(self.context),
                "taken": time.time(),
                "simulated": crew["ever"],
                "crew": crew,
                "strain": self.lesson.overload.as_json(),
                "meters": self.context.meters.as_json(),
            }
        )


class AsJson(Export):
    """The lesson as JSON."""

    ending = "json"

    async def contents(self) -> bytes:
        """The JSON object of the lesson."""
        return self.everything()


class AsSvg(Export):
    """The meters as a figure in SVG, for print and slides."""

    ending = "svg"
    content_type = "image/svg+xml"

    async def contents(self) -> bytes:
        """The picture. Raises `CannotDraw`. A client that disconnects cancels the drawing."""
        self.stream.brief = False  # it takes seconds: a disconnection must be noticed
        drawing = asyncio.ensure_future(self.lesson.drawing.picture(self.ending, self.everything()))
        self.waiter = drawing
        with suppress(asyncio.CancelledError):
            return await drawing
        return b""


class AsPng(AsSvg):
    """The figure in PNG, for a chat or a document."""

    ending = "png"
    content_type = "image/png"


class AsCsv(Export):
    """One line per technique and direction; what was not measured is an empty cell."""

    ending = "csv"
    content_type = "text/csv; charset=utf-8"

    async def contents(self) -> bytes:
        """The lines of the table."""
        sheet = io.StringIO()
        table = csv.DictWriter(sheet, COLUMNS)
        table.writeheader()
        table.writerows(self._rows())
        return sheet.getvalue().encode()

    def _rows(self) -> Iterator[JsonObject]:
        simulated = int(self.lesson.simulated.ever)
        for mode, both in self.context.meters.as_json()["techniques"].items():
            for direction in ("receive", "send"):
                row = {"mode": mode, "direction": direction, "simulated": simulated} | both[direction]
                times = row.pop("delivery_s")
                yield row | {f"delivery_{name}_s": times[name] for name in TIMES}
