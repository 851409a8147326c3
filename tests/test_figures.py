"""Figures and the report: drawn from runs, in both sizes, from nothing but the lab."""

import io
import re
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from itertools import pairwise
from statistics import mean

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import lab
from lab.catalogue import MODES, TECHNIQUES
from lab.errors import BadParameter
from lab.experiment.prediction import ideal
from lab.experiment.weights import along, bytes_per_message, exchange_of, measured_per_message
from lab.figures import style
from lab.figures.comparison import plot
from lab.figures.html_report import report
from lab.figures.labels import spaced
from lab.figures.style import SIZES
from lab.results.rounds import median_over_rounds, spread
from tests.support.drawing import texts
from tests.support.lab_process import ROOT

NAMES = lab.figures.__all__
RECORD = ROOT / "notebooks" / "data" / "01-once.json"


@pytest.fixture(scope="module")
def runs():
    """A recorded run of each technique, with its latencies."""
    return [run for run in lab.load(RECORD) if run.round == 1]


@pytest.fixture(scope="module")
def grid(runs):
    """The same runs as if they had been made at three rates and with three numbers of clients."""
    return [
        replace(run, conditions=run.conditions | {"rate": rate, "clients": clients})
        for rate, clients in ((5, 3), (10, 30), (20, 300))
        for run in runs
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_can_be_drawn(runs, name, size, tmp_path):
    """Each is a matplotlib figure of its size, names the techniques, and shows itself in a notebook."""
    figure = getattr(lab.figures, name)(runs, size=size)
    assert figure.get_size_inches()[0] == pytest.approx(SIZES[size].width)
    assert all(mode in texts(figure) for mode in MODES)
    if size == "page":
        assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_size_that_is_not_there_is_refused(runs):
    """A wrong size is reported in one sentence."""
    with pytest.raises(BadParameter):
        lab.figures.overhead(runs, size="wall")


def drawn_pairs(axes):
    """What a panel of pairs shows: in each row where the ring is, and where the letter is."""
    signs = [(str(line.get_marker()), line.get_xdata()[0], line.get_ydata()[0]) for line in axes.get_lines()]
    rings = {row: value for sign, value, row in signs if sign == "o"}
    return [(rings[row], value) for sign, value, row in signs if sign.startswith("$") and row in rings]


def test_a_number_below_a_title_is_the_mean_of_what_is_drawn(runs):
    """The error is that of the drawn measurements; in ms where the drawn theory is below 10 ms."""
    figure = lab.figures.prediction(runs)
    for axes, time in zip(figure.axes, (False, True), strict=True):
        pairs = drawn_pairs(axes)
        assert len(pairs) == len(MODES)
        large = [abs(got / theory - 1) for theory, got in pairs if theory and not (time and theory < 10)]
        small = [abs(got - theory) for theory, got in pairs if time and theory < 10]
        shown = [text.get_text() for text in axes.texts]
        assert any(f"mean error {mean(large):.0%}" in text for text in shown)
        assert not small or any(f"below 10 ms: {mean(small):.1f} ms" in text for text in shown)


def test_curves_run_along_what_was_varied(grid):
    """Runs at several rates are points on curves; each title says what is drawn, and the mean error."""
    figure = lab.figures.prediction(grid)
    shown = texts(figure)
    assert "messages per second in the room" in shown and "Mean latency, ms" in shown
    pairs = []
    for line in figure.axes[0].get_lines():
        if str(line.get_marker()).startswith("$"):
            (curve,) = [
                other
                for other in figure.axes[0].get_lines()
                if len(other.get_xdata()) > 9 and other.get_color() == line.get_color()
            ]
            theory = np.interp(line.get_xdata()[0], curve.get_xdata(), curve.get_ydata())
            pairs += [(theory, float(line.get_ydata()[0]))] if theory else []
    assert f"mean error {mean(abs(got / theory - 1) for theory, got in pairs):.0%}" in shown


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_names_its_conditions(runs, name):
    """One line below it, in its alternative text too; with several rounds also that bars are intervals."""
    again = [replace(run, round=number) for number in (1, 2) for run in runs]
    figure = getattr(lab.figures, name)(again)
    line = " ".join(figure.get_supxlabel().split())
    assert "5 listeners · 5 messages/s" in line and "95 % interval" in line
    assert line in " ".join(figure.alt.split()) and len(figure.alt) > len(line) + 40


def test_intervals_over_rounds_are_drawn(runs):
    """With several rounds each bar of bytes has the interval of its median."""
    sse = next(run for run in runs if run.mode == "sse")
    rounds = [replace(sse, round=n + 1, delivered=sse.delivered + n) for n in range(5)]
    found = spread(rounds, lambda run: run.per_delivery(run.socket_bytes))
    (bar,) = lab.figures.overhead(rounds).axes[0].get_lines()
    assert list(bar.get_xdata()) == [found.low, found.high] and found.low < found.median < found.high


@pytest.mark.needs("chinese-font")
@pytest.mark.parametrize(("language", "has"), [("en", (True, False)), ("zh", (False, True))])
def test_a_figure_can_be_in_one_language(runs, language, has):
    """In a report the figures are in its language alone."""
    with style.in_language(language):
        shown = texts(lab.figures.overhead_over_rate(runs))
    assert ("messages per second" in shown, "每秒消息数" in shown) == has


def test_bytes_and_delay_against_the_rate(grid):
    """Axes are logarithmic, each technique has a dot at each rate, and the message itself is the floor."""
    left, right = lab.figures.overhead_over_rate(grid).axes
    for axes in (left, right):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        for mode in MODES:
            line = next(line for line in axes.get_lines() if line.get_label() == mode)
            assert list(line.get_xdata()[[0, -1]]) == pytest.approx([0.05, 20])
            dots = [
                dot
                for dot in axes.get_lines()
                if dot.get_marker() == "o" and to_rgb(dot.get_color()) == to_rgb(TECHNIQUES[mode].light)
            ]
            assert [float(dot.get_xdata()[0]) for dot in dots] == [5, 10, 20]
    assert "the message itself" in texts(left)


@pytest.mark.parametrize("mode", MODES)
def test_theory_over_the_rate_is_what_was_measured(mode):
    """What theory says of a message's bytes at a rate is what the meters of recorded runs say."""
    rounds = [run for run in lab.load(RECORD) if run.mode == mode]
    weights = exchange_of(rounds)
    theory = bytes_per_message(mode, along(rounds[0]), weights)
    measured = median_over_rounds(rounds, measured_per_message(weights))
    assert measured == pytest.approx(theory, rel=0.03)
    latency = ideal(mode, along(rounds[0]), weights).latency_mean_s
    assert latency == pytest.approx(rounds[0].predicted["latency_mean_s"], rel=0.01)


def test_what_a_stream_begins_with_is_not_its_messages(runs):
    """Runs with 5 and 50 messages tell the first bytes of a response from what each message adds."""
    sse = next(run for run in runs if run.mode == "sse")
    made = []
    for messages in (5, 50):
        head, body, clients = 700 * 5, (900 + 200 * messages) * 5, 5
        meter = sse.receive | {"bytes_in": 0, "bytes_out": head + body, "head_bytes": head}
        meter |= {"payload_bytes": 180 * messages * 5, "framing_bytes": body - 180 * messages * 5}
        made.append(replace(sse, receive=meter, delivered=messages * clients))
    assert exchange_of(made)[:3] == pytest.approx((700, 900, 200))


def test_labels_do_not_touch():
    """Names at the end of curves keep their order, keep their distance, and stay where there is room."""
    wanted = {"a": 0.0, "b": 0.01, "c": 0.5, "d": 0.52, "e": 0.9}
    placed = spaced(wanted, 0.1)
    assert sorted(placed, key=placed.get) == list(wanted) and placed["a"] == 0 and placed["e"] == 0.9
    places = list(placed.values())
    assert all(after - before >= 0.0999 for before, after in pairwise(places))


def test_a_notebook_shows_the_figure_sharp_and_with_its_text(runs):
    """Two pixels for each of a usual screen, and a text for a reader who cannot see it."""
    figure = lab.figures.overhead_over_rate(runs)
    shown, about = figure._repr_mimebundle_()
    width = Image.open(io.BytesIO(b64decode(shown["image/png"]))).width
    assert width == 2 * about["image/png"]["width"] and len(b64decode(shown["image/png"])) < 150_000
    assert "bytes per delivered message" in about["image/png"]["alt"] == shown["text/plain"]


def test_cost_is_shown_against_listeners(grid):
    """The axis has a mark at each number of listeners that was measured."""
    axes = lab.figures.scale(grid).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "30", "300"]


