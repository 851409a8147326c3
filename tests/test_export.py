"""What the teacher takes home: JSON, CSV without formulas, and figures drawn beside the server."""

import asyncio
import csv
import http.client
import io
import json
import time
import urllib.error
import xml.etree.ElementTree

import pytest

import lab.figures.lesson
from lab.catalogue import MODES
from lab.errors import BadInput, BadParameter, CannotDraw
from lab.experiment.conditions import Conditions
from lab.meters import Meters
from lab.results.runs import flat
from lab.server.lesson import drawing
from lab.server.lesson.drawing import Drawing
from tests.support.drawing import texts
from tests.support.lab_here import LabHere

FORMULA = '=HYPERLINK("http://evil.example")'
PATIENCE_S = 30.0


@pytest.fixture
def school():
    """A class of the test's own."""
    with LabHere() as school:
        yield school


def say(school, mode, body, username="teacher"):
    """Send by a technique, and receive by it what was sent."""
    message = {"mid": f"00000000-0000-4000-8000-{time.monotonic_ns() % 10**12:012}"}
    school.ask(f"/{mode}", message | {"username": username, "body": body}).read()
    school.ask(f"/{mode}").read()


def exported(**received):
    """A lesson's JSON in which so many messages and bytes were received by some techniques."""
    meters = Meters()
    for mode, (messages, size) in received.items():
        meter = meters.techniques[mode].receive
        meter.requests, meter.messages, meter.bytes_out, meter.payload_bytes = (
            messages,
            messages,
            size,
            size // 2,
        )
        meter.delivery.add([0.25])
    crew = {"each": 5, "rtt_ms": 40}
    lesson = {"schema": "pushlab.lesson/1", "lab": {}, "taken": meters.since + 90, "simulated": False}
    return lesson | {"crew": crew, "strain": {}, "meters": meters.as_json()}


def waited_for(condition):
    """Whether something comes true before our patience ends."""
    until = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


# Figures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_figure_comes_as_a_file(school, kind):
    """The teacher gets a picture of the kind that was asked for, to be saved."""
    say(school, "shortpoll", "hello")
    with school.ask(f"/teacher/meters.{kind}") as answer:
        picture = answer.read()
        assert f'filename="pushlab-meters.{kind}"' in answer.headers["Content-Disposition"]
    if kind == "png":
        assert (answer.headers["Content-Type"], picture[:4]) == ("image/png", b"\x89PNG")
    else:
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert xml.etree.ElementTree.fromstring(picture).tag.endswith("svg")


def test_a_figure_shows_what_the_meters_count():
    """Bytes for each message, requests and delivery; under which conditions, and that it is measured."""
    words = texts(lab.figures.lesson.lesson(exported(sse=(40, 4000), shortpoll=(10, 9000))))
    for said in (
        "100 B = 2.00x",
        "900 B = 2.00x",
        " 40 ",
        "p50 250ms",
        "50 messages delivered",
        "for 90.0s",
    ):
        assert said in f" {words} "
    assert "Measured at the server's socket" in words
    assert words.count("not measured") == 3 * (len(MODES) - 2)
    assert "simulated" not in words


def test_the_figure_names_simulation():
    """So is the slow link between the simulated students and the lab."""
    words = texts(lab.figures.lesson.lesson(exported(sse=(4, 400)) | {"simulated": True}))
    assert "with simulated students, 5 each, simulated round trip 40 ms" in words


def test_a_figure_without_measurements_has_no_numbers(recwarn):
    """Before the first request no row has a figure, and no axis has ticks."""
    words = texts(lab.figures.lesson.lesson(exported()))
    assert words.count("not measured") == 3 * len(MODES) + 1
    assert " 0 B" not in words
    assert not recwarn.list


