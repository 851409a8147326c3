"""The slow link: delay, order, bandwidth on a virtual clock; the relay over real sockets."""

import asyncio
import heapq
import json
import subprocess
import sys
import time

import pytest

import lab
from lab.experiment import relay
from lab.experiment.link_model import PRESETS, Network
from lab.experiment.relay import QUEUE_BYTES, TIMER_S, Line, Relay


class Clock:
    """A loop's clock and calendar, without a loop: time passes when a test says so."""

    def __init__(self):
        self.now, self.calendar, self.number = 0.0, [], 0

    def time(self):
        return self.now

    def call_at(self, when, callback):
        self.number += 1
        entry = [when, self.number, callback]
        heapq.heappush(self.calendar, entry)
        return type("Timer", (), {"cancel": lambda self: entry.__setitem__(2, lambda: None)})()

    def advance(self, until):
        """Let time pass, and call what is due on the way."""
        while self.calendar and self.calendar[0][0] <= until:
            when, _, callback = heapq.heappop(self.calendar)
            self.now = max(self.now, when)
            callback()
        self.now = until


@pytest.fixture
def clock(monkeypatch):
    """A virtual clock for lines."""
    clock = Clock()
    monkeypatch.setattr(relay.asyncio, "get_running_loop", lambda: clock)
    return clock


def line(clock, arrived, **link):
    """A line that notes what arrives and when."""
    return Line(Network(**link), lambda data: arrived.append((clock.now, data)))


def test_delays_do_not_add_up(clock):
    """A hundred pieces that set out within a millisecond all arrive half a round trip later, in order."""
    arrived = []
    slow = line(clock, arrived, rtt_s=0.1)
    for number in range(100):
        slow.carry(b"%d" % number)
        clock.advance(clock.now + 0.00001)
    clock.advance(1)
    assert [data for _, data in arrived] == [b"%d" % number for number in range(100)]
    assert arrived[0][0] == pytest.approx(0.05, abs=2 * TIMER_S)
    assert arrived[-1][0] == pytest.approx(0.051, abs=2 * TIMER_S)


def test_jitter_keeps_the_order(clock):
    """However far single pieces stray, none overtakes another and none is earlier than the least delay."""
    arrived = []
    shaky = line(clock, arrived, rtt_s=0.1, jitter_s=0.05)
    for number in range(200):
        shaky.carry(b"%d" % number)
        clock.advance(clock.now + 0.001)
    clock.advance(2)
    assert [data for _, data in arrived] == [b"%d" % number for number in range(200)]
    assert len({round(moment - 0.001 * number, 3) for number, (moment, _) in enumerate(arrived)}) > 10


