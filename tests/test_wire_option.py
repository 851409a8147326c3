"""`--wire`: the bytes of one message by each technique, recorded after the measured time."""

import asyncio
import io
import json
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

import lab
from lab.anatomy.dissection import dissect
from lab.anatomy.printing import lines, print_to
from lab.anatomy.units import Part, totals
from lab.catalogue import MODES, TECHNIQUES
from lab.experiment.conditions import Conditions
from lab.experiment.measure import Target
from lab.experiment.one_message import RecordingRelay, one_message
from lab.experiment.session import run_rounds
from lab.results.runs import document, flat
from lab.results.wire import parts_of, show_wires
from tests.support.certificates import certificate
from tests.support.lab_here import LabHere
from tests.support.run_lab import QUICK, run_lab
from tests.support.wire import HOST

COLOUR = re.compile(r"\x1b\[[\d;]*m")
TWICE = ("longpoll", "sse")
"""One that asks again and one that streams."""


@pytest.fixture(scope="module")
def runs():
    """A run of each technique with its exchange."""
    return measured(MODES, rounds=1)


@pytest.fixture(scope="module")
def rounds():
    """Two rounds of two techniques."""
    return measured(TWICE, rounds=2)


def measured(modes, rounds):
    """Short runs, each technique's first with its exchange."""
    conditions = Conditions(clients=2, rate=5, duration=1, interval=0.2, rounds=rounds)
    return run_rounds(list(modes), conditions, Target(settings={"redis": "private"}), wire=True)


def of(runs, mode):
    """The first run of a technique."""
    return next(run for run in runs if run.mode == mode)


def both(wire):
    """The record of the request that received, and of the send."""
    return {name: wire[name] for name in ("parts", "left_out", "units")}, wire["send"]


def shown(runs, **options):
    """What the terminal shows."""
    screen = io.StringIO()
    show_wires(runs, Console(file=screen, width=80, **options))
    return screen.getvalue()


@pytest.mark.parametrize("mode", MODES)
def test_the_fields_tile_the_bytes(runs, mode):
    """Shape of `/wire`: the fields of each direction follow each other from the first byte to the last."""
    for found in both(of(runs, mode).wire):
        assert found["left_out"] == 0 and found.keys() == {"parts", "left_out", "units"}
        for came in (True, False):
            size = sum(len(part["text"]) for part in found["parts"] if part["came"] is came)
            fields = [field for unit in found["units"] if unit["came"] is came for field in unit["fields"]]
            assert [field["start"] for field in fields] == [0, *(field["end"] for field in fields)][:-1]
            assert fields[-1]["end"] == size
        assert not [unit for unit in found["units"] if unit["kind"] == "cut"]
        times = [part["at"] for part in found["parts"]]
        assert times[0] == 0 and times == sorted(times)


@pytest.mark.parametrize("mode", MODES)
def test_it_is_one_message(runs, mode):
    """One request received it, one send published it: the message in both has the same mid and body."""
    receiving, sending = both(of(runs, mode).wire)
    assert [unit["kind"] for unit in receiving["units"]].count("request") == 1
    assert [unit["kind"] for unit in sending["units"]].count("request") == 1
    fields = [field for unit in receiving["units"] for field in unit["fields"]]
    message = json.loads("".join(field["value"] for field in fields if field["part"] == "payload"))
    assert message["type"] == "message" and len(message["body"]) == 40
    sent = "".join(part["text"] for part in sending["parts"] if not part["came"])
    assert message["id"] in sent
    assert totals(dissect(parts_of(sending), mode))["payload"] > 80


@pytest.mark.parametrize("mode", MODES)
def test_its_bytes_are_in_no_figure(runs, rounds, mode):
    """The run counts what its own listeners received and its own publisher sent, in each round."""
    for run in (run for run in runs + rounds if run.mode == mode):
        assert run.clean and run.receive["messages"] == run.delivered == 10
        assert run.send["messages"] == run.sent == 5
        assert run.receive["connections"] == 2
        if TECHNIQUES[mode].verb == "stream":
            assert run.receive["requests"] == 2


def test_only_the_first_round_has_it(rounds):
    """The exchange of another round would show nothing else."""
    found = document(rounds)["runs"]
    assert len(found) == 4 and ["wire" in run for run in found] == [True, True, False, False]


def test_a_record_has_it(runs, tmp_path):
    """A record has it where it is there, a CSV never; it comes back as it was saved."""
    assert [run["mode"] for run in document(runs)["runs"] if "wire" in run] == list(MODES)
    assert [name for name in flat(runs[0]) if name.startswith("wire")] == ["wire_bytes"]
    lab.save(runs, tmp_path / "runs.json")
    assert lab.load(tmp_path / "runs.json") == runs


