"""A child: a module of the lab as a process that ends when this one does; both exchange lines of JSON.

Threads read its output and not the event loop, because only some event loops can watch a process, and the
policy in force may be another program's.
"""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress

from lab.errors import CannotStart, LabError
from lab.json_types import JsonObject
from lab.subprocesses import command, environment

END_PATIENCE_S = 10.0
TRACEBACK = "Traceback (most recent call last)"


class RunFailed(LabError):
    """A run could not be completed."""

    code = "run_failed"


class Child:
    """A Python process that sends and receives lines of JSON; `name` is used in messages about it."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self._process = process
        self._name = name
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._last_words = ""
        self._loop = asyncio.get_running_loop()
        self._complaining = threading.Thread(target=self._read_complaints, daemon=True)
        self._complaining.start()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def receive(self) -> JsonObject:
        """The next line. Raises `RunFailed` when there is none."""
        line = await self._lines.get()
        try:
            fields: JsonObject = json.loads(line)
        except ValueError as error:
            raise RunFailed(await asyncio.to_thread(self._why)) from error
        return fields

    async def answer(self, orders: JsonObject | None = None) -> JsonObject:
        """What it answers to these orders, or at its start. Raises `CannotStart` with the reason."""
        if orders is not None:
            self.send(orders)  # not an argument: a Redis URL may hold a password
        try:
            line = await self.receive()
        except RunFailed as error:
            raise CannotStart(str(error)) from error
        if "error" in line:
            raise CannotStart(line["error"])
        return line

    def send(self, orders: JsonObject) -> None:
        """Send one line of JSON."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended, and `receive` raises the reason
            self._process.stdin.write(json.dumps(orders).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Send it SIGTERM, if it has not ended."""
        self._process.terminate()

    async def ended(self) -> str:
        """Wait until it has ended, and return why; the lines that it still sends are not read."""
        while await self._lines.get():
            pass
        return await asyncio.to_thread(self._why)

    async def end(self) -> None:
        """Close its input, which ends it; end it by force when that takes too long."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        try:
            self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaining.join(END_PATIENCE_S)

    def _why(self) -> str:
        """One sentence with the reason of its end."""
        self._wait()
        code = self._process.returncode
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = f": {self._last_words}" if self._last_words else ""
        return f"{self._name} ended too early ({how}){last}."

    def _read(self) -> None:
        """In a thread: pass on its lines; an empty one at the end."""
        assert self._process.stdout is not None
        with self._process.stdout as lines, suppress(RuntimeError):  # the event loop has ended first
            for line in lines:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            self._loop.call_soon_threadsafe(self._lines.put_nowait, b"")

    def _read_complaints(self) -> None:
        """In a thread: pass its standard error on, without tracebacks."""
        for text in without_tracebacks(self._complaints()):
            with suppress(OSError, ValueError):  # ours is closed or full
                sys.stderr.write(text)

    def _complaints(self) -> Iterator[str]:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                text = line.decode(errors="replace")
                self._last_words = text.strip().rstrip(".") or self._last_words
                yield text


def without_tracebacks(lines: Iterable[str]) -> Iterator[str]:
    """These lines without tracebacks, which end with the first line that is not indented."""
    inside = False
    for line in lines:
        if line.startswith(TRACEBACK):
            inside = True
        elif inside:
            inside = line.startswith((" ", "\n"))
        else:
            yield line


@asynccontextmanager
async def child(module: str, name: str, plan: JsonObject | None = None) -> AsyncIterator[Child]:
    """A module of the lab as a process during the block; its plan is an argument, so it must hold no secret.

    It has its own session: Ctrl-C goes to this process, which then ends the children in order. Raises
    `CannotStart` when there is no such Python.
    """
    try:
        process = subprocess.Popen(  # noqa: ASYNC220 - does not block; threads wait for it
            command(module, *([] if plan is None else [json.dumps(plan)])),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=environment(),
        )
    except (OSError, ValueError) as error:
        raise CannotStart(f"{name} could not be started by {sys.executable!r}: {error}.") from error
    started = Child(process, name)
    try:
        yield started
    finally:
        await started.end()
