"""One lesson: the state that the pages share apart from the chat. Parts of the server add their updates."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from lab.json_types import JsonObject
from lab.meters import Account
from lab.server.connections.addresses import nearest
from lab.server.connections.metered_server import MeteredServer
from lab.server.lesson.assignment import Assignment
from lab.server.lesson.bet import Bet
from lab.server.lesson.class_sheet import ClassSheet
from lab.server.lesson.demonstration import Demonstration
from lab.server.lesson.drawing import Drawing
from lab.server.lesson.forbidden_frames import Prober
from lab.server.lesson.guided import Guided
from lab.server.lesson.health import problems
from lab.server.lesson.kept_lesson import KeptLesson
from lab.server.lesson.lan import Network
from lab.server.lesson.networks import Networks
from lab.server.lesson.overload import Overload
from lab.server.lesson.proxy_trials import ProxyTrials
from lab.server.lesson.simulated_students import Plan, SimulatedStudents
from lab.server.lesson.step_file import STANDARD, OwnLesson, read
from lab.server.lesson.teacher_key import TeacherKey, cookie_name
from lab.techniques.context import Context
from lab.techniques.send_rate import SendRate

PROBES_PER_S = 1.0
"""Forbidden frames that one address may have sent; a burst may have two."""
STREAMS_PER_S = 50.0
"""Probe streams that one address may open; a check opens eight, and a class may share an address."""
Fields = JsonObject
"""What a page sends on `/live`."""


class LivePage(Protocol):
    """A page on `/live`."""

    is_teacher: bool
    light: bool
    """The page wants presence, and nothing that changes every second."""
    voter: str
    """The id under which the page answers questions; empty before its first answer."""

    def show(self, update: bytes) -> None:
        """Send the update, unless an earlier one is still queued."""

    def send(self, message: bytes) -> bool:
        """Send a message to this page only; False when an earlier one is still queued."""


class Elsewhere(Protocol):
    """The other labs, when this is one of several."""

    def users(self) -> list[JsonObject]:
        """The users there."""

    def cost(self, key: tuple[str, str]) -> Account:
        """The costs of a client there, by its id and its technique."""

    def serving(self, client: str) -> list[int]:
        """The numbers of the labs at which a client is, this one among them."""


@dataclass
class Lesson:
    """The lab, its server, the teacher's key, and the pages that watch."""

    context: Context
    key: TeacherKey
    simulated_name: str
    """The user name of simulated students."""
    live_pages: set[LivePage] = field(default_factory=set)
    every_second: dict[str, Callable[[], object]] = field(default_factory=dict)
    """Parts of the update of each second, besides meters and presence: a key, and a function for its
    value."""
    on_change: dict[str, Callable[[], object]] = field(default_factory=dict)
    """The same for values that change seldom; light pages receive them too, when they change."""
    handlers: dict[str, Callable[[LivePage, Fields], None]] = field(default_factory=dict)
    """Handlers of the messages that a page may send on `/live`, by `type`."""
    before_tick: list[Callable[[], None]] = field(default_factory=list)
    """Functions that run each second before the update is sent."""
    on_close: list[Callable[[LivePage], None]] = field(default_factory=list)
    """Functions that are called when a page is closed."""
    known_users: dict[str, str] = field(default_factory=dict)
    """The users in the last update to light pages: name by client id."""
    arrivals: Iterator[int] = field(default_factory=lambda: count(1))
    """Numbers for users without a name."""
    shown_costs: set[tuple[str, str]] = field(default_factory=set)
    """The clients, with their techniques, whose costs a page shows."""
    elsewhere: Elsewhere = field(init=False)
    server: MeteredServer = field(init=False)
    network: Network = field(init=False)
    by_hand: Bet = field(init=False)
    """The vote that the teacher opens without a guided lesson."""
    bet: Bet = field(init=False)
    """The question that the pages show: one of the guided lesson, or the one by hand."""
    guided: Guided = field(init=False)
    kept: KeptLesson = field(init=False)
    prober: Prober = field(init=False)
    probe_rate: SendRate = field(default_factory=lambda: SendRate(PROBES_PER_S))
    simulated: SimulatedStudents = field(init=False)
    demonstration: Demonstration = field(init=False)
    proxy_trials: ProxyTrials = field(init=False)
    overload: Overload = field(init=False)
    assignment: Assignment = field(default_factory=Assignment)
    pace: dict[str, float] = field(default_factory=dict)
    """Poll interval and longest hold for browsers; empty: the defaults of their techniques."""
    drawing: Drawing = field(default_factory=Drawing)
    class_sheet: ClassSheet = field(default_factory=ClassSheet)
    networks: Networks = field(default_factory=Networks)
    probe_stream_rate: SendRate = field(default_factory=lambda: SendRate(STREAMS_PER_S))
    own_lesson: OwnLesson = field(init=False)
    """The steps of the guided lesson, from a file or the lab's own."""
    report_rate: SendRate = field(init=False)
    """Reports about exercises that one address may send."""

    def __post_init__(self) -> None:
        settings = self.context.settings
        self.report_rate = SendRate(settings.limit("rate"))
        self.own_lesson = read(settings.lesson) if settings.lesson else STANDARD
        self.proxy_trials = ProxyTrials(settings.redis)

    def listens(self, server: MeteredServer, port: int, addresses: list[str]) -> None:
        """Connect the parts once the lab listens at this port of these addresses."""
        self.server = server
        front = self.context.settings.front
        seen_at = (front.port, front.addresses) if front else (port, addresses)
        self.network = Network(server, *seen_at)
        self.simulated = SimulatedStudents(self.context, self.simulated_name, nearest(addresses), port)
        self.demonstration = Demonstration(self.context, self.simulated_name, port)
        self.before_tick.append(self.demonstration.look)
        self.overload = Overload(self.context.room.tasks)
        self.by_hand = self.bet = Bet(self.context.meters)
        self.guided = Guided(self.context.meters, self.own_lesson)
        self.kept = KeptLesson(self.guided, self.assignment, self.context.room)
        self.prober = Prober(nearest(addresses), port, self.context.settings.certfile)
        self.on_change |= {
            "network": self.network.as_json,
            "bet": lambda: self.bet.for_pages() | {"by_hand": self.bet is self.by_hand},
            "pace": lambda: self.pace,
        }
        self.every_second |= {"crew": self.simulated.as_json, "strain": self.overload.as_json}
        self.every_second["demonstration"] = self.demonstration.as_json
        self.every_second["networks"] = self.networks.as_json
        self.every_second["problems"] = lambda: [problem._asdict() for problem in problems(self.context)]

    @property
    def shown(self) -> Context:
        """What the lanes show: the demonstration while it runs, else this lab."""
        self.demonstration.look()
        return self.demonstration.context or self.context

    @property
    def cookie(self) -> str:
        """The name of the teacher's cookie."""
        return cookie_name(self.network.port)

    async def close(self) -> None:
        """Stop the simulated students and the proxy, because the lab closes."""
        self.overload.stop()
        await asyncio.gather(self.simulated.stop(), self.demonstration.close(), self.proxy_trials.stop())
        await self.kept.close()

    def set_pace(self, plan: Plan) -> None:
        """Give browsers the poll interval and hold of this plan, within the server's own limit."""
        self.pace = {"interval": plan.interval, "hold": min(plan.hold, self.context.settings.hold)}

    def reset(self) -> None:
        """Reset the meters, which then count as simulated only if simulated students still run."""
        self.server.reset()
        self.simulated.ever = bool(self.simulated.as_json()["running"])
        for bet in {self.by_hand, self.bet}:
            bet.meters_reset()

    def credit(self) -> None:
        """Bring the meters up to this moment."""
        self.server.credit()

    def credit_segments(self) -> None:
        """Bring the counts of TCP segments up to this moment."""
        self.server.credit_segments()
