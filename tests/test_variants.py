"""Runs that are compared: text with binary frames, and ways to compress, under the same conditions."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

import lab
from lab.catalogue import MODES
from lab.cli import conditions_of, main
from lab.errors import BadParameter
from lab.experiment.calibration import FEW
from lab.experiment.conditions import Conditions
from lab.experiment.variants import variants
from lab.options import make_parser
from lab.results.rounds import by_mode
from lab.results.runs import document, write_csv
from lab.results.table import show
from lab.server.classroom import settings_of
from tests.support.run_lab import QUICK, run_lab

SHORT = {"clients": FEW, "rate": 20, "duration": 1}
"""With more listeners each prediction would start one process more."""
ALL = 20 * FEW


@pytest.fixture(scope="module")
def spoken():
    """JSON and binary frames."""
    return lab.compare("websocket", subprotocol="binary", **SHORT)


@pytest.fixture(scope="module")
def squeezed():
    """No compression, a fresh window, and the window kept."""
    return lab.compare("websocket", compress="kept", **SHORT)


def text_of(runs, width=79):
    """What the terminal shows."""
    screen = io.StringIO()
    show(runs, Console(file=screen, width=width, no_color=True))
    return screen.getvalue()


# Subprotocols -------------------------------------------------------------------------------------


def test_text_and_binary_are_measured(spoken):
    """Both runs are whole, each states its subprotocol, and the binary one needs fewer bytes."""
    assert [run.subprotocol for run in spoken] == ["json", "binary"]
    assert all(run.clean and run.delivered == ALL for run in spoken)
    plain, packed = spoken
    assert plain.conditions == packed.conditions and packed.conditions["subprotocol"] == "binary"
    saved = plain.receive["payload_bytes"] - packed.receive["payload_bytes"]
    assert saved == pytest.approx(100 * ALL, rel=0.1)
    for run in spoken:
        parts = sum(run.receive[f"{name}_bytes"] for name in ("head", "framing", "payload"))
        assert parts == run.socket_bytes
        assert run.send["payload_bytes"] / run.sent == (119 if run is plain else 67)


def test_theory_has_the_bytes_of_both(spoken):
    """The predicted bytes are those of the run's own framing."""
    for run in spoken:
        assert run.socket_bytes == pytest.approx(run.predicted["bytes"], rel=0.03)
    binary = lab.predict("websocket", clients=FEW, subprotocol="binary")
    assert binary.bytes < 0.7 * lab.predict("websocket", clients=FEW).bytes


def test_what_binary_saves_is_printed(spoken):
    """The table has the technique once, as it was asked for; below it both and what is saved."""
    plain, packed = (run.socket_bytes / run.delivered for run in spoken)
    shown = text_of(spoken)
    assert (
        f"binary saves {plain - packed:,.0f} bytes per delivered message, {1 - packed / plain:.0%}" in shown
    )
    assert by_mode(spoken) == {"websocket": [spoken[1]]} and "binary frames" in shown
    assert max(map(len, shown.splitlines())) <= 79 and "binary saves" in text_of(spoken, 50)


def test_one_run_of_binary_frames():
    """`lab.measure` makes the run that was asked for, and no other."""
    run = lab.measure("websocket", subprotocol="binary", **SHORT)
    assert (run.subprotocol, run.conditions["subprotocol"], run.clean) == ("binary", "binary", True)
    assert "binary saves" not in text_of([run])


def test_runs_can_be_saved_and_loaded(spoken, squeezed, tmp_path):
    """What was saved comes back the same, and each run in the file states what it is."""
    for runs in (spoken, squeezed):
        lab.save(runs, tmp_path / "runs.json")
        assert lab.load(tmp_path / "runs.json") == runs
    found = json.loads((tmp_path / "runs.json").read_text())
    assert found["conditions"]["compress"] == "kept"
    assert [run["compress"] for run in found["runs"]] == [False, "fresh", "kept"]


def test_older_records_are_read(squeezed, tmp_path):
    """A record of a lab with one way to compress is one of a fresh window; without any nothing is added."""
    for old, new in ((True, "fresh"), (False, False)):
        plain = replace(squeezed[1], compress=None, server_rss_growth_bytes=None)
        record = document([replace(plain, conditions=plain.conditions | {"compress": old})])
        assert not {"compress", "subprotocol", "wire"} & record["runs"][0].keys()
        (tmp_path / "old.json").write_text(json.dumps(record))
        (run,) = lab.load(tmp_path / "old.json")
        assert run.conditions["compress"] == new and run.asked


