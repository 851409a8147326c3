"""The command line: what it prints, where, and how it exits."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lab.catalogue import MODES
from lab.settings import LIMITS
from tests.support.redis_server import free_port
from tests.support.run_lab import CAPTURED, QUICK, Serving, run_lab, wait_for_deliveries
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


def test_one_technique_prints_its_figures():
    """`--mode longpoll` prints conditions, figures, where they come from, and exits 0 within 79 columns."""
    done = run_lab("--mode", "longpoll", *QUICK)
    assert done.returncode == 0 and done.stderr == ""
    for part in ("3 clients", "5 msg/s", "longpoll", "Measured:", "Latency:", "Redis:", "Nothing lost"):
        assert part in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 79
    assert "one message" not in done.stdout  # whose bytes `--wire` prints


def test_all_techniques_print_one_comparison():
    """`--mode all` prints a line and a bar for each technique."""
    done = run_lab("--mode", "all", *QUICK)
    assert done.returncode == 0
    for mode in MODES:
        assert len(re.findall(rf"^{mode} ", done.stdout, re.MULTILINE)) == 2


@pytest.fixture(scope="module")
def as_json():
    """A run with `--json`, over a link in one word."""
    return run_lab("--mode", "sse", "--network", "4g", "--rtt", "10ms", "--json", *QUICK)


def test_json_stands_alone_on_standard_output(as_json):
    """With `--json` standard output is one JSON document and nothing else."""
    assert [run["mode"] for run in json.loads(as_json.stdout)["runs"]] == ["sse"]
    assert as_json.stderr == ""


def test_a_link_in_one_word(as_json):
    """`--network 4g` stands for a round trip, a jitter and a bandwidth; a value given with it wins."""
    conditions = json.loads(as_json.stdout)["conditions"]
    assert (conditions["rtt_s"], conditions["jitter_s"], conditions["bandwidth"]) == (0.01, 0.005, 20e6)


@pytest.fixture(scope="module")
def with_files(tmp_path_factory):
    """A run over a slow link that writes all the files there are, and their folder."""
    folder = tmp_path_factory.mktemp("files")
    names = {"--json": "r.json", "--csv": "r.csv", "--plot": "p.svg", "--report": "r.html"}
    files = [part for option, name in names.items() for part in (option, str(folder / name))]
    return run_lab("--mode", "sse", *files, *QUICK, "--rtt", "20ms", "--bandwidth", "1Mbit"), folder


def test_files_are_written(with_files):
    """`--json FILE` and `--csv FILE` write files, and the table is printed all the same."""
    done, folder = with_files
    assert "Nothing lost" in done.stdout
    assert json.loads((folder / "r.json").read_text())["schema"] == "pushlab.run/1"
    assert len((folder / "r.csv").read_text().splitlines()) == 2


def test_a_plot_and_a_report_are_written(with_files):
    """`--plot FILE` draws the comparison and `--report FILE` writes one page, after a slow link as well."""
    done, folder = with_files
    assert done.returncode == 0 and "20 ms round trip added, 1 Mbit/s each" in done.stdout
    assert "<svg" in (folder / "p.svg").read_text() and "20" in (folder / "r.html").read_text()


def test_rounds_come_with_their_interval():
    """With `--rounds` the table shows the intervals of the medians, within 79 columns."""
    done = run_lab("--mode", "sse", "--rounds", "2", *QUICK)
    assert "95 % bootstrap interval over rounds" in done.stdout and "theory" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 79


def test_an_ascii_terminal_gets_plain_characters():
    """A terminal without UTF-8 gets bars of ASCII and no crash."""
    done = run_lab("--mode", "sse", *QUICK, env=os.environ | {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"})
    assert done.returncode == 0 and "#" in done.stdout and "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "wrong",
    [["--mode", "carrier-pigeon"], ["--limit", "patience=3"], ["--limit", "rate=-1"],
     ["--mode", "sse", "-d", "soon"], ["--mode", "sse", "-c", "0"], ["--mode", "sse", "-r", "nan"],
     ["--port", "many"], ["--port", "99999"],
     ["--mode", "sse", "--bandwidth", "wide"], ["--mode", "sse", "--plot", "p.gif"],
     ["--mode", "sse", "--report", "no/such/folder/r.html"], ["--mode", "sse", "--csv", "/"]],
)  # fmt: skip
def test_wrong_usage_exits_2(wrong):
    """An argument that the command line does not understand is reported, with exit code 2."""
    done = run_lab(*wrong)
    assert done.returncode == 2 and done.stdout == "" and done.stderr


@pytest.mark.parametrize("mode", [[], ["--mode", "sse"]])
@pytest.mark.parametrize("path", ["/no/such/folder/keys.txt", "/"])
def test_a_key_log_that_cannot_be_written_exits_3(path, mode):
    """Python's TLS would fail on it when a library is imported; the lab names the variable and the reason."""
    done = run_lab(*mode, "--no-browser", env=os.environ | {"SSLKEYLOGFILE": path})
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert "SSLKEYLOGFILE" in done.stderr and path in done.stderr


