"""Reports about exercises: closed until the teacher opens them, strict, bounded, and never a formula."""

import asyncio
import csv
import io
import json
import socket
import threading
import urllib.error

import pytest

from lab.cli import main
from lab.exercises import EXERCISES, Exercise
from lab.exercises.loading import known_steps, step_names
from lab.exercises.report import LAST_WAIT_S
from lab.exercises.session import Session
from lab.exercises.steps import load_steps
from lab.options import make_parser
from lab.server.lesson.class_sheet import MOST_NAMES, ClassSheet, Report
from tests.support.framings import TEXT, client_frame, read_frame
from tests.support.lab_here import LabHere
from tests.support.routes import watch
from tests.support.wire import HOST, JSON, fetch

GOOD = {"name": "李雷", "exercise": "echo", "step": "lengths", "passed": 4, "tries": 3, "hints": 1}
LEFT_OUT = object()


@pytest.fixture
def opened(school):
    """A lab whose teacher accepts reports, and has none yet."""
    school.lab.lesson.class_sheet.__init__()
    school.teacher_post("exercises", open=True)
    return school


def report(school, **changes):
    """Send a report as a student's program does; returns status and answer."""
    fields = {name: value for name, value in (GOOD | changes).items() if value is not LEFT_OUT}
    try:
        with school.ask("/exercises/report", fields, teacher=False) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def table(school):
    """The rows of the export."""
    with school.ask("/teacher/exercises.csv") as answer:
        return list(csv.DictReader(io.StringIO(answer.read().decode("utf-8-sig"))))


def sheet(school):
    """What is on the sheet."""
    return school.lab.lesson.class_sheet.as_json()


# Open and closed ----------------------------------------------------------------------------------


def test_reports_are_refused_until_the_teacher_opens_the_sheet(lab_here):
    """403 before and after, and nothing is kept; in between a report is on the sheet."""
    assert report(lab_here)[0] == 403 and sheet(lab_here)["names"] == []
    assert lab_here.teacher_post("exercises", open=True)["open"] is True
    status, answer = report(lab_here)
    assert (status, answer["name"]) == (200, "李雷")
    assert answer["exercises"] == {
        "echo": {"step": "lengths", "passed": 4, "tries": 3, "hints": 1, "steps": 9}
    }
    lab_here.teacher_post("exercises", open=False)
    status, answer = report(lab_here, name="韩梅梅")
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert [row["name"] for row in sheet(lab_here)["names"]] == ["李雷"]


@pytest.mark.parametrize("wanted", [{}, {"open": 1}, {"open": "true"}, {"open": None}])
def test_open_is_true_or_false(lab_here, wanted):
    """Anything else is 400, and the sheet stays closed."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab_here.ask("/teacher/exercises", wanted)
    refused.value.close()
    assert refused.value.code == 400 and not lab_here.lab.lesson.class_sheet.open


def test_a_reset_keeps_the_sheet(opened):
    """A teacher resets the meters between two steps of a lesson: what the class has done stays."""
    report(opened)
    before = sheet(opened)
    opened.teacher_post("reset")
    assert sheet(opened) == before and before["names"]


async def test_a_page_of_another_site_cannot_report(opened):
    """As for every POST: a foreign origin, a form and a foreign host name are refused."""
    body = json.dumps(GOOD).encode()
    for headers, status in (
        (JSON | {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        (JSON | {"Host": "evil.example"}, 421),
    ):
        answer = await fetch(opened.lab.port, "POST", "/exercises/report", headers, body)
        assert answer.status == status
    assert sheet(opened)["names"] == []


# Steps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda exercise: exercise.name)
def test_the_steps_are_those_that_the_check_does(exercise):
    """Names that are read from the file of a check are the names of the functions that run."""
    assert step_names(exercise) == tuple(step.__name__ for step in load_steps(exercise))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def a(t): ...\ndef b(t): ...\nSTEPS = (b, a)", ("b", "a")),
        ("from os.path import join\nSTEPS = (join,)", ("join",)),
        ("from os.path import join as a\nSTEPS = (a,)", ("join",)),
        ("def a(t): ...\nb = a\nSTEPS = (b,)", ("a",)),
        ("def a(t): ...\nSTEPS = [a]", ("a",)),
        ("def a(t): ...\nSTEPS = (*(a for _ in range(2)), a)", ("a", "a", "a")),
    ],
)
def test_a_check_that_computes_its_steps_is_loaded(tmp_path, source, names):
    """A plain list of functions is read; whatever else makes the list is run."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "own.py").write_text(source, "utf-8")
    assert step_names(Exercise("own", 5, folder=tmp_path)) == names


