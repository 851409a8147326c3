"""`--proxy`: measured runs through a real nginx, and what their listeners saw."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

import lab
from lab.errors import BadParameter, CannotStart
from lab.experiment.conditions import Conditions
from lab.proxy import private
from lab.results.proxied import seen
from lab.results.runs import load, save
from lab.results.table import show
from tests.support.run_lab import QUICK, run_lab

SHORT = {"clients": 2, "rate": 5, "duration": 1}


@pytest.fixture(scope="module")
def through():
    """Two techniques through a proxy that passes no handshake on."""
    return lab.compare(["fetch", "websocket"], proxy="upgrade=off", **SHORT)


def text_of(runs, width):
    """What the terminal shows."""
    screen = io.StringIO()
    show(runs, Console(file=screen, width=width, no_color=True))
    return screen.getvalue()


@pytest.mark.needs("nginx")
def test_a_refused_technique_does_not_end_the_others(through):
    """The WebSocket is refused, with the lab's status; the stream is measured as usual."""
    fetch, websocket = through
    assert fetch.clean and fetch.delivered == fetch.expected == 10 and not fetch.refused
    assert fetch.proxy["seen"] == {
        "statuses": {},
        "close_codes": {},
        "cuts": 0,
        "silent": 0,
        "reconnected": 0,
        "held_back": 0,
    }
    assert websocket.refused.startswith("426 ") and websocket.proxy["seen"]["statuses"] == {"426": 2}
    assert websocket.delivered == 0 and websocket.server_cpu_s is None
    assert all(run.predicted["bytes"] is None for run in through)


@pytest.mark.needs("nginx")
def test_a_run_through_a_proxy_is_recorded(through, tmp_path):
    """The record names the switches and the version, and is read back as the same; it can be drawn."""
    assert through[0].proxy["switches"]["upgrade"] is False
    assert through[0].proxy["version"].startswith("nginx/")
    assert through[0].conditions["proxy"] == "upgrade=off"
    save(through, tmp_path / "runs.json")
    assert load(tmp_path / "runs.json") == through
    assert Conditions.of(through[0].conditions).proxy == "upgrade=off"
    assert lab.figures.overhead(through)


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("width", [40, 79])
def test_the_table_shows_what_the_listeners_saw(through, width):
    """Below the table there is a line for each technique, also in a narrow terminal."""
    lines = text_of(through, width).splitlines()
    assert any(line.split() == ["fetch", "no", "error"] for line in lines)
    assert "websocket refused: 426 no_handshake" in lines
    assert max(map(len, lines)) <= max(width, 79)
    assert "seen through nginx/" in "\n".join(lines)


@pytest.mark.needs("nginx")
def test_counts_of_all_rounds_are_shown(through):
    """Counts of several rounds are added; what did not happen is left out."""
    found = {"statuses": {"504": 3}, "close_codes": {"1006": 1}, "cuts": 0, "reconnected": 4, "held_back": 2}
    run = replace(through[0], proxy=through[0].proxy | {"seen": found})
    assert seen([run]) == "504 ×3 · close 1006 ×1 · reconnected 4 · held back 2"
    assert seen([run, run]) == "504 ×6 · close 1006 ×2 · reconnected 8 · held back 4"


@pytest.mark.needs("nginx")
def test_what_is_held_back_arrives_at_the_end():
    """A proxy that collects a stream passes it on when the lab ends it: late, but nothing is lost."""
    run = lab.measure("sse", proxy="buffering=on,http=1.0", **SHORT)
    assert run.clean and run.delivered == run.expected == 10
    assert run.proxy["seen"]["held_back"] == 10 and run.latency_s["p50"] > 2


@pytest.mark.needs("nginx")
def test_a_long_poll_is_cut_and_loses_nothing():
    """Polls are cut by a timeout below their hold; their clients ask again, and receive every message."""
    run = lab.measure("longpoll", clients=2, rate=0.5, duration=4, seed=2, proxy="timeout=300ms")
    assert run.clean and run.delivered == 4
    assert run.proxy["seen"]["statuses"].keys() == {"504"}
    assert run.proxy["seen"]["reconnected"] > 0


@pytest.mark.needs("nginx")
def test_the_command_refuses_and_goes_on():
    """In the terminal a refused technique is in the table and in the exit code, without a traceback."""
    done = run_lab("--mode", "websocket", "--proxy", "host=off", *QUICK)
    assert done.returncode == 1 and done.stderr == ""
    assert "websocket refused: 421" in done.stdout and "through nginx (host=off)" in done.stdout
    done = run_lab("--mode", "shortpoll", "--proxy", "good", "--json", *QUICK)
    assert done.returncode == 0
    assert json.loads(done.stdout)["runs"][0]["proxy"]["seen"]["statuses"] == {}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--proxy", "bufering=on"], "Did you mean buffering?"),
        (["--proxy", "good", "--rtt", "10ms"], "leave one of them out"),
        (["--proxy", "good", "--url", "http://127.0.0.1:1"], "leave out the URL"),
    ],
)
def test_what_cannot_be_measured_is_refused(more, text):
    """A wrong switch, a slow link besides the proxy and a lab that runs already end with exit code 2."""
    done = run_lab("--mode", "sse", *more, *QUICK)
    assert done.returncode == 2 and text in done.stderr


def test_without_nginx_nothing_is_measured(monkeypatch):
    """Without nginx the run does not start, and the error has the line that installs it."""
    monkeypatch.setattr(private.shutil, "which", lambda name, path=None: None)
    with pytest.raises(CannotStart, match="To install it"):
        lab.measure("sse", proxy="good", **SHORT)


def test_a_proxy_is_text():
    """In a notebook anything but text is refused."""
    with pytest.raises(BadParameter, match="such as timeout=3s"):
        Conditions(proxy=3)