@pytest.mark.parametrize("mode", [[], ["--mode", "sse"]])
def test_a_redis_that_is_not_there_exits_3(mode):
    """A Redis that was asked for and does not answer is an error, never a silent fallback."""
    done = run_lab(*mode, "--no-browser", "--redis", f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert done.returncode == 3 and "does not answer" in done.stderr
    assert "secret" not in done.stderr


def test_no_lab_at_the_url_exits_3():
    """`--url` without a lab behind it is reported, with exit code 3."""
    assert run_lab("--mode", "sse", "--url", f"http://127.0.0.1:{free_port()}").returncode == 3


@pytest.mark.parametrize("mode", [[], ["--mode", "sse"]])
def test_a_busy_port_exits_3_with_the_command_that_works(mode):
    """A port that was asked for and is busy ends with the command that would work."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = run_lab(*mode, "--no-browser", "--redis", "private", "--port", str(port))
    assert done.returncode == 3
    assert int(re.search(r"--port (\d+)", done.stderr)[1]) > port  # the next one that is free


def test_the_usual_port_busy_means_the_next_one():
    """Without `--port` the next free port is taken, and the screen says so."""
    with Serving() as first, Serving() as second:
        one = re.search(r"Local +http://127.0.0.1:(\d+)/", first.read_until("Ctrl-C"))[1]
        other = re.search(r"Local +http://127.0.0.1:(\d+)/", second.read_until("Ctrl-C"))[1]
        assert one != other


def status(url):
    """The status of a response, errors too."""
    try:
        return urllib.request.urlopen(url, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_stops_cleanly(number):
    """The lab says where it is, serves, and is gone soon after Ctrl-C or SIGTERM, exit code 0."""
    with Serving("--port", str(free_port())) as serving:
        said = serving.read_until("Ctrl-C")
        for part in ("Push Lab", "Tornado", "Redis:", "Local", "Teacher", "token=", "Network"):
            assert part in said
        url = re.search(r"Local +(\S+)", said)[1]
        for path in ("", "room?mode=sse", "history", "meters", "metrics", "healthz"):
            assert urllib.request.urlopen(url + path, timeout=10).status == 200
        wait_until(lambda: status(url + "readyz") == 200, "it is ready")  # a busy machine may not be at once
        serving.process.send_signal(number)
        assert serving.process.wait(timeout=10) == 0


def test_ctrl_c_in_a_measured_run_leaves_a_partial_summary():
    """Ctrl-C stops a run, prints what there is, marked partial, and exits 130."""
    command = [sys.executable, "run_lab.py", "--mode", "sse", "-d", "60s", "-r", "20", "--redis", "private"]
    port = free_port()
    process = subprocess.Popen(
        [*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_deliveries(port)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "PARTIAL" in out and "Traceback" not in out + err


def test_help_names_every_option_in_groups():
    """`--help` shows the options in groups, with examples in both languages."""
    done = run_lab("--help")
    assert done.returncode == 0
    groups = ("serve / 开课", "measure / 测量", "output / 输出", "examples / 示例")
    for part in (*groups, "--clients", "--lan", *LIMITS):
        assert part in done.stdout


def test_version_is_printed():
    """`--version` says which lab this is."""
    assert run_lab("--version").stdout.startswith("Push Lab 1.")


def loaded_by(code):
    """The modules that this code loads."""
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    return set(subprocess.run(command, **CAPTURED, check=True).stdout.split())


def test_importing_the_lab_is_cheap():
    """`import lab` loads neither tornado's server nor matplotlib; the server loads no experiment code."""
    assert not {"matplotlib", "tornado.web"} & loaded_by("import lab; lab.compare")
    assert not {"matplotlib", "lab.experiment", "aiohttp", "rich"} & loaded_by("import lab.server.classroom")


UNUSED_BY_A_MEASURED_LAB = {"jinja2", "pygments", "prometheus_client", "segno", "tomllib", "difflib"}
"""What only pages, figures for Prometheus, QR codes and lessons in a file need."""


def test_a_lab_starts_with_what_it_uses():
    """What a measured lab does not use is loaded with the first request for it, not at the start."""
    assert not UNUSED_BY_A_MEASURED_LAB & loaded_by("import lab.server.__main__")
