"""Listeners that cannot connect are counted apart from lost messages; processes that die are noticed."""

import asyncio
import http.server
import os
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import trustme

import lab
from lab.catalogue import MODES
from lab.child import RunFailed, without_tracebacks
from lab.cli import main
from lab.clients.attempts import KINDS, Attempts, kind_of
from lab.clients.link import Link, Refused, SentAway
from lab.clients.reconnecting import keep_receiving
from lab.errors import CannotStart, Overloaded
from lab.experiment import simulated as simulating
from lab.experiment.conditions import Conditions
from lab.experiment.connecting import LAB_SPARE, REASONS, NotConnected, allow_files, needs, sentence
from lab.experiment.fleet import Events, ListenerLog, kept_away
from lab.experiment.measure import Target
from lab.experiment.session import run_rounds
from lab.server.connections.socket_options import SPARE_DESCRIPTORS
from lab.techniques.endpoint import Endpoint
from lab.techniques.sse import ServerSentEvents
from tests.support.lab_here import LabHere
from tests.support.lab_process import ROOT
from tests.support.redis_server import free_port

pytestmark = pytest.mark.usefixtures("no_exchange")
SOON_S = 30.0
"""Much less than a run waits for listeners that are on their way."""


@contextmanager
def soon():
    """What is done in this block takes less time than a run would wait before it gives up."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SOON_S


# Kept out -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_lab():
    """A lab that lets five connections of one address in."""
    with LabHere(limits={"rate": 0, "per_address": 5}) as here:
        yield here


@pytest.mark.parametrize("mode", MODES)
def test_listeners_that_a_limit_keeps_out_are_no_lost_messages(small_lab, mode):
    """Two connections are the publisher's, so three of six listen: the run fails and says what to do."""
    with soon(), pytest.raises(NotConnected) as failed:
        lab.measure(mode, url=small_lab.address, clients=6, rate=5, duration=1, interval=0.2)
    said = str(failed.value)
    assert said.startswith("3 of 6 listeners could not connect: ") and "lost" not in said
    for part in ("--limit per_address=0", "ulimit -n 4096", "-c 3"):
        assert part in said


