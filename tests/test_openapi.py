"""The description of what programs may ask is true: an independent tool requests all of it, and more."""

import asyncio
import os
import re
import subprocess
import sys

import pytest
import schemathesis

from lab.catalogue import MODES, server_side
from tests.support.lab_here import LabHere
from tests.support.listeners import STREAMING
from tests.support.wire import HOST, fetch

LEFT_OUT = re.compile(r"\.(svg|png)$|^/teacher/(network|crew|bet|lesson|proxy)$")
"""Figures are drawn by processes of their own; these actions start processes, listen, or have their order."""


@pytest.fixture(scope="module")
def patient():
    """A lab whose polls give up at once, with limits of its own."""
    with LabHere(hold=0.02, limits={"rate": 0, "per_address": 0, "message_chars": 77}) as school:
        yield school.lab


@pytest.fixture(scope="module")
def described(patient):
    """The description."""
    return asyncio.run(fetch(patient.port, "GET", "/openapi.json")).json


def test_every_path_of_the_techniques_is_described(described):
    """A technique that is added is described without a word more."""
    for mode in MODES:
        for path, handler in server_side(mode).ROUTES:
            methods = {method.upper() for method in described["paths"][path]}
            assert methods == set(handler.SUPPORTED_METHODS) - {"HEAD"}, path


def test_the_limits_are_those_of_this_lab(described):
    """What a message may hold stands there as it was set for this run; no limit is none."""
    shapes = described["components"]["schemas"]
    assert (shapes["Body"]["maxLength"], shapes["Username"]["maxLength"]) == (77, 32)


def test_every_action_of_the_teacher_is_described(described):
    """With the teacher's token, a body that names its choices, and 403 among the refusals."""
    for name in ("network", "crew", "bet", "assign", "reset", "lesson", "exercises", "proxy"):
        action = described["paths"][f"/teacher/{name}"]["post"]
        assert action["security"] == [{"teacher": []}] and "403" in action["responses"]
        assert action["requestBody"]["required"]


@pytest.mark.timeout(920)
def test_the_lab_does_what_its_description_says(patient, described, tmp_path):
    """Schemathesis finds no answer that the description does not allow, nor a wrong request that is accepted.

    The description itself is asked for once. Streams are left out: they answer without end. So is the
    WebSocket, which OpenAPI cannot describe, and what `LEFT_OUT` names.
    """
    endless = [f"--exclude-name=GET /{mode}" for mode in STREAMING]
    command = [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--no-color", "run"]
    command += [
        f"http://{HOST}:{patient.port}/openapi.json",
        *endless,
        f"--exclude-path-regex={LEFT_OUT.pattern}",
    ]
    command += ["--header", f"Authorization: Bearer {patient.key.token}"]
    command += ["--exclude-checks=missing_required_header"]  # it wants 401 there, not the lab's 403
    command += ["--generation-deterministic", "--max-examples=15"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0
    paths = {path for path in described["paths"] if not LEFT_OUT.search(path)} - {"/openapi.json"}
    offered = sum(len(described["paths"][path]) for path in paths)
    assert f"Tested: {offered - len(STREAMING)}" in done.stdout


def test_the_bytes_of_a_bar_are_as_described(patient):
    """What `/wire` sends about a bar is what the description says; no tool can guess when a bar begins."""
    asyncio.run(fetch(patient.port, "GET", "/shortpoll"))
    bars = [fact for fact in patient.context.recorder.since(0) if "from" in fact]
    where = {"lane": bars[-1]["lane"], "from": str(bars[-1]["from"])}
    cookie = patient.key.exchange(patient.key.ticket(), HOST)
    described = schemathesis.openapi.from_url(f"http://{HOST}:{patient.port}/openapi.json")
    case = described["/wire"]["GET"].Case(query=where, cookies={patient.lesson.cookie: cookie})
    assert case.call_and_validate().status_code == 200
