"""What the checks of a network ask of the server: a short stream, and a place for the verdict."""

import json
import re
import urllib.error

import pytest

from lab.server.lesson.networks import FAULTS, MOST_NETWORKS, Networks
from tests.support.wire import HOST, Wire, fetch


def test_a_network_counts_once():
    """By its address: a new report replaces the old one, and the oldest of too many is forgotten."""
    networks = Networks()
    for faults in (["upgrade"], ["head", "buffers"]):
        networks.report("192.0.2.1", faults)
    wanted = dict.fromkeys(FAULTS, 0) | {"head": 1, "buffers": 1}
    assert networks.as_json() == {"count": 1, "faults": wanted}
    for n in range(MOST_NETWORKS):
        networks.report(str(n), [])
    assert networks.as_json() == {"count": MOST_NETWORKS, "faults": dict.fromkeys(FAULTS, 0)}


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ({"faults": []}, 200), ({"faults": ["upgrade", "head"]}, 200), ({}, 400), ([], 400),
        ({"faults": "head"}, 400),
        ({"faults": ["x"]}, 400), ({"faults": ["head", "head"]}, 400), ({"faults": [], "name": "Li"}, 400),
        ({"faults": [{}]}, 400), ({"faults": None}, 400),
    ],
)  # fmt: skip
def test_a_verdict_is_checked(school, verdict, status):
    """Faults that exist, each once, and nothing else."""
    try:
        with school.ask("/doctor/verdict", verdict, teacher=False) as answer:
            assert (answer.status, json.load(answer)) == (status, verdict)
    except urllib.error.HTTPError as error:
        with error:
            assert error.code == status


async def test_the_probe_sends_what_it_describes(school):
    """Events at once, a second later, and after the silence; by 0 nothing is sent after the second."""
    answer = await fetch(school.lab.port, "GET", "/doctor/stream?as=lines")
    assert [json.loads(line)["n"] for line in answer.body.splitlines()] == [1, 2]
    answer = await fetch(school.lab.port, "GET", "/doctor/stream?as=events&silence=0.1")
    assert re.findall(rb'"n":(\d)', answer.body) == [b"1", b"2", b"3"]
    for query in ("as=x", "silence=x", "silence=-1", "silence=nan", "silence=inf"):
        assert (await fetch(school.lab.port, "GET", f"/doctor/stream?{query}")).status == 400


async def test_a_client_may_leave_the_probe(school, no_traceback):
    """Its connection is freed at once, and nothing is logged."""
    wire = await Wire.open(school.lab.port)
    await wire.request("GET", "/doctor/stream?silence=16")
    await wire.read_head()
    await wire.close()
    assert (await fetch(school.lab.port, "GET", "/doctor/stream?as=x")).status == 400


async def test_the_probe_is_limited(school):
    """One address opens so many streams per second, then gets a 429; here all are requested at once."""
    count = 400
    wire = await Wire.open(school.lab.port)
    await wire.send(
        f"POST /doctor/stream HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode() * count
    )
    assert {(await wire.read_answer()).status for _ in range(count)} == {200, 429}
