"""The room against a plain list: sends, repeats, reads, losses and restores in every order."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lab.room import history
from lab.room.history import PREFIX, History
from lab.room.messages import Cursor, Draft
from lab.room.room import Room
from tests.support.redis_server import RedisServer
from tests.support.wire import eventually

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(180)]
KEPT = 100
"""What a history keeps, by the contract: whatever the lab's own constant says."""
TEXTS = st.text(min_size=1, max_size=20)
ROOMS = st.integers(0, 1)


class ListenerLog:
    """A listener: its newest events, its cursor after them, and what it knows of the present history."""

    def __init__(self, place):
        self.events, self.place, self.received = [], place, {}

    def __len__(self):
        return 1

    def notify(self, batch):
        """Take it down."""
        self.events += batch.events

    def follow(self, mode, rest):
        """Go where an event leads: past those that were missed, to another history, or one message on."""
        if mode == "gap":
            self.place = Cursor(self.place.epoch, self.place.n + rest)
        elif mode == "reset":
            self.place, self.received = Cursor.parse(rest), {}
        else:
            self.place = Cursor(self.place.epoch, self.place.n + 1)
            assert mode == str(self.place)
            self.received[self.place.n] = rest


class RoomAndList(RuleBasedStateMachine):
    """Two processes' rooms over one Redis, and the list that both should be."""

    server: RedisServer

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.name = uuid4().hex
        self.rooms = [Room(History(self.server.url, self.name)) for _ in range(2)]
        self.run(self.open())
        self.epoch, self.said, self.stored = self.rooms[0].top.epoch, [], {}
        self.copy = None
        self.listeners = [ListenerLog(room.top) for room in self.rooms]
        for room, listener in zip(self.rooms, self.listeners, strict=True):
            room.stream(listener, room.top)

    def run(self, what):
        """Let the rooms do something to its end."""
        return self.runner.run(what)

    async def open(self):
        """Open both rooms, one after the other: the first begins the history."""
        for room in self.rooms:
            await room.open()

    def teardown(self):
        """Close both."""
        for room in self.rooms:
            self.run(room.close())
        self.runner.close()

    @property
    def top(self):
        """Where the list ends."""
        return Cursor(self.epoch, len(self.said))

    async def everywhere(self):
        """Wait until both rooms have everything."""

        async def probe():
            return all(room.top == self.top for room in self.rooms)

        await eventually(probe, f"both rooms reach {self.top}, not {[room.top for room in self.rooms]}")

    def publish(self, room, body, mid):
        """Hand a message in at one of the rooms."""
        return self.run(self.rooms[room].publish(Draft(str(mid), "ann", body)))

    # What may happen ---------------------------------------------------------------------------

    @rule(
        room=ROOMS,
        bodies=st.lists(TEXTS, min_size=1, max_size=3),
        times=st.sampled_from([1, KEPT]),
    )
    def say(self, room, bodies, times):
        """Say some new things: each gets the next number, and is no repetition."""
        for body in (bodies * times)[: KEPT + 10]:
            mid = uuid4()
            self.said.append(body)
            self.stored[mid] = self.top
            assert self.publish(room, body, mid) == (self.top, False)

    @precondition(lambda self: self.stored)
    @rule(room=ROOMS, body=TEXTS, data=st.data())
    def repeat(self, room, body, data):
        """Say with a known mid whatever one likes: it stands where it stood, and nothing changes."""
        mid = data.draw(st.sampled_from(list(self.stored)))
        assert self.publish(room, body, mid) == (self.stored[mid], True)

    @rule(room=ROOMS, back=st.integers(-3, 2 * KEPT))
    def read(self, room, back):
        """Read after any place of this history, also one that is no longer kept or does not exist yet."""
        self.agrees(room, Cursor(self.epoch, max(0, len(self.said) - back)))

    @rule(room=ROOMS, epochs=st.sampled_from([-1, 1, 10**6]), n=st.integers(0, 200))
    def read_after_another_history(self, room, epochs, n):
        """Read after a place of a history that is gone, or of none."""
        self.agrees(room, Cursor(self.epoch + epochs, n))

    @rule(room=ROOMS)
    def read_everything(self, room):
        """Read without a place."""
        self.agrees(room, None)

    @rule(room=ROOMS, body=TEXTS)
    def wait_and_receive(self, room, body):
        """A wait at the end of the history gives exactly the next message, in either room."""
        self.run(self.everywhere())
        future = self.run(self.waiting(self.rooms[room]))
        assert not future.done()
        self.say(1 - room, [body], 1)
        assert [as_pair(event) for event in self.run(self.answer(future)).events] == [(str(self.top), body)]

    async def waiting(self, room):
        """A held question at the end of the history."""
        return room.wait(room.top)

    async def answer(self, future):
        """What it is answered with."""
        return await asyncio.wait_for(future, 10)

    @rule(body=TEXTS)
    def lose_everything(self, body):
        """Redis forgets, and a message is sent: a younger history begins with it."""
        self.server.client.flushall()
        self.begin_anew([], {}, body)

    @rule()
    def copy_the_history(self):
        """Keep a copy of the history as it is now."""
        self.copy = self.server.client.dump(f"{PREFIX}{self.name}"), list(self.said)

    @precondition(
        lambda self: self.copy and self.copy[1] == self.epoch and len(self.copy[2]) < len(self.said)
    )
    @rule(body=TEXTS)
    def put_the_copy_back(self, body):
        """An older copy comes back, and a message is sent: what it kept moves to a younger history."""
        kept, said = self.copy
        self.server.client.restore(f"{PREFIX}{self.name}", 0, kept, replace=True)
        self.begin_anew(said[-KEPT:], self.stored, body)

    def begin_anew(self, said, stored, body):
        """From now on the list is another, and its places are later than all before."""
        mid, before = uuid4(), self.epoch
        cursor, duplicate = self.publish(0, body, mid)
        assert (cursor.epoch > before, cursor.n, duplicate) == (True, len(said) + 1, False)
        self.epoch, self.said, self.stored, self.copy = (
            cursor.epoch,
            [*said, body],
            {**stored, mid: cursor},
            None,
        )

    # What must hold ----------------------------------------------------------------------------

    def agrees(self, room, after):
        """What the room gives after a cursor is what the list gives."""
        self.run(self.everywhere())
        batch = self.run(self.asked(self.rooms[room], after))
        assert [as_pair(event) for event in batch.events] == self.expected(after)
        assert batch.cursor == self.top

    async def asked(self, room, after):
        """What the room gives after a cursor."""
        return room.ask(after)

    def expected(self, after):
        """What the list gives after a cursor: a gap or a reset if there was one, then messages."""
        oldest = max(0, len(self.said) - KEPT)
        everything = [(f"{self.epoch}-{n + 1}", self.said[n]) for n in range(oldest, len(self.said))]
        if after is None:
            return everything
        if after.epoch != self.epoch or after.n > len(self.said):
            return [("reset", f"{self.epoch}-{oldest}"), *everything]
        if after.n < oldest:
            return [("gap", oldest - after.n), *everything]
        return everything[after.n - oldest :]

    @invariant()
    def redis_keeps_the_newest_and_no_more(self):
        """What a lab would find that opens now: everything, up to a hundred messages."""
        assert self.server.client.xlen(f"{PREFIX}{self.name}") == min(len(self.said), KEPT)

    @invariant()
    def who_listens_could_write_the_list(self):
        """A listener received every message in its place, or a gap with the number, or a reset."""
        self.run(self.everywhere())
        for listener in self.listeners:
            for event in listener.events:
                listener.follow(*as_pair(event))
            assert listener.place == self.top
            assert all(self.said[n - 1] == body for n, body in listener.received.items())
            listener.events.clear()


def as_pair(event):
    """An event in two words: where and what, or what went wrong and how much."""
    said = json.loads(event.json)
    if event.kind == "message":
        assert UUID(said["mid"])
        return said["id"], said["body"]
    return event.kind, said.get("missed", said.get("id"))


def test_the_room_is_a_list(redis_server, monkeypatch):
    """In every order of events a room gives what a list of messages would give."""
    for patience in ("PUBLISH_PATIENCE_S", "TAIL_PATIENCE_S"):
        monkeypatch.setattr(history, patience, 60.0)  # here nothing is learned from a busy machine
    machine = type("Machine", (RoomAndList,), {"server": redis_server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # a failure is reported at once, not made smaller for minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
