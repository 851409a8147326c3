"""Listeners on the workers of a Dask cluster, for `--engine ADDRESS`.

Dask only starts them: one task for each worker, pinned to it, never repeated. Their lines come back on
connections of their own (`lab.experiment.channel`), because a way through Dask's scheduler would be too slow
to compare clocks with. The package is imported only here, and only when there is an address.
"""

import asyncio
import importlib
import json
import logging
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from lab.errors import BadParameter, CannotStart
from lab.experiment.channel import Channel, Ended, Lines
from lab.experiment.conditions import Conditions
from lab.experiment.far import local_address
from lab.experiment.on_worker import listen_here
from lab.experiment.quantities import quoted
from lab.experiment.remote import ANSWER_S, Remote
from lab.json_types import JsonObject
from lab.meters import summary
from lab.version import __version__

PACKAGE = "distributed"
SCHEMES = ("tcp", "tls", "ws", "wss")
CONNECT_S = 5.0
"""Seconds in which a scheduler must answer."""
START_S = 60.0
"""Seconds in which every worker must have started its listeners; a busy one does not begin with the task."""
END_S = 5.0
LOUD = (PACKAGE, f"{PACKAGE}.client")
"""Loggers of the package that have levels and handlers of their own."""


def check_engine(address: str | None, conditions: Conditions) -> None:
    """Check before a run that its listeners can be on other machines.

    Raises `BadParameter` for conditions that need them on this one, `CannotStart` without the package.
    """
    if address is None:
        return
    if not _is_address(address):
        raise BadParameter(
            f"The engine must be an address such as tcp://10.0.0.5:8786, not {quoted(address)}."
        )
    if conditions.proxy or conditions.labs > 1 or conditions.network.slow:
        raise BadParameter(
            "A proxy, several labs and a slow link can be reached on this machine only; with an engine leave "
            "them out, or give the URL of a running lab."
        )
    if conditions.client_processes is not None:
        raise BadParameter("Each worker has one process of listeners; leave out client_processes.")
    if find_spec(PACKAGE) is None:
        raise CannotStart("The engine needs Dask, which is not installed: pip install 'pushlab[dask]'")


def _is_address(address: str) -> bool:
    parts = urlsplit(address)
    try:
        return parts.scheme in SCHEMES and bool(parts.hostname and parts.port)
    except ValueError:  # the port is not a number, or too large
        return False


class Engine:
    """The workers of a cluster, each with a process of listeners that waits for its plan."""

    def __init__(self, address: str, host: str, remotes: Sequence[Remote]) -> None:
        self.address = address
        self.host = host
        """The address of this machine at which the workers reach it."""
        self.remotes = remotes
        self._free = list(remotes)

    @asynccontextmanager
    async def start(self, plan: JsonObject) -> AsyncIterator[Remote]:
        """Give the next worker its plan (`lab.experiment.simulated.Start`)."""
        remote = self._free.pop(0)
        remote.listen(plan)
        yield remote

    async def measure_same_machine(self, mode: str, link: JsonObject) -> None:
        """Let each worker publish messages and receive them itself, all at the same time, after the run."""
        plan = {"mode": mode, "link": link}
        measuring = (remote.measure_same_machine(plan) for remote in self.remotes)
        await asyncio.gather(*measuring, return_exceptions=True)  # it has ended, or it is silent: no figure

    @property
    def clock_bound_s(self) -> float:
        """How far the clocks of listeners and publisher may be apart."""
        return max(remote.difference.bound for remote in self.remotes)

    @property
    def ended(self) -> list[str]:
        """One sentence for each worker that ended in the middle of the run."""
        return [remote.ended for remote in self.remotes if remote.ended]

    def as_json(self) -> JsonObject:
        """What a run records of it: each worker, its clock, and the sentences about those that ended."""
        workers = [
            {
                "address": remote.worker,
                "clients": remote.clients,
                "clock_offset_s": remote.difference.offset,
                "clock_bound_s": remote.difference.bound,
                "same_machine_latency_s": summary(remote.same_machine),
            }
            for remote in self.remotes
        ]
        return {"address": self.address, "workers": workers, "ended": self.ended}

    def figures(self) -> JsonObject:
        """The fields of a run that are about several machines."""
        own = [seconds for remote in self.remotes for seconds in remote.same_machine]
        same_machine = {"same_machine_latency_s": summary(own)} if own else {}
        return {"clock_bound_s": self.clock_bound_s, "engine": self.as_json()} | same_machine