def test_colours_and_signs_are_the_catalogues(runs):
    """A line has its technique's colour and its letter as a marker, as on the pages."""
    lines = {line.get_label(): line for line in lab.figures.latency(runs).axes[0].get_lines()}
    for mode in MODES:
        assert to_rgb(lines[mode].get_color()) == to_rgb(TECHNIQUES[mode].light)
        assert lines[mode].get_marker() == f"${TECHNIQUES[mode].sign}$"
    assert len({str(style.dashes(mode)) for mode in MODES}) == len(MODES)


def test_runs_without_samples_show_their_percentiles(runs):
    """A record without single latencies still has four points for each technique."""
    bare = [replace(run, samples=[]) for run in runs]
    line = lab.figures.latency(bare).axes[0].get_lines()[0]
    assert len(line.get_xdata()) == 4


def test_without_a_chinese_font_the_labels_are_english(runs, monkeypatch):
    """No boxes where Chinese should be: where no font has it, it is left out."""
    monkeypatch.setattr(style, "chinese_font", lambda: None)
    assert texts(lab.figures.overhead(runs)).replace("·", "").isascii()


@pytest.mark.needs("chinese-font")
def test_with_a_chinese_font_the_labels_have_chinese(runs):
    """Both languages where a font has them, and every character has its shape (a lack would be a warning)."""
    figure = lab.figures.overhead(runs)
    figure._repr_png_()
    assert "短轮询" in texts(figure)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_plot_writes_the_same_file_for_the_same_runs(runs, tmp_path, ending):
    """PNG, SVG and PDF by the file's ending, without a date inside."""
    files = [tmp_path / f"{number}.{ending}" for number in (1, 2)]
    for file in files:
        plot(runs, file)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.fixture(scope="module")
