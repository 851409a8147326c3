"""Lead a class through the guided lesson: set up the clients of each step, time each count, take answers.

A page answers by `{"type":"vote","client","number","username"}` with `"mode"` or `"value"`, where `number` is
that of the question in the update.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import asdict

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.server.lesson.bet import COUNTING, LONGEST_ID
from lab.server.lesson.lesson import Fields, Lesson, LivePage
from lab.server.lesson.names import name_or_empty
from lab.server.lesson.simulated_students import Plan
from lab.server.lesson.steps import Step
from lab.server.lesson.why import Seen
from lab.server.live.socket import spread

ARRIVAL_S, LOOK_S = 10.0, 0.05
"""How long a count waits for the simulated clients to connect, and how often it looks."""


class Guide:
    """The guided lesson of one lab, with its clock and its simulated clients."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self._moving = asyncio.Lock()
        self._step: Step | None = None
        """The step for which the simulated clients were started."""
        self._place_in_history = lesson.context.room.top
        lesson.handlers["vote"] = self.vote
        lesson.on_change["lesson"] = self.as_json

    async def resume(self) -> None:
        """Go on where an earlier lab of this room was, and keep the lesson in Redis from now on."""
        lesson = self.lesson
        async with self._moving:
            if await lesson.kept.restore():
                lesson.bet = lesson.guided.bet or lesson.by_hand
                with suppress(OSError):  # without simulated clients the teacher can go on, or back
                    await self._clients_of(lesson.guided.step)
        lesson.kept.start()

    def vote(self, page: LivePage, fields: Fields) -> None:
        """Record the answer of a page; one page answers under one id."""
        client, bet = fields.get("client"), self.lesson.bet
        if not isinstance(client, str) or fields.get("number", bet.number) != bet.number:
            return
        page.voter = page.voter or client[:LONGEST_ID]
        name = name_or_empty(fields.get("username"), self.lesson.context.settings.limit("username_chars"))
        bet.vote(page.voter, fields.get("mode", fields.get("value")), name)

    async def lead(self, action: str) -> None:
        """Do an action of the guided lesson, one after the other. Raises `BadParameter`."""
        async with self._moving:
            guided = self.lesson.guided
            guided.do(action)
            self.lesson.by_hand.do("close")
            self.lesson.bet = guided.bet or self.lesson.by_hand
            spread(self.lesson)
            await self._set_up(guided.step)
            if guided.bet and guided.bet.state == COUNTING:
                await self._count()
            spread(self.lesson)

    async def _set_up(self, step: Step | None) -> None:
        """Start the simulated clients of a step, or stop those of the step before."""
        if step is self._step:
            return
        if step and step.assign:
            self.lesson.assignment.way = step.assign
        await self._clients_of(step)

    async def _clients_of(self, step: Step | None) -> None:
        self._step = step
        if step and step.plan:
            self.lesson.set_pace(step.plan)
            await self.lesson.simulated.start(step.plan)
        else:
            await self.lesson.simulated.stop()

    async def _count(self) -> None:
        """Count from zero, so that `/meters` has the figures of this question alone."""
        if self.lesson.simulated.processes:
            await self._arrival(self.lesson.simulated.plan)
        self.lesson.reset()
        self._place_in_history = self.lesson.context.room.top
        self._look_again()

    async def _arrival(self, plan: Plan) -> None:
        """Wait until each simulated client has an open request, or has polled; not for ever."""
        until = time.monotonic() + ARRIVAL_S
        while time.monotonic() < until:
            if all(self._connected(mode, plan.each) for mode in plan.words):
                return
            await asyncio.sleep(LOOK_S)

    def _connected(self, mode: str, clients: int) -> bool:
        meters = self.lesson.context.meters.techniques[mode]
        polled = TECHNIQUES[mode].verb == "ask" and meters.receive.requests >= clients
        return polled or meters.open >= clients

    def _look_again(self) -> None:
        """End the count when its time is over, which a reset of the meters begins again."""
        bet = self.lesson.guided.bet
        if bet is None or bet.state != COUNTING or not bet.question.seconds:
            return
        left = bet.began + bet.question.seconds - time.monotonic()
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._look_again)
            return
        self.lesson.credit()
        overloaded = bool(self.lesson.overload.as_json()["bottleneck"])
        seen = Seen({}, 0.0, self._rate(bet.question.seconds), overloaded, self._plan())
        self.lesson.guided.finish(seen)

    def _rate(self, seconds: float) -> float | None:
        """Messages per second in the room since the count began."""
        now, before = self.lesson.context.room.top, self._place_in_history
        return (now.n - before.n) / seconds if now.epoch == before.epoch else None

    def _plan(self) -> Plan | None:
        return self.lesson.simulated.plan if self.lesson.simulated.processes else None

    def as_json(self) -> JsonObject:
        """The place in the lesson, and the conditions of this moment."""
        plan = self._plan()
        conditions = asdict(plan) | {"clients": plan.each * len(plan.words)} if plan else None
        fields = {"conditions": conditions, "assign": self.lesson.assignment.way}
        return self.lesson.guided.as_json() | fields
