"""Every way to end: clients get a bye, a measured run prints its results, nothing is left running."""

import asyncio
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest

from lab import signals
from lab.server import lifecycle
from lab.server.ending import Ending
from lab.server.lifecycle import running
from lab.settings import Settings
from tests.support.command import PATIENCE_S, Command, start_lab
from tests.support.lab_here import temporary
from tests.support.lab_process import ROOT
from tests.support.leftovers import Mark
from tests.support.listeners import client
from tests.support.redis_server import free_port
from tests.support.run_lab import SERVE, wait_for_deliveries
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show all processes")
MEASURE = ["--mode", "sse", "-c", "2", "-d", "60s", "-r", "20", "--redis", "private"]
ENDS = {name: (signal.Signals[name],) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")}
ENDS |= {"timeout": (signal.SIGTERM, signal.SIGTERM), "closed terminal": (signal.SIGHUP, signal.SIGHUP)}
"""The signals that come at once: coreutils' `timeout` sends its own twice, and so does a shell's terminal."""


@pytest.fixture
def mark():
    """What all processes of a test carry; at its end none is left."""
    mark = Mark()
    yield mark
    wait_until(lambda: not mark.alive(), f"nothing is left of {mark.alive()}")


@contextmanager
def several(*options, mark, ports):
    """The same command once for each port, all at once."""
    with ExitStack() as labs:
        where = mark.environment
        yield [labs.enter_context(start_lab(*options, "--port", str(port), **where)) for port in ports]


def send(lab, numbers):
    """Send signals, one right after the other."""
    for number in numbers:
        lab.process.send_signal(number)


def test_a_classroom_sends_a_bye(mark):
    """By every way of ending, its clients receive a bye, its Redis ends, and the exit code is 0."""
    ports = [free_port() for _ in ENDS]
    with several(*SERVE, mark=mark, ports=ports) as labs:
        for lab in labs:
            lab.address()
        assert asyncio.run(last_events(labs, ports)) == ["bye"] * len(ENDS)
        assert [lab.ended()[0] for lab in labs] == [0] * len(ENDS)


async def last_events(labs, ports):
    """End each lab in its own way while clients listen; returns what they received."""
    listeners = [await client("sse", port).connect("latest") for port in ports]
    for lab, numbers in zip(labs, ENDS.values(), strict=True):
        send(lab, numbers)
    return [(await listener.receive(1, "bye"))[-1]["type"] for listener in listeners]


def test_a_measured_run_prints_its_results(mark):
    """By every way of ending, its table is printed, marked partial, and the exit code is 130."""
    ends = [ENDS[name] for name in ("SIGQUIT", "timeout", "closed terminal")]
    ports = [free_port() for _ in ends]
    with several(*MEASURE, mark=mark, ports=ports) as labs:
        for port in ports:
            wait_for_deliveries(port)
        for lab, numbers in zip(labs, ends, strict=True):
            send(lab, numbers)
        for lab in labs:
            code, out, _ = lab.ended()
            assert code == 130 and "PARTIAL" in out


def test_a_measured_run_that_is_killed_leaves_nothing(mark):
    """Its lab, its listeners and its Redis end with it, without a word."""
    port = free_port()
    with several(*MEASURE, mark=mark, ports=[port]) as (lab,):
        wait_for_deliveries(port)
        lab.process.kill()
        assert lab.ended() == (-signal.SIGKILL, "", "")


def test_nohup_is_honoured(mark):
    """A lab that was started with SIGHUP ignored does not end when the terminal does."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with several(*SERVE, mark=mark, ports=[0]) as (lab,):
            lab.address()
            send(lab, [signal.SIGHUP])
            assert int(status_of(lab.process.pid)["SigIgn"], 16) & 1 << signal.SIGHUP - 1
            send(lab, [signal.SIGTERM])
            assert lab.ended()[0] == 0
    finally:
        signal.signal(signal.SIGHUP, usual)


def status_of(pid):
    """What Linux reports about a process, by name."""
    with open(f"/proc/{pid}/status") as lines:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_a_second_signal_hurries(monkeypatch):
    """After one signal a lab waits for clients that stay; after two it closes at once, but in order."""
    monkeypatch.setattr(lifecycle, "GOODBYE_S", 10 * PATIENCE_S)
    monkeypatch.setattr(lifecycle, "LONGEST_GOODBYE_S", 10 * PATIENCE_S)
    monkeypatch.setattr(signals, "AGAIN_S", 0)
    opened = asyncio.get_running_loop().create_future()
    serve = asyncio.create_task(serve_until_told(opened))
    lab, stop = await opened
    listener = await client("websocket", lab.port).connect("latest")
    stop.request()
    await listener.receive(1, "bye")
    assert not serve.done()
    began = time.monotonic()
    stop.request()
    assert await serve == "ended in order"
    assert time.monotonic() - began < PATIENCE_S


async def serve_until_told(opened):
    """A lab as `run_lab.py` serves it."""
    stop = Ending()
    with stop.cut_short():
        async with running(Settings(**temporary()), temporary=True) as lab:
            opened.set_result((lab, stop))
            await stop.wait()
    return "ended in order"


def test_signals_at_the_same_moment_are_one():
    """A signal raises `KeyboardInterrupt`, its double does not; after the block all is as before."""
    before = {number: signal.getsignal(number) for number in signals.ending()}
    with signals.like_ctrl_c():
        for number in (signal.SIGTERM, signal.SIGHUP):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
            signal.raise_signal(number)
            signals_are_apart()
    assert before == {number: signal.getsignal(number) for number in signals.ending()}


def signals_are_apart():
    """Wait until the next signal is not the double of the last."""
    until = time.monotonic() + 2 * signals.AGAIN_S
    wait_until(lambda: time.monotonic() > until, "some time has passed")


# Inside another program ---------------------------------------------------------------------------

IN_A_LOOP = """
import asyncio, sys, lab.cli
async def cell():
    return lab.cli.main(sys.argv[1:])
sys.exit(asyncio.run(cell()))
"""
IN_A_THREAD = """
import sys, threading, lab.cli
threading.Thread(target=lab.cli.main, args=(sys.argv[1:],), daemon=True).start()
sys.stdin.readline()
"""


def test_inside_a_running_loop_it_serves_in_a_thread(mark):
    """As in a notebook: the call returns when Ctrl-C interrupts it, with 0, and the loop goes on."""
    with Command(sys.executable, "-c", IN_A_LOOP, *SERVE, "--port", "0", **mark.environment) as program:
        lab = program.address()
        assert urllib.request.urlopen(lab + "healthz", timeout=PATIENCE_S).status == 200
        send(program, [signal.SIGINT])
        code, out, err = program.ended()
        assert (code, err) == (0, "") and "closed" in out


def test_in_a_thread_it_ends_with_its_program(mark):
    """Where no signal can be set, none is; what the lab has started ends with the program."""
    command = (sys.executable, "-c", IN_A_THREAD, *SERVE, "--port", "0")
    with Command(*command, stdin=subprocess.PIPE, **mark.environment) as program:
        assert urllib.request.urlopen(program.address() + "healthz", timeout=PATIENCE_S).status == 200
        code, _, err = program.ended()
        assert (code, err) == (0, "")


NOTEBOOK = """
import os, signal, threading, time, urllib.request
def interrupt():
    for _ in range(2000):
        try:
            if urllib.request.urlopen("http://127.0.0.1:{port}/healthz").status == 200:
                return os.kill(os.getpid(), signal.SIGINT)
        except OSError:
            time.sleep(0.01)
threading.Thread(target=interrupt).start()
"""


def test_a_notebook_serves_until_it_is_interrupted(mark, monkeypatch):
    """`%run run_lab.py` serves in the cell that runs it, says how to stop it, and ends in order."""
    monkeypatch.setenv(*next(iter(mark.environment.items())))
    port = free_port()
    cells = [NOTEBOOK.replace("{port}", str(port)), f"%run {ROOT}/run_lab.py {' '.join(SERVE)} --port {port}"]
    import nbformat  # takes 3 s, and every worker of the test command imports this file
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=PATIENCE_S).execute()
    said = "".join(output.text for output in notebook.cells[1].outputs)
    assert "Interrupt the kernel" in said and "The lab is closed" in said
