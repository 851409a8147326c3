"""One lesson: what the pages share beside the chat. Each part of the server adds its own news to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from lab.json_types import JsonObject
from lab.server.api.health import problems
from lab.server.connections.addresses import nearest
from lab.server.connections.metered_stream import MeteredServer
from lab.server.lesson.assignment import Assignment
from lab.server.lesson.bet import Bet
from lab.server.lesson.drawing import Drawing
from lab.server.lesson.lan import Network
from lab.server.lesson.overload import Overload
from lab.server.lesson.simulated_students import Plan, SimulatedStudents
from lab.server.lesson.teacher_key import TeacherKey, cookie_name
from lab.techniques.context import Context

Fields = JsonObject
"""What a page sends on `/live`."""


class LivePage(Protocol):
    """A page on `/live`."""

    is_teacher: bool
    light: bool
    """It wants to know who is here, and nothing that changes every second."""

    def show(self, every_second: bytes) -> None:
        """Send it the news, unless it has not yet taken what was sent before."""

    def send(self, message: bytes) -> bool:
        """Send it something of its own; False when it has not yet taken what was sent before."""


@dataclass
class Lesson:
    """The lab, its server, the teacher's key, and the pages that watch."""

    context: Context
    key: TeacherKey
    live_pages: set[LivePage] = field(default_factory=set)
    every_second: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What the news of each second tells beside meters and presence: a key, and what makes its value."""
    on_change: dict[str, Callable[[], object]] = field(default_factory=dict)
    """The same for what changes seldom; light watchers hear it too, when it has changed."""
    handlers: dict[str, Callable[[LivePage, Fields], None]] = field(default_factory=dict)
    """What a page may say on `/live`: its `type`, and who listens."""
    before_tick: list[Callable[[], None]] = field(default_factory=list)
    """What happens each second before the news goes out."""
    on_close: list[Callable[[LivePage], None]] = field(default_factory=list)
    """Who wants to know that a page is gone."""
    known_users: dict[str, str] = field(default_factory=dict)
    """Who was here when light watchers were last told: name by client id."""
    arrivals: Iterator[int] = field(default_factory=lambda: count(1))
    """Numbers for those who come without a name."""
    server: MeteredServer = field(init=False)
    network: Network = field(init=False)
    bet: Bet = field(init=False)
    simulated: SimulatedStudents = field(init=False)
    overload: Overload = field(init=False)
    assignment: Assignment = field(default_factory=Assignment)
    pace: dict[str, float] = field(default_factory=dict)
    """How often the polls of browsers ask and how long they are held; empty: as their techniques do."""
    drawing: Drawing = field(default_factory=Drawing)

    def listens(self, server: MeteredServer, port: int, addresses: list[str]) -> None:
        """The lab is open at this port of these addresses: bring the parts together."""
        self.server = server
        self.network = Network(server, addresses[0], port, addresses[1:])
        self.simulated = SimulatedStudents(self.context, nearest(addresses), port)
        self.overload = Overload(self.context.room.tasks)
        self.bet = Bet(self.context.meters)
        self.handlers["vote"] = lambda page, fields: self.bet.vote(fields)
        self.on_change |= {
            "network": self.network.as_json,
            "bet": self.bet.as_json,
            "pace": lambda: self.pace,
        }
        self.every_second |= {"crew": self.simulated.as_json, "strain": self.overload.as_json}
        self.every_second["problems"] = lambda: [problem._asdict() for problem in problems(self.context)]

    @property
    def cookie(self) -> str:
        """What the teacher's cookie is called."""
        return cookie_name(self.network.port)

    async def close(self) -> None:
        """The lab closes: send the simulated students home."""
        self.overload.stop()
        await self.simulated.stop()

    def set_pace(self, plan: Plan) -> None:
        """Let browsers ask and be held as simulated students are, within the server's own limit."""
        self.pace = {"interval": plan.interval, "hold": min(plan.hold, self.context.settings.hold)}

    def reset(self) -> None:
        """Let the meters count from nothing again; nothing in them is simulated then, unless it goes on."""
        self.server.reset()
        self.simulated.ever = bool(self.simulated.as_json()["running"])
        self.bet.meters_reset()

    def credit(self) -> None:
        """Bring the meters up to this moment."""
        self.server.credit()