def test_bandwidth_is_bits_per_second(clock):
    """125,000 bytes at 1 Mbit/s take a second, whether in one piece or in many."""
    for pieces in (1, 100):
        arrived = []
        narrow = line(clock, arrived, bandwidth=1e6)
        began = clock.now
        for _ in range(pieces):
            narrow.carry(bytes(125_000 // pieces))
        clock.advance(began + 5)
        assert arrived[-1][0] - began == pytest.approx(1.0, abs=2 * TIMER_S)


def test_a_line_takes_on_only_so_much(clock):
    """A line that is full says so, and says when there is room again."""
    arrived, room = [], []
    narrow = line(clock, arrived, bandwidth=8e6)
    narrow.on_room = lambda: room.append(clock.now)
    narrow.carry(bytes(QUEUE_BYTES))
    assert narrow.full
    clock.advance(3)
    assert not narrow.full and room


def test_a_stall_holds_everything_and_loses_nothing(clock):
    """While it lasts nothing comes; afterwards everything does, in order."""
    arrived = []
    slow = line(clock, arrived, rtt_s=0.02)
    slow.carry(b"a")
    slow.stall(2)
    slow.carry(b"b")
    clock.advance(1.9)
    assert arrived == []
    clock.advance(3)
    assert [data for _, data in arrived] == [b"a", b"b"] and arrived[0][0] >= 2 - 2 * TIMER_S


def test_a_blocked_line_waits_for_its_receiver(clock):
    """A receiver that takes nothing holds up its own line; when it goes on, so does the line."""
    arrived = []
    slow = line(clock, arrived)
    slow.block(True)
    slow.carry(b"a")
    clock.advance(1)
    assert arrived == []
    slow.block(False)
    clock.advance(1.1)
    assert [data for _, data in arrived] == [b"a"]


# Over real sockets ----------------------------------------------------------------------------


class Echo:
    """A server that sends back what it gets, behind a relay."""

    def __init__(self, **link):
        self.link = Network(**link)

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        self.relay = await Relay("127.0.0.1", self.server.sockets[0].getsockname()[1], self.link).__aenter__()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.relay.listens_on)
        return self

    async def talk(self, reader, writer):
        """Echo until the end."""
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def __aexit__(self, *_):
        self.writer.close()
        await self.relay.__aexit__()
        self.server.close()
        await asyncio.sleep(0.01)

    async def trip(self, data=b"x"):
        """Seconds for there and back."""
        began = time.monotonic()
        self.writer.write(data)
        await self.reader.readexactly(len(data))
        return time.monotonic() - began


async def trips(port, number, start_s=0.0):
    """Seconds that round trips of one byte to this port took; the first with connecting."""
    await asyncio.sleep(start_s)
    took, began = [], time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(number):
        writer.write(b"x")
        await reader.readexactly(1)
        took.append(time.monotonic() - began)
        began = time.monotonic()
    writer.close()
    return took


async def test_a_configured_round_trip_is_measured():
    """100 ms raise the round trip by 100 ± 2 ms, as the shortest of many shows on any machine."""
    first, later, until = [], [], time.monotonic() + 40
    async with Echo(rtt_s=0.1) as echo:
        direct = min(await trips(echo.server.sockets[0].getsockname()[1], 50))
        while not later or (min(later) > direct + 0.102 and time.monotonic() < until):
            starts = [number / 200 for number in range(20)]  # at moments of their own: one may be undisturbed
            found = await asyncio.gather(*(trips(echo.relay.listens_on, 4, start) for start in starts))
            first += [took[0] for took in found]
            later += [seconds for took in found for seconds in took[1:]]
    assert min(later) - direct == pytest.approx(0.1, abs=0.002)
    assert min(first) >= 0.198, "a new connection costs one round trip more"


async def test_the_directions_are_independent():
    """What is on its way up does not hold up what comes down: many trips at once take as long as one."""
    async with Echo(rtt_s=0.1) as echo:
        await echo.trip()
        began = time.monotonic()
        for _ in range(50):
            echo.writer.write(b"x" * 1000)
            await asyncio.sleep(0.001)
        await echo.reader.readexactly(50_000)
    assert time.monotonic() - began < 2  # one after the other they would take five seconds


async def test_whole_and_in_order_at_any_speed():
    """Two megabytes through a narrow, shaky link come back as they were."""
    data = bytes(range(256)) * 4096
    async with Echo(rtt_s=0.01, jitter_s=0.005, bandwidth=200e6) as echo:
        echo.writer.write(data)
        assert await echo.reader.readexactly(len(data)) == data


async def test_a_cut_ends_every_connection():
    """After a cut both sides read an end or an error, and a new connection works."""
    async with Echo(rtt_s=0.01) as echo:
        await echo.trip()
        cut = echo.writer
        echo.relay.cut()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await echo.reader.readexactly(1)
        cut.close()
        echo.reader, echo.writer = await asyncio.open_connection("127.0.0.1", echo.relay.listens_on)
        assert await echo.trip() > 0.01


async def test_half_a_connection_can_end():
    """A client that has closed its side still receives the answer."""
    async with Echo(rtt_s=0.02) as echo:
        echo.writer.write(b"last words")
        echo.writer.write_eof()
        assert await echo.reader.read() == b"last words"


async def test_a_relay_without_a_server_closes_the_connection():
    """When the lab cannot be reached, the connection is broken off."""
    async with Relay("127.0.0.1", 9, Network(rtt_s=0.01)) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.listens_on)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()


def test_as_a_process_it_obeys_and_ends_with_its_input():
    """It says where it listens, stalls and cuts on order, and ends when its input is closed."""
    plan = json.dumps({"host": "127.0.0.1", "port": 9, "network": Network(0.1)._asdict()})
    command = [sys.executable, "-m", "lab.experiment.relay", plan]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["port"] > 0
        process.stdin.write('{"stall_s": 0.1}\n{"cut": true}\n')
        process.stdin.close()
        assert process.wait(10) == 0


# A lab behind it ------------------------------------------------------------------------------


def test_the_bytes_at_the_server_stay_the_same():
    """A slow link makes messages late, not longer: streams cost the same bytes, and all arrive."""
    near = lab.measure("sse", clients=3, rate=10, duration=1, seed=5)
    far = lab.measure("sse", clients=3, rate=10, duration=1, seed=5, rtt=0.1, bandwidth=1e6)
    assert far.clean and far.conditions["rtt_s"] == 0.1 and far.conditions["bandwidth"] == 1e6
    assert far.socket_bytes == pytest.approx(near.socket_bytes, rel=0.01)
    assert far.latency_s["p50"] > 0.05 > near.latency_s["p50"]
    assert far.receive["delivery_s"]["p50"] < 0.05, "the publisher and the server are on the near side"


def test_long_polling_shows_its_three_transits():
    """On a slow link some messages arrive while the client asks again, and are up to three transits late."""
    run = lab.measure("longpoll", clients=3, rate=20, duration=2, rtt=0.1)
    assert run.clean and run.latency_s["max"] > 0.1 and run.latency_s["p50"] >= 0.05


@pytest.mark.parametrize("word", PRESETS)
def test_presets_are_links_that_can_be_measured(word):
    """Each word stands for conditions that a run accepts."""
    preset = PRESETS[word]
    link = {"rtt": preset.rtt_s, "jitter": preset.jitter_s, "bandwidth": preset.bandwidth}
    assert lab.experiment.conditions.Conditions(**link).network == preset
