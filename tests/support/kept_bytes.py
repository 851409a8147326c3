"""What `/wire` sends of the bytes that the lab keeps: to a page, to the teacher, or a refusal."""

import json
import urllib.error

import pytest

from lab.catalogue import TECHNIQUES

STREAMS = [mode for mode, technique in TECHNIQUES.items() if technique.verb == "stream"]


def teacher_cookie(school):
    """What a browser sends that has opened the teacher's link."""
    lesson = school.lab.lesson
    return f"{lesson.cookie}={lesson.key.exchange(lesson.key.ticket(), '127.0.0.1')}"


def kept(school, mode, began, name="", teacher=None):
    """What the lab sends about a bar to the page of that name or to the teacher."""
    cookie = {"Cookie": teacher_cookie(school)} if teacher else {}
    with school.look(f"/wire?lane={mode}&from={began}&as={name}", **cookie) as answer:
        return json.load(answer)


def refusal(ask, *arguments):
    """The status and the code with which the lab refuses something."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(*arguments)
    with caught.value as answer:
        return answer.code, json.load(answer)["error"]["code"]


def passed(wire, came):
    """All bytes of one direction."""
    return passed_text(wire, came).encode("latin-1")


def passed_text(wire, came):
    """The same as text, with a character for each byte."""
    return "".join(part["text"] for part in wire["parts"] if part["came"] is came)


def bars(school, mode):
    """When the requests that were shown in a lane began, those that are over."""
    return [f["from"] for f in school.lab.context.recorder.since(0) if f["lane"] == mode and "from" in f]


def teacher_sees(school, mid):
    """What `/wire?mid=` sends to the teacher."""
    with school.look(f"/wire?mid={mid}", Cookie=teacher_cookie(school)) as answer:
        return json.load(answer)
