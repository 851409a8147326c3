"""What many do to a port at once. Each docstring says what must hold beyond the checker's invariants."""

import asyncio
import resource
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.machine import cpu_s
from tests.faults.scene import Scene
from tests.support.wire import Closed, Wire

FEW_FILES = ("prlimit", f"--nofile=220:{resource.getrlimit(resource.RLIMIT_NOFILE)[1]}")


async def storm(scene: Scene) -> None:
    """The lab restarts and 5,000 careless clients come at once: all are answered within 10 s."""
    await asyncio.to_thread(scene.lab.kill)
    await scene.start_lab()
    overflows, began = listen_overflows(), time.monotonic()
    count = 500 if scene.short else 5000
    answers = await asyncio.gather(*(ask(scene.port) for _ in range(count)), return_exceptions=True)
    took, good = time.monotonic() - began, sum(answer is True for answer in answers)
    lost = listen_overflows() - overflows
    scene.notes.append(f"{good:,} answered in {took:.1f} s, {lost} overflows")
    if good < count or took > 10 or lost:
        scene.complaints.append(scene.notes[-1])


async def ask(port: int) -> bool:
    """Connect, ask once, leave. Says whether the answer was a good one."""
    wire = await Wire.open(port)
    try:
        async with asyncio.timeout(30):
            return (await wire.ask("GET", "/shortpoll?after=latest")).status == 200
    finally:
        wire.abort()


def listen_overflows() -> int:
    """How many connections the kernel has refused because the lab did not accept them."""
    lines = [line.split() for line in Path("/proc/self/net/netstat").read_text().splitlines()]
    return int(dict(zip(lines[0], lines[1], strict=False))["ListenOverflows"])


async def exhaust(scene: Scene) -> None:
    """More connections than the lab has files for: new ones get 503, open ones go on."""
    answers = await rush(scene, 400)
    if not answers[503]:
        scene.complaints.append("no new connection got 503")


async def starve(scene: Scene) -> None:
    """Others take the last file: new connections wait for a free one, and open ones go on."""
    with scene.lab.no_file_left():
        answers = await rush(scene, 50)
    if not answers[0]:
        scene.complaints.append("no new connection had to wait")
    if not await ask(scene.port):
        scene.complaints.append("with files again no connection was accepted")


async def rush(scene: Scene, count: int) -> Counter[int]:
    """So many come at once and stay: a line a second in the log, little work. The answers, 0 for none."""
    used, began = cpu_s(scene.lab.pid), time.monotonic()
    said = len(scene.lab.stderr().splitlines())
    wires = [await Wire.open(scene.port) for _ in range(count)]
    answers = Counter(await asyncio.gather(*map(try_to_ask, wires)))
    await scene.pause(5)
    busy, took = cpu_s(scene.lab.pid) - used, time.monotonic() - began
    for wire in wires:
        wire.abort()
    lines = len(scene.lab.stderr().splitlines()) - said
    scene.notes.append(f"{answers[503]} refused, {answers[200]} accepted, {answers[0]} without answer")
    scene.notes.append(f"{busy:.1f} s CPU in {took:.0f} s, {lines} log lines")
    if lines > took + 1 or busy > took / 3:
        scene.complaints.append(scene.notes[-1])
    return answers


async def try_to_ask(wire: Wire) -> int:
    """The status of the answer, 0 when there is none soon."""
    with suppress(Closed, OSError, TimeoutError):
        async with asyncio.timeout(3):
            return (await wire.ask("GET", "/shortpoll?after=latest")).status
    return 0
