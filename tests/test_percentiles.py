"""Percentiles and sums of durations: right for any samples."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.meters import Durations, summary

SAMPLES = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


def nearest_rank(samples, share):
    """The smallest sample that at least this share of all samples does not exceed, found by looking."""
    need = Fraction(share) * len(samples)
    return next(sample for place, sample in enumerate(sorted(samples), start=1) if place >= need)


@given(SAMPLES)
def test_percentiles_are_samples_of_the_right_rank(samples):
    """p50, p95 and p99 are the samples that a sorted list shows; max is the last of them."""
    figures = summary(samples)
    expected = {"p50": "1/2", "p95": "19/20", "p99": "99/100"}
    assert {name: figures[name] for name in expected} == {
        name: nearest_rank(samples, share) for name, share in expected.items()
    }
    assert (figures["max"], figures["count"]) == (max(samples), len(samples))
    assert figures["mean"] == pytest.approx(sum(samples) / len(samples))


def test_percentiles_have_the_right_rank_for_every_count():
    """No number of samples makes the rank one too high or too low."""
    for count in range(1, 2001):
        figures = summary(range(1, count + 1))
        wanted = [-(-count * share // 100) for share in (50, 95, 99)]
        assert [figures[name] for name in ("p50", "p95", "p99")] == wanted


def test_nothing_measured_is_not_zero():
    """Without a sample there is no figure but the count."""
    figures = summary([])
    assert figures.pop("count") == 0
    assert set(figures.values()) == {None}


@given(SAMPLES)
def test_durations_are_summed_up_like_any_samples(samples):
    """Samples that are added in groups of any size give the same figures as all at once."""
    durations = Durations()
    for size in range(len(samples) + 1):
        durations.add(samples[size * (size - 1) // 2 : size * (size + 1) // 2])
    assert durations.as_json() == pytest.approx(summary(samples))


def test_percentiles_follow_the_newest():
    """In a long lesson they are those of the last some thousand; count, mean and max are of all."""
    durations = Durations()
    for sample in (*[3.0] * 100, *[1.0] * 200, *[2.0] * 100):
        durations.add([sample] * 100)
    figures = durations.as_json()
    assert (figures["p50"], figures["p99"]) == (2.0, 2.0)
    assert (figures["count"], figures["mean"], figures["max"]) == (40_000, 1.75, 3.0)
