"""Behind TLS everything holds that holds without it, and what encryption adds is counted separately."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from lab.server.connections.tls_stream import on_the_wire
from lab.server.lesson.lan import Network
from lab.server.lifecycle import running
from lab.settings import Settings
from lab.tls import trusting
from tests.support.certificates import certificate
from tests.support.counting import visit
from tests.support.drafts import number
from tests.support.framings import ServerSentEvents
from tests.support.lab_here import temporary
from tests.support.lab_process import ROOT, LabProcess
from tests.support.lab_state import here, meters, publish
from tests.support.listeners import each_technique
from tests.support.relay import relay, unencrypted
from tests.support.wire import DEADLINE_S, HOST, JSON, Wire, eventually, fetch
from tests.test_conservation import test_nothing_is_counted_twice_or_not_at_all
from tests.test_delivery import (
    test_a_message_sent_while_a_listener_connects_is_received_once,
    test_a_new_listener_receives_everything_kept,
    test_a_streaming_answer_sends_its_head_before_the_first_event,
    test_hostile_text_stays_one_event,
    test_latest_means_from_now_on,
    test_messages_come_in_order,
    test_nothing_is_lost_or_doubled_across_reconnects,
    test_the_same_mid_is_stored_once,
)
from tests.test_gaps_and_resets import test_a_gap_has_the_exact_number
from tests.test_meters import (
    test_a_header_is_head_and_nothing_else,
    test_payload_is_the_message_objects_times_the_receivers,
    test_the_meters_equal_a_relay_to_the_byte,
    test_the_meters_equal_the_clients_own_count,
)
from tests.test_open_requests import test_leaving_frees_the_place, test_one_message_answers_every_held_request
from tests.test_own_forms import test_a_fragmented_send_is_one_send, test_a_websocket_answers_a_ping

BEHIND_TLS = [
    test_a_fragmented_send_is_one_send,
    test_a_gap_has_the_exact_number,
    test_a_header_is_head_and_nothing_else,
    test_a_message_sent_while_a_listener_connects_is_received_once,
    test_a_new_listener_receives_everything_kept,
    test_a_streaming_answer_sends_its_head_before_the_first_event,
    test_a_websocket_answers_a_ping,
    test_hostile_text_stays_one_event,
    test_latest_means_from_now_on,
    test_leaving_frees_the_place,
    test_messages_come_in_order,
    test_nothing_is_counted_twice_or_not_at_all,
    test_nothing_is_lost_or_doubled_across_reconnects,
    test_one_message_answers_every_held_request,
    test_payload_is_the_message_objects_times_the_receivers,
    test_the_meters_equal_a_relay_to_the_byte,
    test_the_meters_equal_the_clients_own_count,
    test_the_same_mid_is_stored_once,
]
"""Promises made elsewhere that pytest finds here again, with the labs of this file."""
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
QUICK = ["-c", "3", "-r", "5", "-d", "1s", "--redis", "private", "--quiet"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The certificate of this file's labs."""
    return certificate(tmp_path_factory.mktemp("tls"), "lab")


@pytest.fixture(scope="module")
def secure(shown):
    """A lab behind TLS."""
    process = LabProcess(**shown)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def counted(secure, shown):
    """The port where plain clients reach it, for the tests of the meters."""
    with unencrypted(secure.port, trusting(shown["certfile"])) as port:
        yield port


@pytest.fixture(scope="module")
def lab(counted):
    """The same, for the tests of the contract."""
    return SimpleNamespace(port=counted)


@pytest.fixture(scope="module")
def full_history(shown):
    """Another such lab, in whose room 250 messages were sent: its port and all their cursors."""
    process = LabProcess(**shown)
    with unencrypted(process.port, trusting(shown["certfile"])) as port:
        yield port, asyncio.run(publish(port, 250))
    process.stop()


async def test_a_forbidden_frame_is_sent_to_a_lab_behind_tls(lab):
    """The lab reaches itself by https too."""
    answer = await fetch(lab.port, "POST", "/anatomy/break", JSON, b'{"frame":"rsv2"}')
    assert answer.status == 200
    assert [unit["kind"] for unit in answer.json["units"]][-1] == "close"


