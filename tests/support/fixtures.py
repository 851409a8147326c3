"""Fixtures for every test: labs that run, a Redis to torment, and the rule that no lab writes a traceback."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.support.lab_here import LabHere
from tests.support.lab_process import LABS, LabProcess
from tests.support.lab_state import publish, top
from tests.support.redis_server import RedisServer
from tests.support.wire import OPEN


@pytest.fixture(scope="session")
def lab() -> Iterator[LabProcess]:
    """The lab that most tests share: limits on sending lifted, everything else as it comes."""
    process = LabProcess()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def hasty_lab() -> Iterator[LabProcess]:
    """A lab whose polls give up and whose streams show signs of life after half a second."""
    process = LabProcess(hold=0.5, heartbeat=0.5)
    yield process
    process.stop()


@pytest.fixture(scope="session")
def compressing() -> Iterator[int]:
    """The port of a lab that compresses."""
    process = LabProcess(compress=True)
    yield process.port
    process.stop()


@pytest.fixture
def start_lab() -> Iterator[Callable[..., LabProcess]]:
    """Start labs of the test's own; they end with it, and so do their Redis servers."""
    started: list[LabProcess] = []

    def start(**settings) -> LabProcess:
        started.append(LabProcess(**settings))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis of this module's own."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def full_history() -> Iterator[tuple[int, list[str]]]:
    """A lab in whose room 250 messages were sent: its port and all their cursors. No test sends more."""
    process = LabProcess()
    yield process.port, asyncio.run(publish(process.port, 250))
    process.stop()


@pytest.fixture(scope="session")
def counted() -> Iterator[int]:
    """The port of a lab for tests of the meters: no other test moves a byte of it."""
    process = LabProcess()
    yield process.port
    process.stop()


@pytest.fixture(scope="module")
def school() -> Iterator[LabHere]:
    """A lab in this process, for all tests of a file."""
    with LabHere() as school:
        yield school


@pytest.fixture
def lab_here() -> Iterator[LabHere]:
    """A lab in this process, for one test."""
    with LabHere() as lab:
        yield lab


@pytest.fixture
def refusing(lab) -> Iterator[LabProcess]:
    """The shared lab, whose history must be as it was when the test is over."""
    before = asyncio.run(top(lab.port))
    yield lab
    assert asyncio.run(top(lab.port)) == before


@pytest.fixture(scope="module")
def packing() -> Iterator[int]:
    """The port of a lab that compresses, and takes messages that are longer than most windows."""
    limits = {"rate": 0, "per_address": 0, "message_chars": 40_000}
    with LabHere(compress=True, limits=limits, patience=60.0) as school:
        yield school.lab.port


@pytest.fixture
def no_traceback(caplog) -> Iterator[None]:
    """Whatever a client sends, no error is logged."""
    yield
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is predicted in this test, so nothing need be measured for it."""
    from lab.experiment.prediction import Exchange  # not for every test

    async def exchange(*_: object) -> "Exchange":
        return Exchange(500.0, 200.0, 300.0, 0.001)

    monkeypatch.setattr("lab.experiment.measure.exchange", exchange)


@pytest.fixture(autouse=True)
def no_connection_left() -> Iterator[None]:
    """A client that still listened when a test ended is gone when the next one begins."""
    yield
    for wire in list(OPEN):
        wire.abort()


@pytest.fixture(autouse=True)
def no_complaints() -> Iterator[None]:
    """No lab writes a traceback or an error, whatever a test does to it."""
    yield
    complaints = {process.pid: process.complaint() for process in LABS}
    for process in [process for process in LABS if process.over]:
        process.forget()
    assert not any(complaints.values()), complaints