def test_it_is_printed_unit_by_unit(runs):
    """Every byte of both exchanges, in 80 columns, with the sizes of the parts above."""
    text = shown(runs, no_color=True)
    assert max(map(cell_len, text.splitlines())) <= 80
    for mode in MODES:
        for how, found in zip(("received", "sent"), both(of(runs, mode).wire), strict=True):
            sizes = totals(dissect(parts_of(found), mode))
            parts = ", ".join(f"{part} {size}" for part, size in sizes.items())
            assert f"{mode}: one message, {how} ({parts} bytes)" in text
    exchange = shown([of(runs, "sse")], no_color=True)
    wanted = sum(len(part["text"]) for found in both(of(runs, "sse").wire) for part in found["parts"])
    rows = re.findall(r"^[0-9a-f]{6} ((?:[0-9a-f]{2} ?)+)", exchange, re.MULTILINE)
    assert sum(len(row.split()) for row in rows) == wanted


def test_each_part_has_its_look(runs):
    """In colours as the figures: a head is pale, framing and payload have the technique's colour."""
    coloured = shown([of(runs, "websocket")], force_terminal=True, color_system="truecolor")
    red, green, blue = (int(TECHNIQUES["websocket"].dark[at : at + 2], 16) for at in (1, 3, 5))
    rows = {part: [row for row in coloured.splitlines() if f" {part} " in row] for part in PARTS}
    assert all(row.startswith("\x1b[2m") for row in rows["head"] if row[0] == "\x1b")
    assert f"\x1b[38;2;{red};{green};{blue}m" in "".join(rows["framing"])
    assert f"\x1b[1;38;2;{red};{green};{blue}m" in "".join(rows["payload"])
    plain = shown([of(runs, "websocket")], force_terminal=True, color_system="truecolor", no_color=True)
    assert "38;2" not in plain and COLOUR.sub("", plain) == COLOUR.sub("", coloured)


PARTS = ("head", "framing", "payload")


def test_chinese_is_cut_by_its_width():
    """A Chinese character takes two columns, in colours too."""
    parts = [Part(0, False, b"\x81\x7e\x00\x96" + "长".encode() * 50)]
    screen = io.StringIO()
    print_to(Console(file=screen, force_terminal=True, color_system="truecolor"), parts)
    found = COLOUR.sub("", screen.getvalue()).splitlines()
    assert found == list(lines(parts)) and 78 <= max(map(cell_len, found)) <= 80


def test_a_notebook_shows_it_in_colours(monkeypatch, capsys):
    """`lab.anatomy.show` uses colours where there are some, and none in a file."""
    lab.anatomy.show("818537fa213d7f9f4d5158")
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    lab.anatomy.show("818537fa213d7f9f4d5158")
    assert "\x1b[" in capsys.readouterr().out


def test_json_stands_alone():
    """With `--json` the exchange is in the run, and standard output holds nothing else."""
    done = run_lab("--mode", "websocket", "--wire", "--json", "--subprotocol", "json", *QUICK)
    (run,) = json.loads(done.stdout)["runs"]
    assert done.returncode == 0 and {"parts", "left_out", "units", "send"} == run["wire"].keys()


def test_the_command_line_prints_it():
    """`--wire` prints the exchange below the figures, without colours in a pipe."""
    done = run_lab("--mode", "longpoll", "--wire", *QUICK)
    figures, _, exchange = done.stdout.partition("longpoll: one message, sent")
    assert "Nothing lost" in figures and "longpoll: one message, received" in exchange
    assert done.stderr == "" and "\x1b" not in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80


async def test_a_lab_that_is_gone_costs_no_run():
    """Without an answer there is no exchange, and no error."""
    assert await one_message("sse", Conditions(), f"http://{HOST}:9", None) is None


def test_an_exchange_that_is_not_there(runs):
    """A line states it, for the first round of a technique."""
    text = shown([replace(run, wire=None) for run in runs])
    assert text.split() == " ".join(f"{mode}: no exchange was recorded" for mode in MODES).split()


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A lab behind TLS, and its certificate."""
    files = certificate(tmp_path_factory.mktemp("tls"), "lab")
    with LabHere(**files) as school:
        yield school.address, files["certfile"]


@pytest.mark.parametrize("mode", MODES)
def test_a_lab_behind_tls(mode, secure):
    """The bytes are those before encryption."""
    found = asyncio.run(one_message(mode, Conditions(), *secure))
    for record in both(found):
        kinds = [unit["kind"] for unit in record["units"]]
        assert {"request", "response"} <= set(kinds) and "cut" not in kinds


async def test_the_relay_keeps_nothing_after_its_end(school):
    """After `stop` bytes still pass, and none is kept."""
    head = f"GET /history HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    async with RecordingRelay(school.address, None) as relay:
        reader, writer = await asyncio.open_connection(HOST, int(relay.url.rpartition(":")[2]))
        for _ in range(2):
            writer.write(head)
            await reader.readuntil(b"}")
            assert b"".join(part.data for part in relay.parts if part.came) == head
            relay.stop()
        writer.close()