# What is accepted ---------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_step_can_be_reported(opened, exercise):
    """Each step as the first failing one, and null when all passed; the newest report replaces the last."""
    steps = known_steps()[exercise]
    for passed, step in enumerate((*steps, None)):
        assert report(opened, exercise=exercise, step=step, passed=passed)[0] == 200
    (row,) = table(opened)
    assert (row["exercise"], row["done"], row["passed"]) == (exercise, "1", str(len(steps)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", " ", " a", "a ", "a\n", "a\tb", "a\0b", "a\x7fb", "x" * 33)),
        *(("name", value) for value in (7, None, ["a"])),
        *(("name", f"a{sign}b") for sign in "\u202e\u2066\u200f\u200b\u2028\ufeff\x85\xad\U000e0041"),
        ("name", "a\ud800"), ("name", LEFT_OUT),
        *(("exercise", value) for value in ("telepathy", "../echo", "", None, 5, ["echo"], {}, LEFT_OUT)),
        *(("step", value) for value in ("telepathy", "close", "", None, 4, ["lengths"], {}, LEFT_OUT)),
        *((count, value) for count in ("passed", "tries", "hints")
          for value in (-1, 1.5, "4", True, None, 10**30, [], LEFT_OUT)),
        ("code", "print(1)"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(opened, field, value):
    """400 with the name of the field, whatever is wrong with it; nothing is kept."""
    status, answer = report(opened, **{field: value})
    assert (status, answer["error"]["code"]) == (400, "bad_parameter")
    assert field in answer["error"]["message"]
    assert sheet(opened)["names"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 50_000, b'{"name":NaN}'])
async def test_noise_is_refused(opened, body):
    """What is no JSON object is 400."""
    answer = await fetch(opened.lab.port, "POST", "/exercises/report", JSON, body)
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_json")


async def test_a_large_report_is_refused(opened):
    """Above the limit of a body it is 413."""
    answer = await fetch(opened.lab.port, "POST", "/exercises/report", JSON, b" " * 70_000)
    assert answer.status == 413


def test_one_name_is_one_row_however_its_accents_are_written(opened):
    """A letter with its accent, and a letter before an accent, are the same name."""
    for name in ("Zo\u00eb", "Zoe\u0308"):
        assert report(opened, name=name)[0] == 200
    assert [row["name"] for row in table(opened)] == ["Zo\u00eb"]


# Bounds -------------------------------------------------------------------------------------------


def test_the_sheet_has_a_last_line(opened):
    """The names are bounded: one more is 403, and those that are there go on."""
    passed = Report("echo", None, 9, 1, 0)
    for number in range(MOST_NAMES):
        opened.lab.lesson.class_sheet.add(f"student {number}", passed)
    status, answer = report(opened)
    assert (status, answer["error"]["code"]) == (403, "sheet_full")
    assert report(opened, name="student 7")[0] == 200
    assert len(sheet(opened)["names"]) == MOST_NAMES


def test_an_address_that_reports_too_fast_has_to_wait():
    """429 above the limit of sends, as for messages; the lab goes on."""
    with LabHere(limits={"rate": 2}) as school:
        school.teacher_post("exercises", open=True)
        found = {report(school)[0] for _ in range(40)}
        assert found == {200, 429}


# For the teacher ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", '=HYPERLINK("http://x.y")', "a,b", '"']
)
def test_no_name_becomes_a_formula(opened, name):
    """A spreadsheet computes nothing of a name, and its commas and quotes stay in its cell."""
    assert report(opened, name=name)[0] == 200
    (row,) = table(opened)
    assert row["name"].removeprefix("'") == name and row["name"][0] not in "=+-@＝"
    assert row | {"name": ""} == {
        "name": "", "exercise": "echo", "done": "0", "step": "lengths",
        "passed": "4", "steps": "9", "tries": "3", "hints": "1",
    }  # fmt: skip


def test_the_most_frequent_failing_step():
    """Of each name the newest report counts; of equally frequent steps the earliest is shown."""
    class_sheet = ClassSheet()
    class_sheet.set_open(True)
    assert class_sheet.stuck() is None
    for name, exercise, step, passed in (
        ("A", "echo", "binary", 5), ("A", "mute", "listens", 0), ("B", "echo", "binary", 5),
        ("C", "echo", "lengths", 4), ("D", "echo", None, 9),
    ):  # fmt: skip
        class_sheet.add(name, Report(exercise, step, passed, 1, 0))
    assert class_sheet.stuck() == {"exercise": "mute", "step": "listens", "number": 1, "count": 1}
    class_sheet.add("A", Report("echo", "binary", 5, 1, 0))
    assert class_sheet.stuck() == {"exercise": "echo", "step": "binary", "number": 6, "count": 2}


async def asked(school, message):
    """What a student's page receives on `/live` in return for a message."""
    wire = await watch(school.lab.port)
    await wire.send(client_frame(TEXT, json.dumps(message).encode()))
    while (answer := json.loads((await read_frame(wire)).payload))["type"] == "news":
        assert "names" not in json.dumps(answer)
    return answer


async def test_a_student_sees_no_sheet(opened):
    """On `/live` the sheet is for the teacher; a page may ask for one name, and gets that one alone."""
    assert await asyncio.to_thread(report, opened) == await asyncio.to_thread(report, opened)
    await asyncio.to_thread(report, opened, name="韩梅梅", step=None, passed=9)
    assert (await asked(opened, {"type": "sheet"}))["error"]["code"] == "forbidden"
    own = await asked(opened, {"type": "progress", "name": "韩梅梅"})
    assert own["exercises"]["echo"]["step"] is None and "李雷" not in json.dumps(own, ensure_ascii=False)
    assert (await asked(opened, {"type": "progress", "name": "Jim"}))["exercises"] == {}
    answer = await fetch(opened.lab.port, "GET", "/teacher/exercises.csv", {"Host": HOST})
    assert answer.status == 403


# From the student's computer ----------------------------------------------------------------------


@pytest.fixture
def student(tmp_path, monkeypatch, capsys):
    """Run the command in a folder with a program that fails at once; returns code and output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "echo.py").write_text("raise SystemExit", "utf-8")

    def run(*options):
        code = main(["--language", "en", *options])
        return code, capsys.readouterr()

    return run


@pytest.mark.parametrize("base", ["", "/"])
def test_a_check_is_reported(opened, student, base):
    """Name, exercise, step, tries and hints arrive, and no line of the program; the check is as without."""
    student("--exercise", "echo", "--hint")
    code, shown = student("--exercise", "echo", "--report-to", opened.address + base, "--name", " 李雷 ")
    assert code == 1 and "step 1 of 9" in shown.out
    assert "Reported to the teacher's lab as 李雷." in shown.out
    found = {"step": "connect", "passed": 0, "tries": 1, "hints": 1, "steps": 9}
    assert sheet(opened)["names"] == [{"name": "李雷", "exercises": {"echo": found}}]


def test_a_lab_below_a_path_gets_reports(student):
    """The address of the lab may have a base path."""
    with LabHere(base="/lab/") as school:
        school.address = school.address.removesuffix("/lab")
        school.lab.lesson.class_sheet.set_open(True)
        student("--exercise", "echo", "--report-to", f"{school.address}/lab", "--name", "Jim")
        assert [row["name"] for row in sheet(school)["names"]] == ["Jim"]


def test_a_report_that_is_not_taken_is_one_line(lab_here, student):
    """Closed, unreachable or refused: a sentence, and the check and its exit code as without a report."""
    with socket.create_server((HOST, 0)) as silent:
        dead = f"http://{HOST}:{silent.getsockname()[1]}"
    for url, name, sentence in (
        (lab_here.address, "Jim", "does not accept reports now"),
        (dead, "Jim", f"{dead} does not answer"),
    ):
        code, shown = student("--exercise", "echo", "--report-to", url, "--name", name)
        assert (code, shown.err) == (1, "") and "step 1 of 9" in shown.out
        assert len([line for line in shown.out.splitlines() if sentence in line]) == 1
    lab_here.teacher_post("exercises", open=True)
    code, shown = student("--exercise", "echo", "--report-to", lab_here.address, "--name", "x" * 33)
    assert code == 1 and "refused the report: name must be 1 to 32" in shown.out


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (403, b'{"error":{"code":"sheet_full","message":"Full."}}', "refused the report: Full."),
        (400, b'{"error":{"code":"x","message":"\\u001b[2J\\u202eevil"}}', "the report:  [2J evil"),
        (302, b"<html>", "refused the report: HTTP 302"),
        (404, b"[" * 5000, "refused the report: HTTP 404"),
        (200, b"[]", "Reported to the teacher's lab as Jim."),
    ],
)
def test_the_answer_of_any_server_is_one_line(student, status, answer, sentence):
    """Whatever answers at the address: one line of text that does nothing to a terminal."""
    with socket.create_server((HOST, 0)) as listener:
        head = f"HTTP/1.1 {status} x\r\nLocation: /\r\nContent-Length: {len(answer)}\r\n\r\n"
        threading.Thread(target=answer_once, args=(listener, head.encode() + answer), daemon=True).start()
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        code, shown = student("--exercise", "echo", "--report-to", url, "--name", "Jim")
    assert code == 1 and sentence in shown.out and "\x1b" not in shown.out


def answer_once(listener, answer):
    """Read one request with its body, and send this answer."""
    connection = listener.accept()[0]
    with connection:
        received = b""
        while b"hints" not in received:
            received += connection.recv(4096)
        connection.sendall(answer)


def test_each_check_is_reported_and_each_trouble_said_once(lab_here, student, capsys):
    """As with --watch: of two refused reports the second is silent; once accepted, each check arrives."""
    options = ["--exercise", "echo", "--report-to", lab_here.address, "--name", "Jim", "--language", "en"]
    session = Session(make_parser().parse_args(options))
    for is_open in (False, True):
        lab_here.teacher_post("exercises", open=is_open)
        for _ in range(2):
            session.show(session.check(EXERCISES["echo"]))
        session.show_report(session.texts(), LAST_WAIT_S)
    lines = capsys.readouterr().out.splitlines()
    for sentence in ("does not accept reports now", "Reported to the teacher's lab as Jim."):
        assert len([line for line in lines if sentence in line]) == 1
    (row,) = sheet(lab_here)["names"]
    assert row["exercises"]["echo"]["tries"] == 4


def test_a_lab_that_never_answers_delays_no_check(student, monkeypatch):
    """The result is shown before the report is known to have failed; the wait for it has an end."""
    monkeypatch.setattr("lab.exercises.report.SEND_S", 0.5)
    with socket.create_server((HOST, 0)) as silent:
        url = f"http://{HOST}:{silent.getsockname()[1]}"
        code, shown = student("--exercise", "echo", "--report-to", url, "--name", "Jim")
    assert code == 1 and shown.out.index("step 1 of 9") < shown.out.index("does not answer")


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (["--exercise", "echo", "--report-to", "http://x"], "--name"),
        (["--exercise", "echo", "--report-to", "http://x", "--name", " "], "--name"),
        (["--exercise", "echo", "--name", "Jim"], "--report-to"),
        (["--name", "Jim"], "--report-to"),
        (["--report-to", "http://x", "--name", "Jim"], "--exercise"),
        (["--exercise", "all", "--report-to", "http://x", "--name", "Jim"], "--exercise echo"),
        (["--exercise", "echo", "--json", "--report-to", "http://x", "--name", "Jim"], "--json"),
        *((["--exercise", "echo", "--report-to", url, "--name", "Jim"], "--report-to")
          for url in ("x", "ftp://x", "http://", "http://x:99999", "http://[::1", "http://a\nb")),
    ],
)  # fmt: skip
def test_wrong_usage_exits_2_and_says_what_to_add(student, options, missing):
    """A sentence with the option, no traceback, and no check."""
    code, shown = student(*options)
    assert code == 2 and missing in shown.err and "Traceback" not in shown.err
    assert "step" not in shown.out
