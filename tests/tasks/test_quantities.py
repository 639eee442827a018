"""Amounts written as text."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.tasks.quantities import format_duration, format_memory, parse_cpus, parse_duration, parse_memory


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        (1024, 1024),
        ("0", 0),
        ("500Mi", 524_288_000),
        ("1.5 GB", 1_500_000_000),
        ("1.5GiB", 1_610_612_736),
        ("2e9", 2_000_000_000),
        ("2E3", 2000),
        ("1E", 10**18),
        ("1e-1", 1),  # rounded up
        ("800m", 1),
        ("1500m", 2),
        ("2500000u", 3),
        ("1n", 1),
        (".5k", 500),
        ("1.", 1),
        ("64 KB", 64_000),
        ("0.1Gi", 107_374_183),  # 107374182.4 rounded up, exactly
        ("3 bytes", 3),
        ("1Qi", None),
        ("1MM", None),
        ("-1", None),
        ("12 34", None),
        ("٣", None),
        ("", None),
        (".", None),
        ("1e9999", None),
        (True, None),
        (None, None),
        (float("inf"), None),
        ("9" * 5000, None),
    ],
)
def test_memory(text: Any, amount: int | None) -> None:
    if amount is None:
        with pytest.raises(ValueError, match=r"memory"):
            parse_memory(text)
    else:
        assert parse_memory(text) == amount


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        (2, 2.0),
        ("0.5", 0.5),
        ("500m", 0.5),
        ("1e1", 10.0),
        ("1500m", 1.5),
        ("0", None),
        ("-1", None),
        ("2k", None),
        ("1e999", None),
        (False, None),
    ],
)
def test_cpus(text: Any, cpus: float | None) -> None:
    if cpus is None:
        with pytest.raises(ValueError, match="is not a number of CPUs"):
            parse_cpus(text)
    else:
        assert parse_cpus(text) == cpus


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("1.5s", 1.5),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("2d", 172_800.0),
        ("1d1h1m1.5s", 90_061.5),
        ("", None),
        ("m10", None),
        ("1.5m", None),
        (-1, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ("9" * 400, None),
        (None, None),
    ],
)
def test_durations(text: Any, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(ValueError, match="is not a duration"):
            parse_duration(text)
    else:
        assert parse_duration(text) == seconds


def test_amounts_for_people() -> None:
    assert [format_memory(size) for size in (0, 1023, 1536, 157_286_400, 2**40 * 3000)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "150 MiB",
        "3000 TiB",
    ]
    assert [format_duration(time) for time in (0.421, 12.34, 185, 7800)] == [
        "0.42 s",
        "12.3 s",
        "3 min 05 s",
        "2 h 10 min",
    ]
