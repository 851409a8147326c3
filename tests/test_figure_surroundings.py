"""Figures do not depend on what the reader has set for matplotlib, and their axes can be read."""

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import matplotlib
import matplotlib.style
import matplotlib.text
import pytest
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg

import lab
from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.figures.lesson import lesson
from lab.figures.ticks import plain
from tests.support.lab_process import ROOT

RECORD = sorted((ROOT / "notebooks" / "data").glob("*.json"))[0]
DRAW = f"""
import hashlib, io, sys, lab
runs = lab.load({str(RECORD)!r})
figure = lab.figures.overhead(runs)
picture = io.BytesIO()
figure.savefig(picture, format="png")
print(hashlib.sha256(picture.getvalue()).hexdigest())
"""
STYLES = {
    "dark": lambda: matplotlib.style.use("dark_background"),
    "ggplot": lambda: matplotlib.style.use("ggplot"),
    "tex": lambda: rcParams.update({"text.usetex": True}),
    "font": lambda: rcParams.update({"font.family": "no such font", "font.size": 40}),
    "saving": lambda: rcParams.update(SAVING),
    "lines": lambda: rcParams.update(
        {"lines.linewidth": 9, "hatch.linewidth": 9, "path.sketch": (3, 100, 2)}
    ),
    "texts": lambda: rcParams.update({"text.hinting": "none", "axes.unicode_minus": False}),
}
SAVING = {"figure.dpi": 30, "savefig.dpi": 300, "savefig.bbox": "tight", "savefig.transparent": True}
SURROUNDINGS = {
    "inline": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "not there": {"MPLBACKEND": "module://no.such.backend", "MPLCONFIGDIR": "/dev/null/matplotlib"},
    "nonsense": {"MPLBACKEND": "garbage", "MATPLOTLIBRC": "no/such/file"},
}
RC = "figure.facecolor: red\nfont.size: 30\ntext.usetex: True\nno.such.setting: 1\nlines.linewidth: thick\n"


def drawn(folder=ROOT, **environment):
    """The hash of a picture that a program draws, which says nothing on standard error."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith("MPL")}
        | {"PYTHONPATH": path}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def usual():
    """The picture as it is without any settings."""
    return drawn()


@pytest.fixture(scope="module")
def runs():
    """Recorded runs."""
    return lab.load(RECORD)


@pytest.fixture(scope="module")
def overhead(runs):
    """The hash of a figure before anything is set."""
    return digest(lab.figures.overhead(runs))


@pytest.fixture
def settings():
    """Matplotlib's settings, which are put back at the end."""
    with matplotlib.rc_context():
        yield rcParams


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_backend_of_others_changes_nothing(usual, name):
    """Whatever the environment says, there or not: the same picture, pixel by pixel, and no word."""
    assert drawn(**SURROUNDINGS[name]) == usual


@pytest.mark.parametrize("content", [RC.encode(), b"\xff\xfe garbage"])
def test_a_matplotlibrc_changes_nothing(usual, tmp_path, content):
    """In the current folder: settings of others and unknown ones, and a file that is no text."""
    (tmp_path / "matplotlibrc").write_bytes(content)
    assert drawn(folder=tmp_path) == usual


@pytest.mark.parametrize("name", STYLES)
def test_a_style_that_was_set_in_a_notebook_changes_nothing(runs, overhead, settings, name):
    """Set before a figure is made, and between that and its being shown."""
    shown_later = lab.figures.overhead(runs)
    STYLES[name]()
    assert digest(shown_later) == digest(lab.figures.overhead(runs)) == overhead


