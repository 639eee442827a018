"""Fitting scale rules to past runs: every one is covered, and too little is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.kaapana.learning import MARGIN, Observation, TooFewError, fit, rounded
from trivet.contracts.kaapana.model import Channel, ScaleRule
from trivet.contracts.kaapana.suggesting import Observations, forms, suggest

MIB = 1024**2


def line(*sizes: int, factor: float = 10, base: int = 0) -> list[Observation]:
    return [Observation(size, round(base + factor * size)) for size in sizes]


def test_memory_in_proportion_to_size() -> None:
    found = fit(line(*(MIB * size for size in (10, 20, 30, 40, 50)), factor=10))
    assert found.factor == 12
    assert found.floor == 0
    assert found.used == pytest.approx((1 / 1.2,) * 3)
    assert (found.runs, found.smallest, found.largest) == (5, 10 * MIB, 50 * MIB)
    assert found.waste == 0


def test_memory_that_does_not_grow_gets_no_rule() -> None:
    found = fit(
        [
            Observation(size * MIB, peak * MIB)
            for size, peak in zip((1, 10, 100, 500, 1000), (500, 510, 495, 500, 505), strict=True)
        ]
    )
    assert found.factor == 0
    assert found.floor == math.ceil(510 * MIB * MARGIN)


def test_a_base_becomes_a_floor_and_larger_data_is_not_starved() -> None:
    sizes = [size * MIB for size in (1, 2, 4, 8, 100, 200, 400)]
    found = fit(line(*sizes, factor=20, base=300 * MIB))
    assert found.floor > 300 * MIB
    for size in (500 * MIB, 5000 * MIB, 10**12):
        assert found.factor * size > 300 * MIB + 20 * size


def test_memory_that_grows_faster_than_the_data_is_not_starved_right_beyond() -> None:
    found = fit([Observation(size * MIB, size**2 * 1000 + 100) for size in (1, 2, 3, 4, 5, 6)])
    assert found.factor * 6 * MIB >= 36_000


def test_one_wild_run_is_covered() -> None:
    found = fit([*line(*(MIB * size for size in range(10, 30)), factor=10), Observation(12 * MIB, 700 * MIB)])
    assert max(found.floor, found.factor * 12 * MIB) >= 700 * MIB * MARGIN


def test_a_run_that_lacked_memory_is_covered_too() -> None:
    good = line(*(MIB * size for size in (10, 20, 30, 40, 50)), factor=10)
    found = fit([*good, Observation(100 * MIB, 3000 * MIB, whole=False)])
    assert found.factor * 100 * MIB >= 3000 * MIB * MARGIN
    assert found.used[2] <= 1 / float(MARGIN) + 1e-9


@pytest.mark.parametrize(
    ("observations", "word"),
    [
        ([], "too few runs ended well and were measured: 0; 5 are needed"),
        (line(1, 2, 3, 4), "measured: 4"),
        ([*line(1, 2, 3, 4), Observation(5, 50, whole=False)], "measured: 4"),
        (line(0, 0, 1, 2, 3, 4), "measured: 4"),
        (line(1000, 1000, 2000, 2000, 1000), "2 different sizes"),
        (line(1000, 1001, 1002, 1003, 1004), "all of about one size"),
    ],
)
def test_too_little_is_refused(observations: list[Observation], word: str) -> None:
    with pytest.raises(TooFewError, match=word):
        fit(observations)


OBSERVATIONS = st.lists(
    st.builds(Observation, st.integers(1, 10**12), st.integers(1, 10**13), st.booleans()), min_size=1, max_size=30
)
ENOUGH = st.just(line(10**6, 2 * 10**6, 3 * 10**6, 4 * 10**6, 5 * 10**6))


@settings(max_examples=200, deadline=None)
@given(OBSERVATIONS, ENOUGH)
def test_every_run_is_covered_with_the_margin(some: list[Observation], enough: list[Observation]) -> None:
    observations = [*some, *enough]
    found = fit(observations)
    for one in observations:
        assert max(Fraction(found.floor), found.factor * one.n) >= MARGIN * one.peak
    assert 0 < found.used[0] <= found.used[1] <= found.used[2] <= 1 / float(MARGIN) + 1e-9
    assert found.runs == len(observations)


@settings(max_examples=100, deadline=None)
@given(OBSERVATIONS, ENOUGH, st.randoms())
def test_the_order_of_runs_does_not_matter(some: list[Observation], enough: list[Observation], random) -> None:
    observations = [*some, *enough]
    shuffled = random.sample(observations, len(observations))
    one, other = fit(observations), fit(shuffled)
    assert (one.factor, one.floor) == (other.factor, other.floor)


@settings(max_examples=100, deadline=None)
@given(OBSERVATIONS, ENOUGH, st.sampled_from([2, 1024]))
def test_units_do_not_matter(some: list[Observation], enough: list[Observation], scale: int) -> None:
    observations = [*some, *enough]
    plain, scaled = fit(observations), fit([one._replace(peak=one.peak * scale) for one in observations])
    assert float(scaled.factor) == pytest.approx(float(plain.factor * scale), rel=1e-9)
    assert scaled.floor == pytest.approx(plain.floor * scale, abs=scale)


@given(st.fractions(min_value=Fraction(1, 10**9), max_value=10**12))
def test_rounding_never_takes_away_and_adds_little(factor: Fraction) -> None:
    text = rounded(factor)
    assert "e" not in text.lower()
    assert factor <= Fraction(text) <= factor * Fraction(102, 100)


def test_fitting_many_runs_takes_no_time_to_speak_of() -> None:
    observations = [Observation(10**6 + number * 997 % 10**6, 10**7 + number * 7919 % 10**7) for number in range(3000)]
    assert fit(observations).runs == 3000


def observed(channel: Channel, *runs: tuple[dict[str, int], int]) -> Observations:
    observations = Observations([channel])
    for files, peak in runs:
        observations.add({channel.name: list(files.items())}, peak, "cgroup", whole=True)
    return observations


def test_the_mode_that_explains_memory_is_chosen() -> None:
    channel = Channel("moving", "/moving")
    runs = [
        ({f"p{item}/{file}": 1000 * size for item in range(items) for file in "ab"}, 40_000 * size)
        for items, size in ((1, 10), (7, 20), (2, 30), (9, 40), (3, 50), (5, 60))
    ]
    found = suggest([channel], observed(channel, *runs))
    assert found.modes == ("max_file_size", "max_item_sum")
    assert forms(found)["current"] == {"scale_rule": {"scale_factor": 48, "type": "limit", "mode": "max_file_size"}}
    assert forms(found)["guide"] == {"scale_rule": {"complexity": "48*n", "type": "limit", "mode": "max_file_size"}}


def test_targets_of_the_channels_own_rule_are_kept() -> None:
    own = ScaleRule("1", 2, "request", "sum", "", ".*", "*.nrrd")
    channel = Channel("moving", "/moving", scale_rule=own)
    runs = [({"p/a.nrrd": size * MIB, "p/b.txt": 999 * MIB}, 3 * size * MIB) for size in (1, 2, 3, 4, 5)]
    found = suggest([channel], observed(channel, *runs))
    assert found.modes == ("sum", "max_file_size", "max_item_sum")
    assert forms(found) == {
        "current": {"scale_rule": {"scale_factor": 4, "type": "limit", "mode": "sum", "target_glob": "*.nrrd"}},
        "guide": {"scale_rule": {"complexity": "3.6*n", "type": "limit", "mode": "sum", "target_glob": "*.nrrd"}},
    }


def test_a_channel_memory_does_not_depend_on_is_passed_over() -> None:
    channels = [Channel("fixed", "/fixed"), Channel("moving", "/moving")]
    observations = Observations(channels)
    for number, size in enumerate((1, 2, 3, 4, 5)):
        files = {"moving": [("p/a", size * MIB)], "fixed": [("p/a", (7 - number % 2 * 4) * MIB)]}
        observations.add(files, 10 * size * MIB, "cgroup", whole=True)
    assert suggest(channels, observations).channel == "moving"


def test_without_channels_there_is_nothing_to_fit() -> None:
    with pytest.raises(TooFewError, match="no input channels"):
        suggest([], Observations([]))
