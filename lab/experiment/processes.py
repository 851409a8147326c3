"""The other processes of a run: a lab of its own, and the fleet. Both end when this one does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from lab.errors import CannotStart, LabError
from lab.subprocesses import command, environment

END_PATIENCE_S = 10.0
LINE_BYTES = 2**30
"""A fleet says everything that it heard in one line."""


class RunFailed(LabError):
    """A run could not be brought to its end."""

    code = "run_failed"


class Child:
    """A Python process that speaks in lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

    async def hear(self) -> dict[str, Any]:
        """The next line. Raises `RunFailed` when there is none."""
        line = await self._stdout.readline()
        if not line:
            raise RunFailed(f"A process of the run ended too early (exit code {await self._process.wait()}).")
        said: dict[str, Any] = json.loads(line)
        return said

    def tell(self, orders: dict[str, Any]) -> None:
        """Give orders, in one line."""
        self._stdin.write(json.dumps(orders).encode() + b"\n")

    async def end(self) -> None:
        """Close its input, which ends it; end it by force when that takes too long."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_PATIENCE_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(module: str, plan: dict[str, Any] | None = None) -> AsyncIterator[Child]:
    """A module of the lab as a process, for the length of the block; its plan is an argument, so no secret.

    In a session of its own: Ctrl-C is for this process, which then ends the others in order.
    """
    process = await asyncio.create_subprocess_exec(
        *command(module, *([] if plan is None else [json.dumps(plan)])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        start_new_session=True,
        env=environment(),
    )
    started = Child(process)
    try:
        yield started
    finally:
        await started.end()


@asynccontextmanager
async def own_lab(settings: dict[str, Any]) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A lab for one run: its URL, and what it is made of. Raises `CannotStart`."""
    async with child("lab.server") as server:
        server.tell(settings)  # not an argument: a Redis URL may hold a password
        said = await server.hear()
        if "error" in said:
            raise CannotStart(said["error"])
        scheme = "https" if settings.get("certfile") else "http"
        yield f"{scheme}://{said['host']}:{said['port']}", said["versions"]