def test_the_backend_of_the_notebook_stays_in_force():
    """The MPLBACKEND that a kernel has set is what pyplot uses afterwards."""
    code = "import lab, os; lab.figures; import matplotlib; "
    code += "print(matplotlib.rcParams['backend'], os.environ['MPLBACKEND'])"
    environment = os.environ | {"MPLBACKEND": "svg"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["svg", "svg"]


def digest(figure):
    """The hash of a small picture of it."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=50)
    return hashlib.sha256(picture.getvalue()).hexdigest()


@pytest.mark.parametrize("name", lab.figures.__all__)
def test_every_figure_is_the_same_and_leaves_nothing_behind(runs, settings, name):
    """Each in one picture under other settings, which are as they were, and pyplot knows of none."""
    first = digest(getattr(lab.figures, name)(runs))
    settings.update({"text.usetex": True, "font.size": 30, "axes.facecolor": "black", "axes.grid": True})
    settings["axes.prop_cycle"] = matplotlib.cycler(color=["red"])
    before = dict(settings)
    assert digest(getattr(lab.figures, name)(runs)) == first
    assert dict(settings) == before


def test_a_dollar_sign_is_a_dollar_sign(runs, settings):
    """Text is drawn as it is written, never as a formula."""
    techniques = {run.mode: {"receive": run.receive, "send": run.send} for run in runs}
    exported = {
        "schema": "pushlab.lesson/1", "taken": 1.0, "simulated": True, "lab": runs[0].lab,
        "crew": {"each": "$x_{", "rtt_ms": 0},
        "meters": {"since": 0.0, "techniques": techniques},
    }  # fmt: skip
    figure = lesson(exported)
    assert figure._repr_png_() and not any(
        text.get_parse_math() for text in figure.findobj(matplotlib.text.Text)
    )


@pytest.mark.parametrize("name", lab.figures.__all__)
def test_a_figure_takes_one_run_and_no_other_thing(runs, name):
    """One run is as good as a list of one; none, or something else, is refused in a sentence."""
    draw = getattr(lab.figures, name)
    assert digest(draw(runs[0])) == digest(draw([runs[0]]))
    assert draw(run for run in runs[:1]) and draw(runs=runs[:1], size="projector")
    with pytest.raises(BadParameter, match="Runs must be"):
        draw(["sse"])
    if name != "ladder":  # which is drawn for all techniques without any run
        with pytest.raises(BadParameter, match="no runs"):
            draw([])


# Axes -----------------------------------------------------------------------------------------

SPREADS = {
    "a decade": [0.0051 + 0.00005 * n for n in range(90)],
    "a third": [0.0061 + 0.00001 * n for n in range(80)],
    "more than one": [0.0009 + 0.0001 * n for n in range(100)],
    "micro": [0.00002 + 0.0000005 * n for n in range(80)],
    "six decades": [10 ** (-6 + 0.07 * n) for n in range(100)],
    "long": [100.0 + 9 * n for n in range(90)],
    "equal": [0.005] * 20,
    "nearly equal": [0.005, 0.00501],
    "one": [0.0053],
    "zeros": [0.0] * 5 + [0.003] * 5,
    "only zeros": [0.0] * 5,
    "none": [],
}


def spread(runs, times):
    """Runs of all techniques whose latencies are these."""
    ordered = sorted(times)
    middle = {"count": len(ordered), "mean": sum(ordered) / len(ordered) if ordered else None}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 0.999}
    middle |= {
        name: ordered[int(share * len(ordered))] if ordered else None for name, share in shares.items()
    }
    theory = runs[0].predicted | {"latency_mean_s": middle["mean"]}
    return [replace(runs[0], mode=w, samples=ordered, latency_s=middle, predicted=theory) for w in MODES]


def readable(axes, renderer):
    """The numbers of an axis as they are drawn: at least two, without powers, none over another."""
    shown = [label for label in axes.get_xticklabels() if label.get_text()]
    boxes = sorted((label.get_window_extent(renderer) for label in shown), key=lambda box: box.x0)
    assert len(boxes) >= 2 and not any("$" in label.get_text() or "e" in label.get_text() for label in shown)
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


@pytest.mark.parametrize("size", ["page", "projector"])
@pytest.mark.parametrize("times", SPREADS.values(), ids=SPREADS)
def test_a_logarithmic_axis_can_be_read(runs, times, size):
    """Whatever the latencies, in large and small panels, for page and projector."""
    those = spread(runs, times)
    sheets = {lab.figures.comparison: [2, 3]}
    if size == "page":  # panels of their own have more room on every sheet
        sheets |= {lab.figures.latency: [0], lab.figures.prediction: [1]}
    for figure, panels in sheets.items():
        drawn = figure(those, size=size)
        renderer = FigureCanvasAgg(drawn).get_renderer()
        drawn.draw_without_rendering()  # everything has its place then, and no pixel its colour
        for panel in panels:
            readable(drawn.axes[panel], renderer)


@pytest.mark.parametrize("size", ["page", "projector"])
@pytest.mark.parametrize(
    "numbers", [[3], [3, 4], [10, 11, 12, 20, 50, 100, 101, 1000], [1, 10, 100, 1000, 10_000]]
)
def test_the_numbers_of_listeners_can_be_read(runs, numbers, size):
    """Those that were measured, as far as there is room; the first and the last always."""
    grid = [replace(run, conditions=run.conditions | {"clients": n}) for n in numbers for run in runs]
    figure = lab.figures.scale(grid, size=size)
    figure.draw_without_rendering()
    for axes in figure.axes:
        shown = [label.get_text() for label in axes.get_xticklabels()]
        assert shown[0] == f"{numbers[0]:,}" and shown[-1] == f"{numbers[-1]:,}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5, "5"),
        (0.2, "0.2"),
        (0.0001, "0.0001"),
        (6.25, "6.25"),
        (10_000, "10,000"),
        (1e6, "1,000,000"),
    ],
)
def test_numbers_are_plain(value, text):
    """No powers, no trailing noughts."""
    assert plain(value) == text
