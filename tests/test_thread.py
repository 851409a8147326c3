"""Plain calls in any surroundings: a loop of their own, or an error, and never a wait without end."""

import asyncio
import multiprocessing
import signal
import subprocess
import sys
import threading
import time

import pytest

import lab
from lab.errors import CannotStart
from lab.experiment import thread
from lab.experiment.thread import InThread
from tests.support.lab_process import ROOT

QUICK = {"clients": 1, "rate": 5, "duration": 1}


async def answer(stop):
    """What is run in the thread."""
    await asyncio.sleep(0)
    return asyncio.get_running_loop(), stop.is_set()


class Foreign(asyncio.DefaultEventLoopPolicy):
    """A policy whose loops and whose watchers of processes are not to be had."""

    def new_event_loop(self):
        """No loop."""
        raise RuntimeError("no loop")

    get_event_loop = get_child_watcher = set_event_loop = lambda *_: 1 / 0


@pytest.fixture
def foreign_policy():
    """A policy that breaks whatever it is asked."""
    usual = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Foreign())
    yield
    asyncio.set_event_loop_policy(usual)


def test_no_policy_is_asked(foreign_policy, monkeypatch):
    """A policy of others and a patched asyncio.run change nothing: a whole run is made."""
    monkeypatch.setattr(asyncio, "run", lambda *_, **__: 1 / 0)
    run = lab.measure("sse", **QUICK)
    assert run.clean and run.delivered == 5


def test_inside_a_running_loop():
    """As in Jupyter: the thread has another loop than its caller."""

    async def outside():
        return asyncio.get_running_loop(), InThread(answer).result()

    outer, (inner, stopped) = asyncio.run(outside())
    assert inner is not outer and not stopped


def test_a_loop_that_cannot_be_made_raises(monkeypatch):
    """What kept it from beginning is raised by the call."""

    def none():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(thread, "new_loop", none)
    with pytest.raises(OSError, match="Too many open files"):
        InThread(answer).result()


def test_a_thread_that_cannot_start_raises(monkeypatch):
    """Without more threads the error is one sentence."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(CannotStart, match="No thread can be started"):
        InThread(answer)


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit, MemoryError])
def test_whatever_is_raised_inside_is_raised_outside(error):
    """Errors of every kind come out of the thread."""

    async def fail(stop):
        raise error

    with pytest.raises(error):
        InThread(fail).result()


def interrupting(times):
    """A tick that is interrupted so many times, as Ctrl-C interrupts it."""
    left = [KeyboardInterrupt()] * times

    def tick():
        if left:
            raise left.pop()

    return tick


def test_ctrl_c_asks_it_to_stop():
    """Once: the event is set, also before the coroutine has begun, and what it returns comes back."""

    async def until_stopped(stop):
        await stop.wait()
        return "partial"

    assert InThread(until_stopped).result(interrupting(1)) == "partial"


@pytest.mark.parametrize(
    ("tick", "raised"),
    [(lambda: interrupting(2), KeyboardInterrupt), (lambda: lambda: 1 / 0, ZeroDivisionError)],
    ids=["a second Ctrl-C", "a progress bar that fails"],
)
def test_what_a_tick_raises_cancels_it(tick, raised):
    """A second Ctrl-C or a failing progress bar cancels what runs in the thread, and is raised."""
    begun, ended = [], []

    async def stubborn(stop):
        begun.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(raised):
        InThread(stubborn).result(tick())
    assert ended == begun


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_ctrl_c_at_any_moment_ends_it():
    """Interrupted after a few milliseconds, whichever they are, a call ends in order."""

    async def until_stopped(stop):
        await stop.wait()
        return "partial"

    for number in range(20):
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0001 * (1 + number))
            assert InThread(until_stopped).result() == "partial"
        except KeyboardInterrupt:
            pass  # before there was anything to end
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_in_a_forked_child():
    """A process that was forked from one that has measured can run one of its own."""
    InThread(answer).result()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(in_child).get(20) is False


def in_child():
    """Run something in a thread; whether it was stopped."""
    return InThread(answer).result()[1]


ENDING = """
import atexit, threading, lab
from lab.errors import LabError

def late():
    try:
        print("measured", lab.measure("sse", clients=1, rate=5, duration=1).clean)
    except (LabError, RuntimeError) as error:
        print("said", error)

{how}
"""


@pytest.mark.parametrize("how", ["atexit.register(late)", "threading._register_atexit(late)"])
def test_in_a_process_that_is_ending(how):
    """It measures or raises; it does not wait for ever."""
    command = [sys.executable, "-c", ENDING.format(how=how)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.startswith(("measured True", "said "))


def test_what_is_over_cannot_be_interrupted():
    """Ctrl-C after the end is for the caller alone."""
    done = InThread(answer)
    while not done.ended.is_set():
        time.sleep(0.01)
    done.interrupt()
    assert done.result()[1] is False
