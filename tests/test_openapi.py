"""The description of what programs may ask is true: somebody else's tool asks all of it, and much besides."""

import asyncio
import os
import subprocess
import sys

import pytest

from lab.catalogue import WORDS, server_side
from tests.support.lab_process import LabProcess
from tests.support.listeners import STREAMING
from tests.support.wire import HOST, fetch


@pytest.fixture(scope="module")
def patient():
    """The port of a lab whose polls give up at once, with limits of its own."""
    process = LabProcess(hold=0.02, limits={"rate": 0, "per_address": 0, "message_chars": 77})
    yield process.port
    process.stop()


@pytest.fixture(scope="module")
def described(patient):
    """The description."""
    return asyncio.run(fetch(patient, "GET", "/openapi.json")).json


def test_every_path_of_the_techniques_is_described(described):
    """A technique that is added is described without a word more."""
    for word in WORDS:
        for path, handler in server_side(word).ROUTES:
            methods = {method.upper() for method in described["paths"][path]}
            assert methods == set(handler.SUPPORTED_METHODS), path


def test_the_limits_are_those_of_this_lab(described):
    """What a message may hold stands there as it was set for this run; no limit is none."""
    shapes = described["components"]["schemas"]
    assert (shapes["Body"]["maxLength"], shapes["Username"]["maxLength"]) == (77, 32)


@pytest.mark.timeout(180)
def test_the_lab_does_what_it_says(patient, tmp_path):
    """Schemathesis finds no answer that the description does not allow, nor a wrong request that is taken.

    Streams are left out: they answer without end. So is the WebSocket, which OpenAPI cannot describe.
    """
    endless = [f"--exclude-name=GET /{word}" for word in STREAMING]
    command = [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--no-color", "run"]
    command += [f"http://{HOST}:{patient}/openapi.json", *endless]
    command += ["--generation-deterministic", "--max-examples=15"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout
    assert "Tested: 13" in done.stdout
