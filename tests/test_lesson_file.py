"""Lessons from a file: what a teacher may write, and errors that name the place."""

import json

import pytest

from lab.cli import main
from lab.errors import BadParameter
from lab.server.lesson.step_file import read

STEP = {"title": "T", "say": "S"}
ASK = {"ask": "?", "kind": "number", "answer": 3}
TOML = """
[[steps]]
use = "silence"

[[steps]]
title = {en = "One", zh = "一"}
say = "S"
plan = {words = ["sse"], each = 2, rate = 5}
[[steps.questions]]
ask = "How many bytes?"
kind = "number"
figure = "bytes"
mode = "sse"
"""


def lesson(*questions, **step):
    """A lesson of one step, as JSON."""
    return json.dumps({"steps": [STEP | {"questions": list(questions)} | step]})


def test_a_lesson_in_toml(tmp_path):
    """Steps of the lab and own ones stand in one file; own texts in one language or in two."""
    path = tmp_path / "own.toml"
    path.write_text(TOML, encoding="utf-8")
    (silence, own), texts = read(str(path))
    assert (silence.plan.each, own.plan.words, own.questions[0].seconds) == (30, ("sse",), 30)
    assert [texts[language]["lesson.title.step2"] for language in ("en", "zh")] == ["One", "一"]
    assert texts["zh"]["lesson.ask.step2_1"] == "How many bytes?"


WRONG = {
    "": "line 1, column 1",
    '{"steps":\n[}': "line 2, column 2",
    "[]": "a lesson must be an object",
    '{"steps": []}': "steps is empty",
    '{"steps": 7}': "steps must be a list",
    '{"steps": [{"use": "x"}]}': "step 1: use must be one of",
    '{"steps": [{"use": "fast"}, {"use": "fast"}]}': "used twice",
    '{"steps": [{"titel": 1}]}': "step 1: 'titel' is unknown; there are use, title",
    '{"steps": [{"title": "T"}]}': "step 1: say must be a text",
    lesson(plan={"each": 99}): "step 1: plan: each must be a number from 1 to 30",
    lesson(plan={"rat": 1}): "step 1: plan: 'rat' is unknown",
    lesson(plan=3): "step 1: plan: it must be an object",
    lesson(link="x"): "step 1: link must be one of",
    lesson({"ask": "?"}): "step 1: question 1: kind must be one of",
    lesson({"ask": "?", "kind": "number"}): "question 1: a question of the kind number needs a figure",
    lesson(ASK, ASK | {"answer": "3"}): "question 2: answer must be a number",
    lesson(ASK | {"most": 2}): "question 1: least < most is needed",
    lesson({"ask": "?", "kind": "number", "figure": "bytes"}): "mode must be one of",
    lesson(*[ASK] * 11): "questions must be a list of at most 10",
    "[" * 100_000: "recursion",
}


@pytest.mark.parametrize("text", WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_an_error_names_the_place(tmp_path, text):
    """The error has the file's name, and the line or the step, question and field that is wrong."""
    path = tmp_path / "own.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadParameter) as error:
        read(str(path))
    assert str(error.value).startswith("own.json: ")
    assert WRONG[text] in str(error.value)


def test_a_file_that_is_no_text(tmp_path):
    """Bytes that are not UTF-8, and TOML that is wrong, are refused with a sentence too."""
    path = tmp_path / "own.toml"
    for content, part in ((b"\xff", "utf-8"), (b"[[steps]]\nuse =\n", "line 2")):
        path.write_bytes(content)
        with pytest.raises(BadParameter, match=part):
            read(str(path))


def test_the_command_refuses_a_wrong_lesson(tmp_path, capfd):
    """Exit code 2 and one sentence; with --mode, --exercise or --labs the option has no meaning."""
    path = tmp_path / "own.json"
    path.write_text("{", encoding="utf-8")
    assert main(["--lesson", str(path), "--no-browser", "--redis", "private", "--port", "0"]) == 2
    for other in (["--mode", "sse"], ["--exercise", "echo"], ["--labs", "2"]):
        assert main(["--lesson", str(path), *other]) == 2
    assert main(["--lesson", str(tmp_path / "none.json")]) == 2
    said = capfd.readouterr().err
    assert "own.json: line 1, column 2" in said
    assert "Traceback" not in said
