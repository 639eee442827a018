"""The grammar of complexities and quantities."""

from __future__ import annotations

from fractions import Fraction

import pytest

from trivet.contracts.kaapana.resources import merged, neutral, quantity
from trivet.contracts.kaapana.scale_rules import parse_complexity
from trivet.tasks.task import Resources


@pytest.mark.parametrize(
    ("text", "coefficient", "exponent"),
    [
        ("n", "1", 1),
        ("2n", "2", 1),
        ("2*n", "2", 1),
        ("+2*n", "2", 1),
        ("2.5*n", "2.5", 1),
        (".5n", ".5", 1),
        (".5*n", ".5", 1),
        ("25*n**1", "25", 1),
        ("n**2", "1", 2),
        ("0.5*n**2", "0.5", 2),
        ("2n**2", "2", 2),
        ("3*n**0", "3", 0),
        ("-3*n", "-3", 1),
        ("*n", "1", 1),
    ],
)
def test_complexities_that_are_accepted(text, coefficient, exponent):
    assert parse_complexity(text) == (coefficient, exponent)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "n*2",
        "2*n*3",
        "2*n+1",
        "2.n",
        "2 * n",
        "1e3*n",
        "2*n**1.5",
        "2*n**-1",
        "2**n",
        "n**",
        "N",
        "2*n\n",
        "٢*n",
        "1" * 200 + "*n",
    ],
)
def test_complexities_that_are_refused(text):
    with pytest.raises(ValueError, match="is not a complexity"):
        parse_complexity(text)


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        ("1024", 1024),
        ("512M", 512_000_000),
        ("1G", 10**9),
        ("500m", Fraction(1, 2)),
        ("1e9", 10**9),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1.5Gi", 1610612736),
        ("100n", Fraction(1, 10**7)),
        (".5", Fraction(1, 2)),
        ("2.", 2),
        ("10B", 10),
        ("500KiB", 512000),
        (2, 2),
        (0.1, Fraction(1, 10)),
    ],
)
def test_quantities(amount, value):
    assert quantity(amount) == value


@pytest.mark.parametrize(
    "amount", ["", "lots", "1.5 GB", "1KB", "1e", "-1", "1ee3", "1e999", None, True, [], float("nan")]
)
def test_amounts_that_are_no_quantities(amount):
    with pytest.raises(ValueError, match=r"quantity|negative"):
        quantity(amount)


def test_resources_are_merged_key_by_key():
    template = {"limits": {"memory": "1Gi", "cpu": "2"}, "requests": {"memory": "100Mi"}}
    assert merged(template, {"limits": {"memory": "2Gi"}}) == {
        "limits": {"memory": "2Gi", "cpu": "2"},
        "requests": {"memory": "100Mi"},
    }
    assert merged({}, {"requests": {"cpu": 1}}) == {"requests": {"cpu": 1}}


def test_limits_in_neutral_words():
    limits = {"memory": "1.5Gi", "cpu": "1500m", "nvidia.com/gpu": 1, "amd.com/gpu": "1", "ephemeral-storage": "1Gi"}
    assert neutral({"limits": limits, "requests": {"memory": "9Gi"}}) == Resources(1.5, 1610612736, 2)
    assert neutral({}) == Resources()