def test_the_command_line_reports_it_and_exits_1(small_lab, capsys):
    """A sentence on standard error, nothing that was not measured on standard output."""
    assert main(["--mode", "sse", "--url", small_lab.address, "-c", "6"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "3 of 6 listeners could not connect" in said.err


@pytest.mark.skipif(sys.platform == "win32", reason="it sets no limit of open files")
def test_too_few_files_are_known_before_the_run():
    """With `ulimit -n 256` 180 listeners do not fit: exit code 3, how many do, and how to get more."""
    line = f"ulimit -n 256; exec {sys.executable} run_lab.py --mode sse -c 180 -d 2s"
    command = ["bash", "-c", line]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 3 and done.stdout == "" and done.stderr.count("\n") == 1
    for part in ("27 of 180 listeners could not connect", "ulimit -n 4096", "-c 153"):
        assert part in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="it sets no limit of open files")
def test_a_soft_limit_is_raised_without_a_word():
    """Where the hard limit allows it, each process gets the files that it needs."""
    code = (
        "import resource, subprocess, sys; from lab.experiment.connecting import allow_files;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (80, resource.getrlimit(resource.RLIMIT_NOFILE)[1]));"
        "allow_files(90, relayed=False, own=True); subprocess.run(['sh', '-c', 'ulimit -n'])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert int(done.stdout) == 90 + LAB_SPARE and done.stderr == ""


def test_files_are_counted_in_each_process():
    """A relay has two connections for each listener, and an own lab keeps some files back."""
    assert LAB_SPARE == SPARE_DESCRIPTORS + 3
    assert needs(100, relayed=False, own=False) < needs(100, relayed=False, own=True) == 100 + LAB_SPARE
    assert needs(1000, relayed=True, own=True) > 2000
    allow_files(1, relayed=True, own=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_is_a_sentence(kind):
    """How many, of how many, why, and what helps; there are no other reasons."""
    assert set(REASONS) == set(KINDS)
    said = sentence(kind, 2, 5)
    assert said.startswith("2 of 5 listeners could not connect: ") and said.endswith("(-c 3).")
    assert "(-c" not in sentence(kind, 5, 5)


# Why ------------------------------------------------------------------------------------------


class Gateway(http.server.BaseHTTPRequestHandler):
    """A server that answers everything with a status in its path."""

    def do_GET(self):
        """The status is the first part of the path."""
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture(scope="module")
def gateway():
    """Where it listens."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def why(mode, url):
    """What a listener says after its first failure."""
    failures = asyncio.Queue()
    async with Link(url=url, fails=failures.put_nowait) as link:
        listening = asyncio.create_task(keep_receiving(mode, link))
        error = await asyncio.wait_for(failures.get(), 20)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return kind_of(error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("status", "kind"), [(502, "proxy"), (504, "proxy"), (503, "full"), (429, "rate"), (403, "answer")]
)
async def test_a_refusal_is_reported_with_its_status(gateway, mode, status, kind):
    """The lab or a proxy may answer; the report is the same for all techniques."""
    assert await why(mode, f"{gateway}/{status}") == kind


@pytest.mark.parametrize("mode", MODES)
async def test_what_keeps_a_listener_out_is_named(mode):
    """A port where nothing listens, a name that is not there, a server that closes the connection."""
    assert await why(mode, f"http://127.0.0.1:{free_port()}") == "refused"
    assert await why(mode, "http://lab.invalid") == "name"
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await why(mode, f"http://127.0.0.1:{port}") == "closed"


@pytest.mark.parametrize("mode", MODES)
async def test_a_certificate_that_is_not_trusted_is_named(mode):
    """TLS that fails is reported as TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        assert await why(mode, f"https://127.0.0.1:{port}") == "tls"


@pytest.mark.parametrize(
    ("error", "kind"),
    [(OSError(24, "Too many open files"), "files"), (OSError(23, ""), "files"), (OSError(99, ""), "ports"),
     (TimeoutError(), "timeout"), (ConnectionResetError(104, ""), "closed"),
     (Refused(503, "too_many_connections", ""), "full"), (Refused(0, "rate_limited", ""), "rate")],
)  # fmt: skip
@pytest.mark.skipif(sys.platform != "linux", reason="these are its numbers")
def test_errors_of_the_system_are_recognized(error, kind):
    """An error of the system is recognized by its number, because its text may be in any language."""
    assert kind_of(error) == kind


def test_a_held_poll_is_there(monkeypatch):
    """A waiting poll counts as connected until it fails; after a failure, when nothing refused it at once."""
    attempts, now = Attempts(), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert not attempts.there(waits=True)
    attempts.ask()
    assert attempts.there(waits=True) and not attempts.there(waits=False)
    attempts.fail(TimeoutError())
    assert not attempts.there(waits=True)
    attempts.ask()
    assert not attempts.there(waits=True)
    now[0] += 2
    assert attempts.there(waits=True) and not attempts.kept_out
    attempts.accept()
    assert not attempts.there(waits=False)
    now[0] += 2
    assert attempts.there(waits=False)
    attempts.fail(TimeoutError())
    assert attempts.failures == 1


def test_a_yes_with_a_goodbye_is_no_place():
    """An event stream that a full lab answers by `bye` is kept out after some attempts."""
    attempts = Attempts()
    for _ in range(3):
        attempts.ask()
        attempts.accept()
        attempts.fail(SentAway())
    assert attempts.kept_out and attempts.reason == "full" and not attempts.there(waits=False)


def listener(messages, missed=0, failed=False, back=True):
    """What one listener received, and how often it failed."""
    ear = ListenerLog(Events())
    ear.messages, ear.missed = messages, missed
    ear.attempts.accept()
    if failed:
        ear.attempts.fail(ConnectionResetError())
        if back:
            ear.attempts.accept()
            ear.attempts.since -= 60
    return ear


def test_a_listener_is_owed_what_comes_while_it_is_connected():
    """Lost is what a connected listener did not get; what one missed that was kept away is not."""
    owed = [
        listener(5),
        listener(4),
        listener(4, missed=1),
        listener(4, failed=True),
        listener(5, failed=True),
    ]
    assert kept_away(owed, 5, waits=False) == {}
    away = [listener(4, failed=True, back=False), listener(4, missed=1, failed=True)]
    assert kept_away([*owed, *away], 5, waits=False) == {5: "closed", 6: "closed"}


# In the middle of a run -----------------------------------------------------------------------


def measured(here, act, **conditions):
    """Measure a lab by SSE, and do this once, after the second message."""
    done = threading.Event()

    def moved(share, text):
        if text.startswith("sse: 2 of") and not done.is_set():
            done.set()
            act()

    under = Conditions(**({"clients": 4, "rate": 10, "duration": 2} | conditions))
    return run_rounds(["sse"], under, Target(here.address), moved)


def listening_streams(here):
    """The connections of those who listen by SSE."""
    return [
        s for s in list(here.lab.server.open) if s.owner is here.lab.context.meters.techniques["sse"].receive
    ]


def drop(here, number):
    """Close the connections of some listeners."""

    def now():
        for stream in listening_streams(here)[:number]:
            stream.close()

    here.loop.call_soon_threadsafe(now)


def refuse(self):
    """Refuse every new listener; messages are still accepted."""
    if not self.sending:
        raise Overloaded("The lab has as many listeners as it takes.")
    return Endpoint.prepare(self)


def test_listeners_that_are_dropped_and_kept_out_are_named(monkeypatch):
    """Two of four lose their places in the middle of the run: no figures, no word of lost messages."""

    def act():
        monkeypatch.setattr(ServerSentEvents, "prepare", refuse)
        drop(here, 2)

    with LabHere(limits={"rate": 0, "per_address": 0}) as here, pytest.raises(NotConnected) as failed:
        measured(here, act)
    assert str(failed.value).startswith("2 of 4 listeners could not connect: ")


def test_listeners_that_reconnect_receive_everything():
    """Cut off and accepted again at once: each message once, and figures of all."""
    with LabHere(limits={"rate": 0, "per_address": 0}) as here:
        (run,) = measured(here, lambda: drop(here, 2))
    assert run.clean and run.delivered == run.expected == 80


# Processes that die ---------------------------------------------------------------------------


def test_a_missing_python_is_reported(monkeypatch):
    """Without an interpreter nothing can be started, which is reported at once."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with soon(), pytest.raises(CannotStart, match="could not be started by '/no/such/python'"):
        lab.measure("sse", clients=1, duration=1, payload=41)


@pytest.fixture
def listener_processes(monkeypatch):
    """The listener processes that are started; `module` is started instead of the right one."""
    started, usual = [], simulating.child

    def child(module, plan, name):
        listens = module == "lab.experiment.fleet"
        process = usual(listener_processes.module if listens else module, plan, name)
        started.extend([process] if listens else [])
        return remembered(process) if listens else process

    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def remembered(starting):
        async with starting as process:
            listener_processes.process = process
            yield process

    def listener_processes():
        return started

    listener_processes.module = "lab.experiment.fleet"
    monkeypatch.setattr(simulating, "child", child)
    return listener_processes


def test_a_listener_process_that_cannot_start_is_noticed_at_once(listener_processes, capfd):
    """One sentence with the reason, and no traceback of the process on the screen."""
    listener_processes.module = "lab.experiment.no_such_module"
    with (
        soon(),
        pytest.raises(RunFailed, match=r"simulated clients ended too early \(exit code 1\): .*no_such"),
    ):
        lab.measure("sse", clients=2, rate=5, duration=60)
    assert "Traceback" not in capfd.readouterr().err


def test_a_listener_process_that_is_killed_is_noticed_at_once(listener_processes):
    """In the middle of the run, too, and not at its end."""
    with LabHere() as here, soon(), pytest.raises(RunFailed, match="killed by SIGKILL"):
        measured(here, lambda: os.kill(listener_processes.process.pid, 9), duration=60)


def test_a_lab_that_goes_away_is_noticed_at_once():
    """A lab that answers no more ends the run with a sentence."""
    with soon(), LabHere() as here, pytest.raises(RunFailed, match="is gone"):
        measured(
            here, lambda: here.loop.call_soon_threadsafe(here.lab.server.stop) and here.cut(), duration=60
        )


def test_tracebacks_stay_out():
    """Of what a process says on standard error, tracebacks are left out, and nothing else."""
    traceback = [
        "Traceback (most recent call last):\n",
        '  File "x", line 1\n',
        "    ^^^\n",
        "ValueError: no\n",
    ]
    assert list(without_tracebacks(["one\n", *traceback, "two\n", *traceback])) == ["one\n", "two\n"]