class Starting:
    """A worker's task, which starts its listeners."""

    def __init__(self, dask: Any, worker: str, channel: Channel) -> None:
        self.worker = worker
        self._place = f"{channel.host}:{channel.port}"
        token, self._arriving = channel.expect()
        order = {"host": channel.host, "port": channel.port, "token": token}
        self._dask = dask
        self._task = dask.submit(
            listen_here,
            order,
            key=f"pushlab-{uuid.uuid4()}",
            workers=[worker],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        self._ending = asyncio.ensure_future(_result(self._task))

    async def remote(self) -> Remote:
        """The process that it has started, when it has connected. Raises `CannotStart`."""
        either: set[asyncio.Future[Any]] = {self._arriving, self._ending}
        await asyncio.wait(either, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._arriving.done():
            raise CannotStart(f"Worker {self.worker} cannot start listeners: {self._why()}.")
        lines = self._arriving.result()
        if (version := await _version(lines)) != __version__:
            raise CannotStart(f"Worker {self.worker} has Push Lab {version}, and this is {__version__}.")
        return Remote(self.worker, lines)

    def _why(self) -> str:
        if not self._ending.done():
            return f"nothing came within {START_S:g} s; it may be busy, or it cannot reach {self._place}"
        if self._ending.cancelled() or (error := self._ending.exception()) is None:
            return "its process has ended" if self._ending.cancelled() else self._ending.result().rstrip(".")
        if isinstance(error, ImportError):
            return f"{error}; install the lab there, too: pip install 'pushlab[dask]'"
        return str(error).rstrip(".") or type(error).__name__

    async def end(self) -> None:
        """Wait until the task has ended, because its connection is closed, for a short time."""
        await asyncio.wait({self._ending}, timeout=END_S)
        if not self._ending.done():  # its worker has ended, and Dask waits for one with the same address
            with suppress(Exception):  # the scheduler may have ended, too
                await asyncio.wait_for(self._dask.cancel([self._task], force=True), END_S)
        self._ending.cancel()
        await asyncio.gather(self._ending, return_exceptions=True)


async def _result(task: Any) -> str:
    return str(await task)


async def _version(lines: Lines) -> str:
    try:
        return str(json.loads(await lines.receive(ANSWER_S))["version"])
    except Ended as error:
        return f"? ({error})"


@asynccontextmanager
async def engine(address: str | None, clients: int) -> AsyncIterator[Engine | None]:
    """The workers of the cluster whose scheduler is at this address, at most one for each listener.

    None without an address. Raises `CannotStart` when there is no cluster, or when a worker cannot start
    listeners.
    """
    if address is None:
        yield None
        return
    async with _connected(address) as dask:
        workers = (await _workers(dask, address))[:clients]
        starting: list[Starting] = []
        try:
            async with Channel(this_machine(workers)) as channel:
                starting = [Starting(dask, worker, channel) for worker in workers]
                remotes = [await one.remote() for one in starting]
                for remote in remotes:
                    await remote.begin()
                yield Engine(address, channel.host, remotes)
        finally:
            await asyncio.gather(*(one.end() for one in starting))


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Any]:
    distributed = importlib.import_module(PACKAGE)
    with _quiet():
        client = None
        try:
            client = distributed.Client(address, asynchronous=True, timeout=CONNECT_S, set_as_default=False)
            await client
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            raise CannotStart(f"No Dask scheduler answers at {address}: {_short(error)}.") from error
        try:
            yield client
        finally:
            with suppress(Exception):  # the scheduler may have ended
                await asyncio.wait_for(client.close(), END_S)


async def _workers(dask: Any, address: str) -> list[str]:
    """The addresses of all workers. Raises `CannotStart` when there is none."""
    try:
        found = sorted(await asyncio.wait_for(dask.nthreads(), CONNECT_S))
    except (OSError, TimeoutError) as error:
        raise CannotStart(f"The Dask scheduler at {address} does not answer: {_short(error)}.") from error
    if not found:
        raise CannotStart(f"The Dask cluster at {address} has no worker; start one: dask worker {address}")
    return found


def this_machine(workers: Sequence[str]) -> str:
    """The address of this machine that all workers reach. Raises `CannotStart` when there is no single one.

    Workers at a loopback address are on this machine, and reach every address of it.
    """
    try:
        found = {local_address(urlsplit(worker).hostname or "") for worker in workers}
    except OSError as error:
        raise CannotStart(
            f"The workers are at addresses that this machine does not reach: {error}."
        ) from error
    outside = {address for address in found if not ip_address(address).is_loopback}
    if len(outside) > 1:
        places = ", ".join(sorted(outside))
        raise CannotStart(
            f"The workers are in several networks of this machine ({places}); take those of one."
        )
    return (outside or found).pop()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the package's log lines from the terminal: what went wrong is said in one sentence by the run."""
    loggers = [logging.getLogger(name) for name in LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _short(error: BaseException) -> str:
    """The first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