@pytest.mark.parametrize(
    "wrong", [{}, [], {"schema": "pushlab.run/1"}, {"schema": "pushlab.lesson/1", "meters": 7}]
)
def test_other_json_is_refused(wrong):
    """One sentence, no traceback."""
    with pytest.raises(BadInput):
        lab.figures.lesson.lesson(wrong)


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Let every new process find a matplotlib that does this instead of drawing."""

    def broken(code):
        (tmp_path / "matplotlib.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)

    return broken


def test_a_broken_matplotlib_is_reported(school, broken):
    """The error has the shape of all errors, and the reason in it; the lab goes on."""
    broken("raise ImportError('no drawing today')")
    with pytest.raises(urllib.error.HTTPError) as caught:
        school.ask("/teacher/meters.svg")
    error = json.load(caught.value)["error"]
    assert (caught.value.code, error["code"]) == (503, "cannot_draw")
    assert "no drawing today" in error["message"]
    assert "Traceback" not in error["message"]
    assert school.ask("/healthz").status == 200


def test_one_figure_is_drawn_at_a_time_and_blocks_no_request(school, broken):
    """While one is drawn the lab answers, a second is refused, and a disconnect ends the drawing."""
    broken("import time; time.sleep(600)")
    desk = school.lab.lesson.drawing
    first = http.client.HTTPConnection("127.0.0.1", school.lab.port)
    first.request("GET", "/teacher/meters.svg", headers={"Authorization": f"Bearer {school.lab.key.token}"})
    assert waited_for(lambda: desk.busy)
    assert school.ask("/healthz").status == 200
    with pytest.raises(urllib.error.HTTPError) as caught:
        school.ask("/teacher/meters.png")
    assert (caught.value.code, json.load(caught.value)["error"]["code"]) == (503, "cannot_draw")
    first.close()
    assert waited_for(lambda: not desk.busy)


async def test_a_drawing_that_takes_too_long_is_ended(broken, monkeypatch):
    """It is reported, the process is gone, and the next figure may be drawn."""
    broken("import time; time.sleep(600)")
    monkeypatch.setattr(drawing, "PATIENCE_S", 0.5)
    started, module = [], drawing.module

    async def start(*arguments, **pipes):
        started.append(await module(*arguments, **pipes))
        return started[-1]

    monkeypatch.setattr(drawing, "module", start)
    desk = Drawing()
    for _ in range(2):
        with pytest.raises(CannotDraw, match="not ready after"):
            await asyncio.wait_for(desk.picture("svg", b"{}"), PATIENCE_S)
    assert [artist.returncode for artist in started] == [-9, -9]


async def test_a_figure_that_cannot_be_drawn_is_reported():
    """The sentence of the process that draws is the sentence of the error."""
    with pytest.raises(CannotDraw, match="not an export of a lesson"):
        await Drawing().picture("svg", b'{"schema": "pushlab.lesson/1"}')


# Tables -------------------------------------------------------------------------------------------


def harmless(cell):
    """Whether a spreadsheet reads a cell as a number, as a word, or as nothing."""
    try:
        return not cell or float(cell) is not None
    except ValueError:
        return cell[0].isalpha()


def test_no_cell_of_the_meters_is_a_formula(school):
    """Whatever names and texts users send, cells are numbers, the lab's own words, or empty."""
    for mode in ("shortpoll", "longpoll"):
        for start in "=+-@\t\r":
            say(school, mode, f"{start}{FORMULA}", username=f"{start}{FORMULA}"[:30])
    with school.ask("/teacher/meters.csv") as answer:
        rows = list(csv.reader(io.StringIO(answer.read().decode(), newline="")))
    assert len(rows) == 1 + 2 * len(MODES)
    assert all(harmless(cell) for row in rows for cell in row)
    assert "evil" not in str(rows)


@pytest.mark.parametrize("name", ["arrivals", "headers"])
def test_no_text_of_a_user_is_in_a_run(name):
    """The conditions of a run that are words are some of the lab's own; anything else is refused."""
    with pytest.raises(BadParameter):
        Conditions(**{name: FORMULA})


def test_no_cell_of_a_run_is_a_formula():
    """One line of `--csv`: numbers, words of the lab, and no text from a listener or a machine."""
    run = lab.figures.lesson.runs_of(exported(sse=(4, 400)) | {"lab": {"platform": FORMULA}})[0]
    row = flat(run) | {f"condition_{key}": value for key, value in vars(Conditions()).items()}
    assert all(harmless("" if value is None else str(value)) for value in row.values()), row
