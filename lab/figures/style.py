"""How all figures look: the techniques' colours and signs, two sizes, both languages. Nothing else does.

Never colour alone: each technique also has its letter and its dash pattern, each part of the bytes its
hatching, so that a grey print and a pale projector show the same.
"""

import io
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec

from matplotlib import font_manager, rc_context, rcParams, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from lab.catalogue import MODES, TECHNIQUES
from lab.errors import BadParameter
from lab.results.runs import Run, run_list

P = ParamSpec("P")
INK, GREY, GRID = "#1b1f24", "#5b6470", "#d9dde2"
Options = dict[str, Any]
"""Keyword arguments for a method of matplotlib."""
DASHES: tuple[Any, ...] = (
    *("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2))),
    *((0, (4, 1)), (0, (9, 2, 2, 2)), (0, (1, 1))),
)
"""One pattern for each technique, in the catalogue's order, and again from the start if there are more."""
PARTS = {"head": ("头部", 0.30, ""), "framing": ("封装", 0.62, "////"), "payload": ("消息", 1.0, "")}
"""The parts of the bytes: name in Chinese, strength of the colour, hatching."""
CHINESE = ("Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", "Noto Sans CJK JP")


class Size(NamedTuple):
    """A sheet: its width in inches, and points for text and lines."""

    width: float
    text: float
    line: float


SIZES = {"page": Size(6.6, 9.0, 1.6), "projector": Size(12.8, 17.0, 3.2)}
SHARP = 2
"""Pixels of a picture in a notebook for each pixel of a usual screen, so that it is sharp on a better one."""
COLOURS = 128
"""Colours of such a picture."""
PANEL = 0.62
"""Height of a single panel, as a share of the sheet's width."""


WINDOWS: tuple[str, ...] = (
    "backend",
    "interactive",
    "toolbar",
    "webagg",
    "keymap",
    "tk.",
    "docstring",
    "savefig.directory",
)
WINDOWS += ("date.epoch", "timezone", "figure.raise_window", "figure.max_open_warning")
"""Settings that do not change a picture: how figures are shown in windows, and the like."""
SAME_EVERY_TIME: Any = {"svg.hashsalt": "push lab", "svg.fonttype": "path"}
PLAIN_TEXT: Any = {"text.parse_math": False}
"""A dollar sign in a text is literal; not while a figure is made, as markers are letters in dollars."""


class Sheet(Figure):
    """A matplotlib Figure that a notebook shows by itself, without pyplot and its global state.

    Matplotlib asks its global settings again whenever it draws. So the lab's own settings are active while it
    draws, and a picture does not depend on the user's settings.
    """

    settings: Any = {}  # noqa: RUF012 - replaced, never changed
    alt = ""
    """What the figure shows, in sentences, for a reader who cannot see it."""

    def draw(self, renderer: Any) -> None:
        """Draw it, under the lab's own settings."""
        with rc_context(self.settings | PLAIN_TEXT):
            super().draw(renderer)

    def savefig(self, *target: Any, **options: Any) -> None:
        """Write it, under the lab's own settings."""
        with rc_context(self.settings | PLAIN_TEXT):
            super().savefig(*target, **options)

    def _repr_png_(self) -> bytes:
        picture, small = io.BytesIO(), io.BytesIO()
        self.savefig(picture, format="png", dpi=SHARP * self.dpi)
        with Image.open(picture) as drawn:  # few colours, and a notebook that holds it stays small
            drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, "png", optimize=True)
        return small.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[Options, Options]:
        """The picture with its size on the screen and its text, as Jupyter asks for it."""
        width, height = (round(self.dpi * inches) for inches in self.get_size_inches())
        shown = {"image/png": b64encode(self._repr_png_()).decode(), "text/plain": self.alt or repr(self)}
        return shown, {"image/png": {"width": width, "height": height, "alt": self.alt}}


@contextmanager
def sheet(
    size: str = "page", height: float = PANEL, small: float = 1.0, **grid: Any
) -> Iterator[tuple[Sheet, Any]]:
    """An empty sheet and its axes, as `Figure.subplots` gives them.

    `height` is a share of the width; `small` makes text and lines smaller, for many panels on one sheet.
    Raises `BadParameter` for a size that is not there.
    """
    if size not in SIZES:
        raise BadParameter(f"A figure's size must be {' or '.join(SIZES)}, not {size}.")
    width, text, line = SIZES[size]
    settings = _defaults() | _settings(text * small, line * small)
    with rc_context(settings):
        figure = Sheet(figsize=(width, width * height), dpi=100, layout="constrained")
        figure.settings = settings
        yield figure, figure.subplots(**grid)
    for written in figure.findobj(Text):
        written.set_parse_math(False)


def _defaults() -> Any:
    """Matplotlib's default settings, without the user's."""
    return {
        name: value for name, value in rcParamsDefault.items() if not name.startswith(WINDOWS)
    } | SAME_EVERY_TIME


