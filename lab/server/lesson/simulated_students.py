"""Simulated students: listeners in separate processes, and a publisher with a steady average rate.

The listeners are the simulated clients of the measured runs, started as a program (`python -m …`), because
the server does not import the experiment. They send no client id, so presence does not count them as users.
"""

import asyncio
import random
import string
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from json import dumps, loads

from lab.catalogue import MODES
from lab.errors import HistoryUnavailable
from lab.json_types import JsonObject
from lab.room.messages import Draft
from lab.server.connections.addresses import in_url
from lab.server.lesson.parameters import number, some_of
from lab.server.lesson.subprocesses import PIPE, end, module
from lab.techniques.context import Context

FLEET = "lab.experiment.fleet"
SLOW_LINK = "lab.experiment.relay"
MOST_EACH, MOST_RATE, MOST_PAYLOAD, MOST_RTT_MS = 30, 20, 400, 2000
"""Upper limits for one request."""
PUBLISHING = "that sends messages for the simulated students"
LETTERS = string.ascii_lowercase + " "


@dataclass(frozen=True)
class Plan:
    """What the simulated students do; durations in seconds, the payload in characters."""

    words: tuple[str, ...] = MODES
    each: int = 5
    rate: float = 1.0
    interval: float = 1.0
    hold: float = 25.0
    payload: int = 40
    rtt_ms: float = 0
    """Round trip of a simulated slow link between them and the lab."""

    @classmethod
    def read(cls, wanted: JsonObject) -> "Plan":
        """The plan that a teacher asks for. Raises `BadParameter`."""
        return cls(
            words=some_of(wanted, "words", MODES),
            each=int(number(wanted, "each", cls.each, 1, MOST_EACH)),
            rate=number(wanted, "rate", cls.rate, 0, MOST_RATE),
            interval=number(wanted, "interval", cls.interval, 0.1, 60),
            hold=number(wanted, "hold", cls.hold, 1, 60),
            payload=int(number(wanted, "payload", cls.payload, 1, MOST_PAYLOAD)),
            rtt_ms=number(wanted, "rtt_ms", cls.rtt_ms, 0, MOST_RTT_MS),
        )


class SimulatedStudents:
    """The simulated students of one lab."""

    def __init__(self, context: Context, name: str, host: str, port: int) -> None:
        self.context = context
        self.name = name
        """The user name of their messages."""
        self.host, self.port = host, port
        self.plan = Plan()
        self.ever = False
        """Whether the meters hold anything simulated."""
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        """The process of the listeners of each technique."""
        self._links: list[asyncio.subprocess.Process] = []
        self._leaving: list[asyncio.subprocess.Process] = []

    async def start(self, plan: Plan) -> None:
        """Start them; those of an earlier plan are stopped first."""
        await self.stop()
        self.plan, self.ever = plan, True
        url = (
            await self._slow_link()
            if plan.rtt_ms
            else f"{self.context.settings.scheme}://{in_url(self.host)}:{self.port}"
        )
        for mode in plan.words:
            self.processes[mode] = await self._fleet(mode, url)
        if plan.rate:
            self.context.room.tasks.keep(PUBLISHING, partial(self._speak, plan))

    async def stop(self) -> None:
        """Stop them, and wait until their processes have ended, also those that another call is stopping."""
        self.context.room.tasks.drop(PUBLISHING)
        self._leaving += [*self.processes.values(), *self._links]
        self.processes, self._links = {}, []
        await asyncio.gather(*map(end, self._leaving))
        self._leaving = [process for process in self._leaving if process.returncode is None]

    async def _slow_link(self) -> str:
        """Start a relay in front of the lab that delays every byte; returns its address."""
        plan = {"host": self.host, "port": self.port, "network": {"rtt_s": self.plan.rtt_ms / 1000}}
        relay = await module(SLOW_LINK, dumps(plan), stdout=PIPE)
        self._links.append(relay)
        assert relay.stdout is not None
        answer = loads(await relay.stdout.readline() or b"{}")
        return f"{self.context.settings.scheme}://127.0.0.1:{answer.get('port', 0)}"

    async def _fleet(self, mode: str, url: str) -> asyncio.subprocess.Process:
        link: JsonObject = {"url": url, "after": str(self.context.room.top)}
        link |= {"interval": self.plan.interval, "hold": self.plan.hold}
        link |= {"certfile": self.context.settings.certfile}
        return await module(FLEET, dumps({"mode": mode, "clients": self.plan.each, "link": link}))

    async def _speak(self, plan: Plan) -> None:
        """Publish messages at random times, so many per second on average."""
        await asyncio.sleep(random.expovariate(plan.rate))
        draft = Draft(str(uuid.uuid4()), self.name, random_body(plan.payload))
        with suppress(HistoryUnavailable):
            await self.context.room.publish(draft)

    def as_json(self) -> JsonObject:
        """The state for the pages: the plan, how many run, and which have failed."""
        alive = [mode for mode, fleet in self.processes.items() if fleet.returncode is None]
        gone = [mode for mode in self.processes if mode not in alive]
        now = {"running": bool(self.processes), "students": self.plan.each * len(alive), "failed": gone}
        return {"ever": self.ever, "name": self.name} | now | asdict(self.plan)


def random_body(characters: int) -> str:
    """The body of a simulated message: letters and spaces."""
    return "".join(random.choices(LETTERS, k=characters)).strip() or "x"
