"""The exercises: a start fails at its fault, an answer passes, one mistake in an answer fails one step."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import lab
from lab.errors import BadParameter
from lab.exercises import EXERCISES
from lab.exercises.limits import Limits
from lab.exercises.screen import Screen
from lab.exercises.steps import check_program, load, load_steps
from lab.exercises.texts import Texts
from lab.exercises.transcript import result_lines
from lab.languages import CHINESE, ENGLISH
from tests.support.lab_process import ROOT

ANSWERS = ROOT / "tests" / "answers"
LANGUAGES = (ENGLISH, CHINESE)
SEED = 7
SMALL = {"ticks": 4, "silence_s": 2.5, "large": 8000, "stream": 50}
QUICK = Limits(step_s=4.0, receive_s=4.0, prompt_s=2.0, starts=1, **SMALL)
"""Short for what never comes; a slow machine has time for what comes."""
PATIENT = Limits(step_s=20.0, receive_s=5.0, prompt_s=5.0, starts=4, **SMALL)
FAULTS = {
    "mute": ("listens", "silent_port"),
    "upgrade": ("connects", "no_connection"),
    "handshake": ("example", "accept_decoded"),
    "frame": ("longer", "other_bytes"),
    "echo": ("binary", "other_bytes"),
    "beijing": ("zone", "zone"),
    "clock": ("connects", "no_connection"),
    "history": ("one", "no_history"),
    "leave": ("leaving", "silence"),
    "freeze": ("stalled", "no_pong"),
    "slow": ("memory", "grows"),
    "poll": ("silence", "silence"),
    "stream": ("cut", "other_event"),
    "resume": ("cut", "lost"),
    "claims": ("claims", "claim_1"),
    "eighth": ("parts", "silence"),
}
"""The step at which each start fails, and the sentence that it gets."""
each_exercise = pytest.mark.parametrize("name", EXERCISES)


def checked(name, path, lab, limits=QUICK):
    """The result of a check; the lab is for the exercise that needs one."""
    return check_program(EXERCISES[name], path, SEED, limits, lab=lab.port)


def found(result):
    """The step that failed and the key of its sentence; None when all passed."""
    return result.failure and (result.steps[result.passed], result.failure.mismatch.said.key)


def printed(result, language, capsys):
    """What a terminal of 80 columns shows of a result."""
    screen = Screen(Console(width=80, no_color=True, highlight=False))
    screen.show(result_lines(result, Texts(language, result.name)))
    return capsys.readouterr().out


@each_exercise
def test_a_start_fails_at_its_fault(name, lab, capsys):
    """The first step that fails names the fault, in both languages and in 80 columns."""
    result = checked(name, EXERCISES[name].start, lab)
    assert found(result) == FAULTS[name]
    for language in LANGUAGES:
        shown = printed(result, language, capsys)
        assert Texts(language, name)(f"step.{FAULTS[name][0]}") in shown
        assert max(map(cell_len, shown.splitlines())) <= 80
        assert "wrong." not in shown and "step." not in shown


@each_exercise
def test_an_answer_passes(name, lab, capsys):
    """Every step passes, with all starts of a program whose order matters."""
    result = checked(name, ANSWERS / f"{name}.py", lab, PATIENT)
    assert found(result) is None, printed(result, ENGLISH, capsys)


KEPT = 'headers.get("sec-websocket-version") != "13"'
MISTAKES = [
    ("mute", '(r"/chat", Chat),', '(r"/chat", Chat()),', "listens", "silent_port"),
    ("mute", "Application(routes)", "Application(routes[::-1])", "same_routes", "other_handler"),
    ("mute", "user.write_message(message)", "pass", "others_receive", "silence"),
    ("mute", "if user is not self", "if True", "not_the_sender", "own_message"),
    ("mute", '"""A user joins."""', 'print("!", file=__import__("sys").stderr)', "no_error", "stderr"),
    ("upgrade", "{LAB_PORT}/", "9/", "connects", "no_connection"),
    (
        "upgrade",
        "Upgrade: websocket\nConnection",
        "Upqrade: websocket\nConnection",
        "request",
        "request_header",
    ),
    ("upgrade", "s3pPLMBi", "S3pPLMBi", "response", "header"),
    (
        "handshake",
        '["sec-websocket-key"].encode() + GUID',
        '["sec-websocket-key"].encode()',
        "example",
        "accept_no_guid",
    ),
    ("handshake", ").digest()", ").hexdigest().encode()", "example", "accept_hex"),
    ("handshake", '"Connection: Upgrade", f', "f", "example", "no_header"),
    ("handshake", '{accept}"', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo="', "keys", "header"),
    ("handshake", KEPT, f'{KEPT} or headers["connection"] != "Upgrade"', "token_list", "status"),
    ("handshake", ".strip().lower():", ".strip():", "example", "status"),
    ("handshake", KEPT, "False", "version", "status"),
    ("handshake", 'first.startswith("GET ")', "first", "method", "status"),
    ("frame", "0x80 | len(data)", "len(data)", "example", "other_bytes"),
    ("frame", "os.urandom(4)", "bytes(4)", "other_masks", "same_mask"),
    ("frame", "2 if size == 126 else 8", "2", "lengths", "other_bytes"),
    ("frame", "first, second = exactly(read, 2)", "first, second = read(2)", "cut", "closed"),
    ("frame", "exactly(read, 4) if second & 0x80 else bytes(4)", "bytes(4)", "unmask", "other_text"),
    ("frame", "return first >> 7,", "return 1,", "fragments", "other_text"),
    ("echo", "send(message)", "send(str(message))", "binary", "other_bytes"),
    ("echo", "send(message)", 'send(message.encode("ascii", "replace").decode())', "emoji", "other_bytes"),
    ("echo", '["PORT"])', '["PORT"]), max_size=1000', "lengths", "other_bytes"),
    ("echo", "await connection.send(message)", "await later(connection, message)", "unmixed", "mixed"),
]
MISTAKES += [
    ("beijing", "hours=8", "hours=-5", "zone", "zone"),
    ("beijing", "1 - time.time() % 1", "1.1", "no_drift", "drift"),
    ("beijing", '"""Forget the client."""', "os._exit(1)", "reset", "closed"),
    ("beijing", '"""Forget the client."""', "print(1 / 0)", "all_leave", "stderr"),
    ("history", "-SIZE, -1):", "-1, -SIZE):", "one", "no_history"),
    ("history", "lrange(KEY, -SIZE, -1)", "lrange(KEY, 1 - SIZE, -1)", "counts", "other_history"),
    ("history", "await store.ltrim(KEY, -SIZE, -1)", "pass", "bounded", "too_long"),
    ("history", "asyncio.Lock()", "asyncio.Semaphore(99)", "joining", "lost_or_twice"),
    ("clock", 'os.environ["URL"]', '"ws://127.0.0.1:9/"', "connects", "no_connection"),
    ("clock", "print(data.decode())", "print(len(data))", "line", "not_printed"),
    ("clock", "min(2 * pause, LONGEST_S)", "FIRST_S", "lost", "same_pauses"),
    ("clock", '"closed by', '"ended by', "closes", "not_printed"),
    ("clock", "return 0", "return 3", "closes", "exit_code"),
    ("clock", "except websocket.WebSocketBadStatusException", "except KeyError", "refused", "not_printed"),
]
BLOCKING_PING = '__import__("redis").from_url(os.environ["REDIS_URL"]).ping()'
FOR_EVER = """    while True:
        try:
            await asyncio.sleep(9)
        except BaseException:
            pass"""
MISTAKES += [
    ("leave", "in list(self.users)", "in self.users", "leaving", "silence"),
    ("leave", "with suppress(tornado.websocket.WebSocketClosedError):", "if True:", "leaving", "silence"),
    ("leave", '"""A user leaves."""', 'print("!", file=__import__("sys").stderr)', "no_error", "stderr"),
    ("leave", "    await asyncio.Event().wait()", FOR_EVER, "ctrl_c", "still_runs"),
    ("freeze", "await store.rpush(", "__import__('time').sleep(3); await store.rpush(", "stalled", "no_pong"),
    (
        "freeze",
        "store.rpush(KEY, message)",
        "asyncio.wait_for(store.rpush(KEY, message), 1)",
        "recovers",
        "silence",
    ),
    ("freeze", '"""A user joins."""', BLOCKING_PING, "joining", "no_pong"),
    ("slow", "user.waiting > MOST", "False", "memory", "grows"),
    ("slow", 'user.close(1008, "too slow")', "pass", "told", "not_told"),
    ("poll", "timeout=HOLD_S", "timeout=None", "silence", "silence"),
    ("poll", "timeout=HOLD_S", "timeout=0.1", "silence", "short"),
    ("poll", "messages[after:]", "messages[after:][-1:]", "gap", "other_messages"),
    ("poll", "HOLD_S)\n            waiting.discard(self.news)", "HOLD_S)", "at_once", "waiting"),
    ("stream", '"utf-8")("replace")', '"latin-1")("replace")', "cut", "other_event"),
    ("stream", 'character == "\\r"\n', "False\n", "line_ends", "other_event"),
    ("stream", 'value.removeprefix(" ")', "value.strip()", "fields", "other_event"),
    ("stream", '"\\n".join(data)', "data[-1]", "several_data", "other_event"),
    ("stream", '"\\0" not in value', "True", "ids", "other_event"),
    ("stream", 'character == "\\ufeff"', "False", "bom", "other_event"),
    (
        "stream",
        "rest += character",
        'rest += character\n    yield rest\n    yield ""',
        "unfinished",
        "other_event",
    ),
    ("resume", 'cursor = event["id"]', "pass", "cut", "lost"),
    ("resume", 'print(event["id"])', 'print(event["id"], event["id"], sep="\\n")', "receives", "twice"),
    ("resume", 'print(f"missed', 'str(f"missed', "missed", "lost"),
    ("claims", "print(json", "str(json", "complete", "no_sheet"),
    ("claims", 'trips": "depends"', 'trips": "holds"', "claims", "claim_2"),
    ("claims", "INTERVAL_S / 2", "INTERVAL_S", "polls", "number"),
    ("eighth", 'Technique("multipart"', 'Technique("other"', "serves", "silent_port"),
    ("eighth", "export function connect", "function connect", "pages", "not_there"),
    ("eighth", "multipart/x-mixed-replace; boundary=part", "text/plain", "parts", "no_boundary"),
]
LATER = '''
async def later(connection, message):
    """Send what came last, from any client."""
    global newest
    newest = message
    await asyncio.sleep(0.2)
    await connection.send(newest)
'''


@pytest.mark.parametrize(("name", "right", "wrong", "step", "key"), MISTAKES)
def test_one_mistake_fails_one_step(name, right, wrong, step, key, lab, tmp_path):
    """An answer with one mistake fails exactly the step that is about it, with its sentence."""
    source = (ANSWERS / f"{name}.py").read_text(encoding="utf-8")
    assert right in source
    path = tmp_path / f"{name}.py"
    path.write_text(
        source.replace(right, wrong, 1).replace("\n\nasync def main", f"\n{LATER}\n\nasync def main"), "utf-8"
    )
    assert found(checked(name, path, lab)) == (step, key)


TZ = "datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8)))"
ASYNC = {"slow": "async def on_message"}
HALF_WAY = [
    ("mute", "Chat()),", "Chat),", "same_routes", "other_handler"),
    ("upgrade", '"vs://127.0.0.1:8080', 'f"ws://127.0.0.1:{LAB_PORT}', "request", "request_header"),
    ("beijing", "datetime.datetime.now()", TZ, "same_tick", "other_tick"),
    ("leave", "in self.users:", "in list(self.users):", "leaving", "silence"),
    ("history", "-1, -SIZE", "-SIZE, -1", "bounded", "too_long"),
    ("poll", "await news\n", "await asyncio.wait([news], timeout=2.5)\n", "silence", "silence"),
    ("slow", "user.write_message", "await user.write_message", "memory", "silence"),
    ("resume", '            cursor = "latest"\n', "", "missed", "lost"),
]


@pytest.mark.parametrize(("name", "wrong", "right", "step", "key"), HALF_WAY)
def test_a_start_that_is_half_mended(name, wrong, right, step, key, lab, tmp_path):
    """What a student mends first leads to the next fault."""
    source = EXERCISES[name].start.read_text("utf-8")
    assert wrong in source
    path = tmp_path / f"{name}.py"
    path.write_text(
        source.replace(wrong, right).replace("def on_message", ASYNC.get(name, "def on_message")), "utf-8"
    )
    assert found(checked(name, path, lab, replace(QUICK, starts=8))) == (step, key)


@each_exercise
def test_everything_has_its_text(name):
    """Title, task, transcript, three hints and all steps are there in both languages, and differ."""
    steps = [f"step.{step.__name__}" for step in load_steps(EXERCISES[name])]
    keys = ["title", "task", *(f"hint.{n}" for n in (1, 2, 3))]
    for key in [*keys, *steps, "exchange"]:
        assert all(Texts(language, name).has(key) for language in LANGUAGES), key
    for key in keys:
        assert Texts(ENGLISH, name)(key) != Texts(CHINESE, name)(key)
    assert sum(map(Texts(ENGLISH, name)("exchange").count, "→←")) >= 4


@each_exercise
def test_it_is_short(name):
    """A start has at most 60 lines, a check 80."""
    exercise = EXERCISES[name]
    assert len(exercise.start.read_text("utf-8").splitlines()) <= 60
    assert len(exercise.checks.read_text("utf-8").splitlines()) <= 80


@each_exercise
def test_a_check_sees_the_outside_only(name):
    """No check imports the server, and none reads the student's source."""
    source = EXERCISES[name].checks.read_text("utf-8")
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    modules = {node.module for node in nodes}
    assert not [name for name in modules if name.startswith(("lab.server", "lab.techniques", "lab.room"))]
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert not {getattr(call, "id", getattr(call, "attr", "")) for call in calls} & {
        "read_text",
        "read_bytes",
    }
    assert not [call for call in calls if getattr(call, "id", "") == "open"]