def of_runs(
    draw: Callable[Concatenate[Sequence[Run], P], Figure],
) -> Callable[Concatenate[Run | Iterable[Run], P], Figure]:
    """Let a figure take one run as well as several. Raises `BadParameter` for none."""

    @wraps(draw)
    def drawn(runs: Run | Iterable[Run], *args: P.args, **options: P.kwargs) -> Figure:
        return draw(run_list(runs), *args, **options)

    return drawn  # type: ignore[return-value]  # it accepts `runs=` as well, which the type cannot express


def _settings(text: float, line: float) -> Any:
    small = {name: 0.9 * text for name in ("xtick.labelsize", "ytick.labelsize", "legend.fontsize")}
    colours = {name: INK for name in ("text.color", "axes.labelcolor", "axes.titlecolor")}
    return (
        small
        | colours
        | {
            "font.family": ["DejaVu Sans", *((chinese_font(),) if chinese_font() else ())],
            "font.size": text,
            "axes.titlesize": 1.1 * text,
            "axes.titleweight": bold(),
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.axisbelow": True,
            "grid.color": GRID,
            "xtick.color": GREY,
            "ytick.color": GREY,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "lines.linewidth": line,
            "lines.markersize": 0.75 * text,
            "hatch.linewidth": 0.35 * line,
            "legend.frameon": False,
        }
    )


@cache
def chinese_font() -> str | None:
    """The name of a font with Chinese in it, if this machine has one of the usual ones."""
    names = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE if name in names), None)


@cache
def bold() -> str:
    """The weight of what should stand out; plain where the Chinese font is not bold: matplotlib warns."""
    faces = {font.weight for font in font_manager.fontManager.ttflist if font.name == chinese_font()}
    return "bold" if not faces or faces & {"bold", 700} else "normal"


_language: ContextVar[str] = ContextVar("language", default="both")


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Figures that are made meanwhile are in this language: "en", "zh", or "both"."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def _in(english: str, chinese: str, between: str) -> str:
    """The text in the language of the figure; in English where there is no Chinese font."""
    if not chinese or _language.get() == "en" or not chinese_font():
        return english
    return chinese if _language.get() == "zh" else f"{english}{between}{chinese}"


def both(english: str, chinese: str) -> str:
    """A text in both languages on one line, or in the one language of the figure."""
    return _in(english, chinese, "  ")


def label(english: str, chinese: str) -> str:
    """A label for an axis, one language below the other."""
    return _in(english, chinese, "\n")


def one(english: str, chinese: str) -> str:
    """A long text, in one language: in Chinese only where the figure is in Chinese alone."""
    return chinese if _language.get() == "zh" and chinese_font() else english


def name(mode: str) -> str:
    """The name of a technique on an axis: its sign, its mode, and its Chinese title."""
    technique = TECHNIQUES[mode]
    shown = chinese_font() and technique.title_zh != technique.title and _language.get() != "en"
    return f"{technique.sign}  {mode}" + (f"\n{technique.title_zh}" if shown else "")


def colour(mode: str) -> str:
    """The technique's colour on white."""
    return TECHNIQUES[mode].light


def sign(mode: str) -> str:
    """The technique's letter as a marker."""
    return f"${TECHNIQUES[mode].sign}$"


def dashes(mode: str) -> Any:
    """The technique's pattern of dashes."""
    return DASHES[MODES.index(mode) % len(DASHES)]


def tint(mode: str, strength: float) -> tuple[float, float, float]:
    """The technique's colour mixed with white: 1 is the colour, 0 is white."""
    full = [int(colour(mode)[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (1 - strength * (1 - part) for part in full)
    return red, green, blue


def titled(axes: Axes, english: str, chinese: str, below: str = "", stacked: bool = False) -> None:
    """Give a panel its title, in the figure's languages, and a smaller line below it."""
    text, gap = 0.85 * rcParams["font.size"], 0.45 * rcParams["font.size"]
    title = (label if stacked else both)(english, chinese)
    axes.set_title(title, pad=2 * gap + text if below else gap)
    if below:
        axes.annotate(
            below, (0, 1), (0, gap), "axes fraction", "offset points", fontsize=text, color=GREY, va="bottom"
        )


def unmeasured(axes: Axes, row: int) -> None:
    """Write "not measured" in a row of a panel."""
    place: Any = axes.get_yaxis_transform()
    axes.text(
        0.02, row, both("not measured", "未测量"), transform=place, va="center", color=GREY, style="italic"
    )


def rows(axes: Axes, modes: Sequence[str]) -> None:
    """Name the techniques down the left side, the first on top."""
    axes.set_yticks(range(len(modes)), [name(mode) for mode in modes])
    axes.set_ylim(len(modes) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.spines["left"].set_visible(False)
    for text, mode in zip(axes.get_yticklabels(), modes, strict=True):
        text.set_color(colour(mode))