# What encryption adds -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weighed(shown):
    """A lab behind TLS that no other test uses."""
    process = LabProcess(**shown)
    yield process.port
    process.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports what a connection has moved")
@each_technique
async def test_tls_bytes_are_what_encryption_adds(mode, weighed, shown):
    """`tls_bytes` grows by what two relays, one before and one behind the encryption, differ."""
    tls = trusting(shown["certfile"])
    async with relay(weighed) as outer, relay(outer.port, tls) as inner:
        wire = await Wire.open(inner.port)
        await look(wire, outer, inner)  # the handshake is over
        counted, added = await look(wire, outer, inner)
        await visit(mode, inner.port, await here(inner.port))

        async def agrees():
            counted_now, added_now = await look(wire, outer, inner)
            return counted_now - counted == added_now - added > 1000

        try:
            await eventually(agrees, "tls_bytes grow by what encryption added")
        finally:
            wire.abort()


async def look(wire, outer, inner):
    """What the lab says that encryption has added, and what passed the relays until it said so."""
    before = outer.from_lab - inner.from_lab
    counts = (await wire.ask("GET", "/meters")).json
    return counts["total"]["tls_bytes"], before + outer.to_lab - inner.to_lab


async def test_without_tls_there_is_no_figure_for_it(start_lab):
    """A plain lab's total has no such figure."""
    assert (await meters(start_lab().port))["total"].keys() == {"bytes_in", "bytes_out", "connections"}


def listen_slowly(port, tls):
    """A stream over a connection that takes in 4 KiB, read as far as its head."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE_S)
    connection.connect((HOST, port))
    slow = tls.wrap_socket(connection)
    slow.sendall(f"GET /sse?after=latest HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"retry: 2000\n\n"):
        head += slow.recv(1)
    return slow


def read_to(slow, text, last):
    """What came after the head, up to this message: the events' numbers, and how many were missed."""
    while f"id: {last}\n".encode() not in text or not text.endswith(b"\n\n"):
        more = slow.recv(65536)
        assert more, "the lab has closed the connection"
        text += more
    events = [json.loads(data) for _, data, _ in ServerSentEvents().feed(text)]
    missed = sum(event["missed"] for event in events if event["type"] == "gap")
    return [number(event["id"]) for event in events if event["type"] == "message"], missed


async def test_a_slow_listener_behind_tls_loses_nothing_unsaid(secure, shown, lab):
    """What an encrypted connection could not take at once is sent later, and a drop is reported."""
    start = number(await here(lab.port))
    with await asyncio.to_thread(listen_slowly, secure.port, trusting(shown["certfile"])) as slow:
        text = b""
        for _ in range(40):
            last = (await publish(lab.port, 10, "😀" * 490))[-1]
            text += await asyncio.to_thread(slow.recv, 800)  # who reads nothing at all is closed in time
        numbers, missed = await asyncio.to_thread(read_to, slow, text, last)
    assert numbers == sorted(set(numbers))
    assert len(numbers) + missed == number(last) - start
    assert missed > 0


# Around it ----------------------------------------------------------------------------------------


def open_with(certificate):
    """What a lab that shows this certificate says, and its exit code."""
    refused = LabProcess(**certificate)
    code = refused.wait()
    refused.stop()
    return code, refused.greeting["error"]


def test_a_certificate_that_no_client_can_trust_is_exit_3(tmp_path, shown):
    """Missing, foreign, expired or not yet valid: the lab says which in one sentence and does not start."""
    other, later = certificate(tmp_path, "other"), datetime.now(UTC) + timedelta(days=1)
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("no certificate")
    for wrong, said in {
        "No such file": shown | {"keyfile": str(tmp_path / "none")},
        "mismatch": shown | {"keyfile": other["keyfile"]},
        "no certificate": shown | {"certfile": str(nonsense)},
        "expired": certificate(tmp_path, "old", not_before=LONG_AGO - timedelta(1), not_after=LONG_AGO),
        "not yet valid": certificate(tmp_path, "new", not_before=later, not_after=later + timedelta(1)),
    }.items():
        code, sentence = open_with(said)
        assert (code, wrong in sentence, sentence.count(".\n")) == (3, True, 0), sentence