def test_csv_has_all_columns(spoken, squeezed):
    """Runs that record different things are lines of one table."""
    text = io.StringIO()
    write_csv([replace(spoken[0], subprotocol=None), *spoken, *squeezed], text)
    header, *lines = text.getvalue().splitlines()
    columns = {"subprotocol", "compress", "server_rss_growth_bytes"}
    assert columns <= set(header.split(",")) and len(lines) == 6


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "websocket"])
def test_another_technique_has_no_subprotocol(mode, capsys):
    """Alone it is refused as wrong usage, before anything is started."""
    assert main(["--mode", mode, "--subprotocol", "binary"]) == 2
    assert "Only the mode websocket has a subprotocol" in capsys.readouterr().err
    for call in (lab.measure, lab.predict, lab.compare):
        with pytest.raises(BadParameter, match="subprotocol"):
            call([mode] if call is lab.compare else mode, subprotocol="json")


@pytest.mark.parametrize("wrong", ["soap", "pushlab.json", 1, True])
def test_a_subprotocol_that_is_not_there(wrong):
    """It is refused with the names that there are."""
    with pytest.raises(BadParameter, match="json, binary"):
        Conditions(subprotocol=wrong)


def test_all_other_techniques_are_measured_once():
    """With all techniques, only the WebSocket is measured twice; what the others do is the same."""
    asked = Conditions(subprotocol="binary", compress="kept")
    numbers = {mode: len(variants(mode, asked)) for mode in MODES}
    assert numbers == dict.fromkeys(MODES, 1) | {"websocket": 6}
    assert variants("sse", asked) == [replace(asked, subprotocol=None)]
    assert variants("websocket", asked)[-1] == asked
    assert variants("websocket", Conditions(compress=True)) == [Conditions(compress="fresh")]


def test_the_command_line_measures_both():
    """`--subprotocol binary` writes both runs as JSON, beside the other techniques."""
    done = run_lab("--mode", "websocket", "--subprotocol", "binary", "--compress", "--json", *QUICK)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["conditions"]["compress"] == "fresh"
    assert [run["subprotocol"] for run in found["runs"]] == ["json", "binary"]


# Ways to compress ---------------------------------------------------------------------------------


def test_three_ways_are_measured(squeezed):
    """None, fresh and kept: all messages arrive, and each way needs fewer bytes than the one before."""
    assert [run.compress for run in squeezed] == [False, "fresh", "kept"]
    assert all(run.clean and run.delivered == ALL for run in squeezed)
    moved = [run.socket_bytes for run in squeezed]
    assert moved == sorted(moved, reverse=True) and moved[2] < 0.75 * moved[1]
    for run in squeezed:
        assert run.receive["framing_bytes"] >= 0 and run.server_cpu_s > 0


def test_no_theory_claims_a_ratio(squeezed):
    """Bytes with the window kept are not predicted; requests and latency are."""
    none, fresh, kept = (run.predicted for run in squeezed)
    assert none["bytes"] > fresh["bytes"] and kept["bytes"] is None
    assert kept["requests"] == none["requests"] and kept["latency_mean_s"] is not None
    assert lab.predict("websocket", clients=FEW, compress="kept", bandwidth=1e6).latency_mean_s is None
    plain = lab.predict("sse", clients=FEW).bytes
    assert lab.predict("sse", clients=FEW, compress="kept").bytes == pytest.approx(plain, rel=0.01)


def test_three_ways_are_printed(squeezed):
    """Bytes, processor time and memory of each; a dash for memory that was not measured."""
    lines = text_of(squeezed).splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("compression"))) :][:4]
    assert [line.split()[0] for line in table] == ["compression", "none", "fresh", "kept"]
    assert all(line.endswith("KiB") for line in table[1:])
    unknown = [replace(run, server_rss_growth_bytes=None) for run in squeezed]
    assert [line.split()[-1] for line in text_of(unknown).splitlines() if line.startswith("kept ")] == ["–"]
    assert by_mode(squeezed) == {"websocket": [squeezed[2]]}


@pytest.mark.parametrize("size", ["page", "projector"])
def test_three_ways_are_drawn(squeezed, size):
    """The figure has a row for each way, and writes what was not measured."""
    figure = lab.figures.compression(squeezed, size=size)
    shown = " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    for word in ("websocket, none", "websocket, fresh", "websocket, kept", "KiB"):
        assert word in shown
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_lab_that_runs_cannot_be_compared(capsys):
    """How a running lab compresses is its own: the comparison starts labs, so a URL is wrong usage."""
    assert main(["--mode", "websocket", "--compress", "kept", "--url", "http://127.0.0.1:9"]) == 2
    assert "leave out the URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "compress"),
    [
        ([], False),
        (["--compress"], "fresh"),
        (["--compress", "fresh"], "fresh"),
        (["--compress", "kept"], "kept"),
    ],
)
def test_a_class_can_be_served_in_each_way(options, compress):
    """Without a word `--compress` is fresh, for the classroom as for a measured run."""
    settings = settings_of(make_parser().parse_args([*options, "--no-browser"]), None, 8000)
    assert settings.compress == compress and settings.keeps_window is (compress == "kept")
    measured = conditions_of(make_parser().parse_args(["--mode", "websocket", *options]))
    assert measured.compress == compress
