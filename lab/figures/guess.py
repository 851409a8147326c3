"""A guess and what was measured: how near each guess came."""

from collections.abc import Mapping, Sequence
from math import exp, log

from matplotlib.axes import Axes

from lab.errors import BadParameter
from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.ticks import logarithmic
from lab.results.format import count, times
from lab.results.runs import Run

NEAR, FAR = 1.5, 3.0
"""A guess within the first factor is right, within the second it is near."""
SIGNS = {"right": "✓", "near": "~", "wrong": "✗"}


def verdict(guess: float, measured: float) -> str:
    """How good a guess is: "right" within a factor of 1.5, "near" within 3, else "wrong"."""
    factor = exp(abs(log(guess / measured)))
    return "right" if factor <= NEAR else "near" if factor <= FAR else "wrong"


def guessed(
    guess: Mapping[str, float | None],
    measured: Mapping[str, float],
    runs: Sequence[Run],
    unit: str = "bytes",
    size: str = "page",
) -> style.Sheet:
    """Guesses as rings and measurements as dots on a logarithmic axis, and how many guesses are right.

    A technique without a guess keeps its measurement to itself. Raises `BadParameter` for a guess that is no
    number above 0, and for a technique that was not measured.
    """
    made = {mode: _checked(mode, guess.get(mode)) for mode in measured}
    if unknown := [mode for mode in guess if mode not in measured]:
        raise BadParameter(f"There is no measurement of {unknown[0]!r}; there are {', '.join(measured)}.")
    with style.sheet(size, height=0.2 + 0.075 * len(made)) as (figure, axes):
        for at, (mode, value) in enumerate(made.items()):
            _row(axes, at, mode, value, measured[mode])
        style.rows(axes, list(made))
        _axis(axes, list(measured.values()), [value for value in made.values() if value], unit)
        words = score(made, measured)
        style.titled(axes, "Your guess, and what was measured", "你的猜测与实测", words)
        captioned(figure, runs, f"{style.one('Guesses and measurements', '猜测与实测')}: {words}.", _key())
    return figure


def score(guess: Mapping[str, float | None], measured: Mapping[str, float]) -> str:
    """How many of the guesses are right, in a few words."""
    made = {mode: value for mode, value in guess.items() if value}
    if not made:
        return style.both(
            "no guess yet: write your numbers into the cell above", "请先在上面的单元格写下猜测"
        )
    right = sum(verdict(value, measured[mode]) == "right" for mode, value in made.items())
    return style.both(
        f"{right} of {len(made)} within a factor of {NEAR:g}",
        f"{len(made)} 个中有 {right} 个相差不到 {NEAR:g} 倍",
    )


def _key() -> str:
    return style.one("rings: guess, dots: measured", "圆圈：猜测，圆点：实测")


def _checked(mode: str, value: float | None) -> float | None:
    """The guess as a number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:
        raise BadParameter(f"The guess for {mode} must be a number above 0 or None, not {value!r}.")
    return float(value)


def _row(axes: Axes, at: int, mode: str, guess: float | None, measured: float) -> None:
    colour = style.colour(mode)
    if guess is None:
        axes.text(0.02, at, "?", transform=axes.get_yaxis_transform(), color=style.GREY, va="center")
        return
    axes.plot([guess, measured], [at, at], color=style.tint(mode, 0.4))
    axes.plot([guess], [at], marker="o", color=colour, markerfacecolor="white", linestyle="none")
    axes.plot([measured], [at], marker="o", color=colour, linestyle="none")
    text = f"{SIGNS[verdict(guess, measured)]} {count(measured)}"
    far = "" if verdict(guess, measured) == "right" else f" ({times(guess / measured)})"
    place = axes.get_yaxis_transform()
    axes.text(1.01, at, text + far, transform=place, color=colour, va="center")


def _axis(axes: Axes, measured: Sequence[float], guesses: Sequence[float], unit: str) -> None:
    """A range that says nothing of what was measured, as long as there are no guesses."""
    values = [*guesses, *measured] if guesses else [10.0, 10_000.0]
    axes.plot([min(values) / 2, max(values) * 2], [0, 0], alpha=0)
    logarithmic(axes)
    axes.set_xlabel(unit)
    axes.grid(axis="x")