def test_every_exercise_has_its_files():
    """No start, check or answer is left without its line in the list."""
    for folder in (EXERCISES["echo"].start.parent, EXERCISES["echo"].checks.parent, ANSWERS):
        assert {path.stem for path in folder.glob("*.py")} == EXERCISES.keys()


def test_a_notebook_checks_functions(capsys):
    """`lab.exercises.check` grades functions as the command grades a program."""
    right = load(ANSWERS / "handshake.py").answer
    assert lab.exercises.check("handshake", right, seed=SEED)
    assert not lab.exercises.check("handshake", lambda request: right(b"POST" + request[3:]), seed=SEED)
    assert "405" in capsys.readouterr().out


def test_a_function_that_raises_is_shown(capsys):
    """The error of the student's own function stands below the bytes."""
    frame = load(ANSWERS / "frame.py")
    assert not lab.exercises.check("frame", lambda read: 1 / 0, frame.client_frame, seed=SEED)
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("echo", len), ("frame", len), ("none", len)])
def test_what_has_no_functions_is_refused(arguments):
    """An exercise that is a server cannot be checked as a function; the sentence names those that can."""
    with pytest.raises(BadParameter, match=r"handshake|read_frame"):
        lab.exercises.check(*arguments)


def test_the_values_follow_the_seed(tmp_path):
    """The same seed sends the same values; another sends others."""
    path = tmp_path / "echo.py"
    path.write_text(EXERCISES["echo"].start.read_text("utf-8"), "utf-8")
    wanted = [
        check_program(EXERCISES["echo"], path, seed, QUICK).failure.mismatch.expected for seed in (1, 1, 2)
    ]
    assert wanted[0] == wanted[1] != wanted[2]


def test_a_teacher_adds_an_exercise(tmp_path, monkeypatch, capsys):
    """A folder with a start, a check and texts is an exercise, with `--exercise-path`."""
    for name, text in {
        "tasks/quiet.py": "import time; time.sleep(60)",
        "checks/quiet.py": "def waits(trial):\n    assert trial.start().exit_code is None\nSTEPS = (waits,)",
        "exercises.en.json": json.dumps({"exercises.quiet.title": "Wait", "exercises.quiet.task": "Do."}),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    options = ["--exercise-path", str(tmp_path), "--language", "en", "--exercise"]
    assert lab_main(*options, "quiet") == 0
    assert Path("my/quiet.py").is_file()
    assert "all 1 steps passed" in capsys.readouterr().out
    assert lab_main(*options) == 0
    assert "Wait" in capsys.readouterr().out


def lab_main(*options):
    """The command line in this process."""
    from lab.cli import main

    return main(list(options))