def pages(runs):
    """The report in both languages."""
    return {language: report(runs, language) for language in ("en", "zh")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_stands_alone(pages, language):
    """Answer, conditions, tables, and figures as elements with their text; nothing points outside."""
    page = pages[language]
    assert page.count("<svg") == page.count("</svg>") == page.count('role="img" aria-label="') == 6
    for mode in MODES:
        assert mode in page
    assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|<script|<link|<img", page)
    assert not re.search(r'(?:href|src)="(?!#)', page)


def test_the_report_begins_with_the_answer(runs, pages):
    """The first sentence has the fewest and the most bytes for a message; its figures are the runs' own."""
    each = {run.mode: run.per_delivery(run.socket_bytes) for run in runs}
    (sentence,) = re.findall(r'<p class="answer">(.*?)</p>', pages["en"])
    assert f"moved {min(each.values()):,.0f} bytes, the fewest" in sentence
    assert f" {max(each.values()):,.0f}, the most" in sentence
    assert pages["en"].index("answer") < pages["en"].index("<svg") < pages["en"].index("<table")
    assert "Nothing lost, doubled or out of order" in pages["en"]


def test_the_report_is_in_the_language_that_is_asked_for(pages):
    """The Chinese page has no English sentence, the English one no Chinese."""
    words = {
        language: re.sub(r"(?s)<svg.*?</svg>|<style.*?</style>", "", page) for language, page in pages.items()
    }
    assert '<html lang="en">' in pages["en"] and '<html lang="zh-CN">' in pages["zh"]
    assert not re.search("[\u4e00-\u9fff]", words["en"])
    assert "没有丢失" in words["zh"] and "theory" not in words["zh"].replace("theory.about", "")


def test_one_technique_has_a_report_too(runs):
    """Its answer compares it with the message itself."""
    page = report([next(run for run in runs if run.mode == "sse")], "en")
    assert re.search(r"Server-sent events moved \d+ bytes for each message, \d+\.\d times", page)


def test_a_page_cannot_be_injected(runs):
    """What a lab says of itself is text in the report."""
    strange = [replace(run, lab=run.lab | {"redis": "<script>alert(1)</script>"}) for run in runs]
    assert "<script" not in report(strange, "en")


def test_nothing_is_drawn_by_importing():
    """`import lab` does not load matplotlib; `lab.figures` does, and never pyplot."""
    code = "import sys, lab; assert 'matplotlib' not in sys.modules; lab.figures; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "matplotlib.figure" in loaded.split() and "matplotlib.pyplot" not in loaded.split()