@pytest.mark.parametrize("secure", [False, True])
def test_the_address_for_phones_has_the_right_scheme(secure):
    """The address that the class sees begins with https when the lab uses it."""
    server = SimpleNamespace(settings=Settings(certfile="any" if secure else None))
    assert Network(server, 8000, ["192.0.2.1"]).url == f"http{'s' * secure}://192.0.2.1:8000/"


def run_lab(*arguments):
    """Run the command and wait for its end."""
    command = [sys.executable, "run_lab.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_a_run_behind_tls_is_a_run(shown):
    """A measured run behind TLS receives everything, and counts and predicts bytes before encryption."""
    options = [f"--{name}={value}" for name, value in shown.items()]
    done = run_lab("--mode", "websocket", "--json", *options, *QUICK)
    run = json.loads(done.stdout)["runs"][0]
    assert (done.returncode, run["lost"]) == (0, 0)
    assert run["receive"]["bytes_out"] > 0
    assert abs(measured(run) - run["predicted"]["bytes"]) / measured(run) < 0.05


def measured(run):
    """All bytes that receiving cost."""
    return run["receive"]["bytes_in"] + run["receive"]["bytes_out"]


def test_a_running_lab_is_measured_by_https(secure, shown):
    """With its certificate a lab that runs is measured; without it, or with another, it is not trusted."""
    url = f"--url=https://{HOST}:{secure.port}"
    assert run_lab("--mode", "sse", url, f"--certfile={shown['certfile']}", *QUICK).returncode == 0
    refused = run_lab("--mode", "sse", url, *QUICK)
    assert (refused.returncode, refused.stderr.count("Traceback")) == (3, 0)
    assert "certificate" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports what a connection has moved")
def test_the_end_of_a_connection_is_no_byte():
    """The kernel counts the peer's goodbye as a byte received; it is none."""
    with socket.create_server((HOST, 0)) as server, socket.create_connection(server.getsockname()) as peer:
        connection, _ = server.accept()
        with connection:
            peer.sendall(b"abc")
            connection.sendall(b"defg")
            peer.shutdown(socket.SHUT_WR)
            assert connection.recv(10) + connection.recv(10) == b"abc"
            assert on_the_wire(connection) == 7


async def test_clients_without_tls_do_not_fill_the_log(shown, start_lab):
    """Of many who come by http, or scan, the log says so once a second, and the lab goes on."""
    process, began = start_lab(**shown), time.monotonic()
    for _ in range(30):
        wire = await Wire.open(process.port)
        await wire.send(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            await wire.take_rest()
    lines = process.complaint().splitlines()
    assert all(line.startswith("WARNING SSL Error") for line in lines)
    assert 1 <= len(lines) <= 2 + time.monotonic() - began
    async with relay(process.port, trusting(shown["certfile"])) as at:
        assert (await fetch(at.port, "GET", "/healthz")).status == 200


async def test_the_teachers_cookie_is_for_https_alone(shown):
    """Behind TLS no browser shows the cookie to a plain server of the same name."""
    tls = trusting(shown["certfile"])
    async with running(Settings(**temporary(), **shown), temporary=True) as here, relay(here.port, tls) as at:
        answer = await fetch(at.port, "GET", f"/teacher?token={here.key.token}")
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("data", ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", f"GET /{'x' * 60_000}"])
def test_a_refusal_before_any_handler_arrives(secure, shown, data):
    """What cannot be read is refused by https as by http: whole, as JSON, and then the connection ends."""
    plain = socket.create_connection((HOST, secure.port), timeout=DEADLINE_S)
    with trusting(shown["certfile"]).wrap_socket(plain) as client:
        client.sendall(data.encode())
        answer = b""
        with suppress(ssl.SSLEOFError):
            while more := client.recv(65536):
                answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["error"].keys() == {"code", "message"}
