"""Memory limits and requests from scale rules: exact, with headroom, never less than what is fixed."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.kaapana.limits import Sized, need, scaled
from trivet.contracts.kaapana.measuring import Size
from trivet.contracts.kaapana.model import ScaleRule
from trivet.contracts.kaapana.resources import neutral
from trivet.contracts.kaapana.scale_rules import parse_complexity
from trivet.tasks.problem import ProblemsError

LARGEST = 2**63 - 1


def rule(complexity: str, kind: str = "limit", **more: str) -> ScaleRule:
    return ScaleRule(*parse_complexity(complexity), kind, "sum", **more)


def sized(complexity: str, n: int, kind: str = "limit", channel: str = "dicom", **more: str) -> Sized:
    return Sized(channel, rule(complexity, kind, **more), Size(n, 1))


@pytest.mark.parametrize(
    ("complexity", "value"),
    [
        ("n", 1000),
        ("2n", 2000),
        ("2*n", 2000),
        ("+2*n", 2000),
        ("2.5*n", 2500),
        (".5n", 500),
        (".5*n", 500),
        ("25*n**1", 25_000),
        ("n**2", 1_000_000),
        ("0.5*n**2", 500_000),
        ("2n**2", 2_000_000),
        ("3*n**0", 3),
        ("*n", 1000),
        ("-3*n", 0),
        ("0.0001*n", 1),
        ("0.0011*n", 2),
        ("0*n**99999999999999999999", 0),
    ],
)
def test_values_of_the_published_table(complexity: str, value: int) -> None:
    assert need(rule(complexity), 1000) == value


def test_no_size_needs_nothing_and_a_constant_stays() -> None:
    assert need(rule("25*n"), 0) == 0
    assert need(rule("3*n**0"), 0) == 3


@pytest.mark.parametrize(
    ("complexity", "n"),
    [("n**3", 10**7), ("n", 2**63), ("n**99999999999999999999", 2), ("." + "0" * 90 + "1*n**999", 3)],
)
def test_amounts_no_machine_has_are_refused_at_once(complexity: str, n: int) -> None:
    with pytest.raises(OverflowError):
        need(rule(complexity), n)


def test_the_largest_amount_is_exact() -> None:
    assert need(rule("n"), LARGEST) == LARGEST
    assert need(rule("n**99999999999999999999"), 1) == 1


SIGNS, STARS = st.sampled_from(["", "+", "-"]), st.sampled_from(["", "*"])
DIGITS = st.text("0123456789", min_size=1, max_size=12)
COEFFICIENTS = st.one_of(
    st.just(""), DIGITS, st.builds("{}.{}".format, DIGITS, DIGITS), st.builds(".{}".format, DIGITS)
)
EXPONENTS = st.one_of(st.just(""), st.integers(0, 6).map("**{}".format))


@settings(max_examples=400, deadline=None)
@given(sign=SIGNS, coefficient=COEFFICIENTS, star=STARS, exponent=EXPONENTS, n=st.integers(0, 10**9))
def test_the_grammar_against_pythons_own_arithmetic(
    sign: str, coefficient: str, star: str, exponent: str, n: int
) -> None:
    factor = f"Fraction('{coefficient}')" if coefficient else "1"
    value = math.ceil(eval(f"{sign}{factor} * n{exponent}", {"Fraction": Fraction, "n": n}))
    complexity = rule(f"{sign}{coefficient}{star}n{exponent}")
    if value > LARGEST:
        with pytest.raises(OverflowError):
            need(complexity, n)
    else:
        assert need(complexity, n) == max(value, 0)


@settings(max_examples=400, deadline=None)
@given(st.text("+-.0129n*e ٢\n", max_size=12))
def test_nothing_but_the_grammar_is_read(text: str) -> None:
    """An independent reader, character by character."""
    rest = text.removeprefix("+") if text.startswith("+") else text.removeprefix("-")
    before, n, after = rest.partition("n")
    number = before.removesuffix("*") if before.endswith("*") else before
    whole, dot, part = number.partition(".")
    good = n == "n" and all(character in "0123456789" for character in whole + part) and (not dot or part != "")
    if after:
        digits = after.removeprefix("**")
        good = good and after.startswith("**") and digits != "" and all(one in "0123456789" for one in digits)
    if good:
        parse_complexity(text)
    else:
        with pytest.raises(ValueError, match="is not a complexity"):
            parse_complexity(text)


def test_the_corpus_example_of_a_registration() -> None:
    """mitk-tools/register: factor 100, a largest item of 50 MB, 2000Mi fixed."""
    found = scaled({"limits": {"memory": "2000Mi"}}, [sized("100*n", 50_000_000, channel="moving")])
    assert neutral(found.amounts).memory == 5_500_000_000
    assert found.expected == 5_000_000_000


def test_headroom_never_inflates_what_is_fixed_and_its_words_stay() -> None:
    found = scaled({"limits": {"memory": "2000Mi", "cpu": "2"}}, [sized("100*n", 1000)])
    assert found.amounts == {"limits": {"memory": "2000Mi", "cpu": "2"}}
    assert found.expected == 2000 * 1024**2


@pytest.mark.parametrize(
    "fixed", ["512M", "1G", "500000000000m", "1e9", "1024", 1024, 1e9, "1.04Gi", "2Ei", "10KiB", "3B"]
)
def test_every_quantity_may_be_fixed(fixed: object) -> None:
    found = scaled({"limits": {"memory": fixed}}, [sized("n", 1)])
    assert found.amounts == {"limits": {"memory": fixed}}


def test_a_result_is_an_exact_amount_of_bytes() -> None:
    found = scaled({}, [sized("1.04*n", 1024**3)])
    expected = math.ceil(Fraction(11, 10) * math.ceil(Fraction(104, 100) * 1024**3))
    assert found.amounts == {"limits": {"memory": str(expected)}}


def test_either_half_may_be_missing() -> None:
    rules = [sized("2*n", 10**9), sized("n", 10**9, "request")]
    assert scaled({"limits": {"cpu": "2"}}, rules).amounts == {
        "limits": {"cpu": "2", "memory": "2200000000"},
        "requests": {"memory": "1100000000"},
    }
    assert scaled({"requests": {"memory": "2G"}}, rules).amounts == {
        "requests": {"memory": "2G"},
        "limits": {"memory": "2200000000"},
    }
    assert scaled({}, []).amounts == {}


def test_the_largest_of_several_channels_counts() -> None:
    found = scaled({}, [sized("n", 10**9, channel="a"), sized("3*n", 10**9, channel="b"), sized("n", 7, channel="c")])
    assert found.amounts == {"limits": {"memory": "3300000000"}}


def test_an_empty_channel_leaves_what_is_fixed_or_nothing() -> None:
    assert scaled({}, [sized("25*n", 0)]).amounts == {}
    assert scaled({"limits": {"memory": "1Gi"}}, [sized("25*n", 0)]).amounts == {"limits": {"memory": "1Gi"}}
    assert scaled({}, [sized("-3*n", 10**9)]).amounts == {}


def test_headroom_is_configurable() -> None:
    found = scaled({}, [sized("n", 10**9, headroom="1.25"), sized("n", 1, headroom="9")])
    assert found.amounts == {"limits": {"memory": "1250000000"}}


def test_a_request_above_a_limit_with_a_rule_raises_it() -> None:
    found = scaled({}, [sized("n", 10**9), sized("2*n", 10**9, "request")])
    assert found.amounts == {"limits": {"memory": "2200000000"}, "requests": {"memory": "2200000000"}}
    assert "raised to the request" in found.notes[0].message


def test_a_request_above_a_fixed_limit_is_refused() -> None:
    with pytest.raises(ProblemsError, match=r"1,100,000,000 bytes of memory are requested.*more than the limit of 1,"):
        scaled({"limits": {"memory": "1Gi"}}, [sized("n", 10**9, "request", channel="moving")])


def test_a_request_without_any_limit_is_fine() -> None:
    assert scaled({}, [sized("n", 10**9, "request")]).amounts == {"requests": {"memory": "1100000000"}}


@pytest.mark.parametrize("n", [2**63, 2**63 - 10])
def test_more_than_any_engine_takes_is_refused_with_headroom_too(n: int) -> None:
    with pytest.raises(ProblemsError, match=r"channel `dicom` asks for more than 2\^63-1 bytes") as refused:
        scaled({}, [sized("n", n)])
    assert refused.value.problems[0].code == "K028"


def test_how_a_number_came_about_is_told() -> None:
    register = ScaleRule("100", 1, "limit", "max_item_sum", "", ".*", "*.nrrd")
    size = Size(50_000_000, 3, "patient-7")
    [note] = scaled({"limits": {"memory": "2000Mi"}}, [Sized("moving", register, size)]).notes
    assert (note.code, note.severity) == ("K026", "info")
    assert note.message == (
        "memory limit 5,500,000,000 bytes (5.1 GiB): channel `moving` n = 50,000,000 bytes (max_item_sum of *.nrrd, "
        "patient-7), 100*n = 5,000,000,000, with headroom 1.1; fixed 2000Mi"
    )


def test_a_limit_nothing_can_start_with_is_a_warning() -> None:
    [note] = scaled({}, [sized("n", 1000)]).notes
    assert (note.code, note.severity) == ("K026", "warning")
    [note] = scaled({"limits": {"memory": "1Gi"}}, [sized("n", 1000)]).notes
    assert note.severity == "info"


def test_what_was_left_out_is_told() -> None:
    notes = scaled({}, [Sized("dicom", rule("n"), Size(10**9, 5, "", 2, 1))]).notes[1:]
    assert [(note.code, note.severity, note.message) for note in notes] == [
        ("K029", "warning", "not counted in channel `dicom`: links that lead out of it (2)"),
        ("K029", "warning", "not counted in channel `dicom`: what can't be read (1)"),
    ]


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(0, 10**12),
    more=st.integers(0, 10**12),
    coefficient=st.sampled_from(["0.3", "1", "25"]),
    fixed=st.integers(1, 10**13),
    kind=st.sampled_from(["limit", "request"]),
)
def test_more_data_never_gets_less_and_requests_stay_below_limits(
    n: int, more: int, coefficient: str, fixed: int, kind: str
) -> None:
    def amounts(size: int) -> tuple[int, int]:
        rules = [sized(f"{coefficient}*n", size, kind), sized("2*n", size, "limit", "other")]
        found = scaled({"limits": {"memory": fixed}}, rules).amounts
        return int(found["limits"]["memory"]), int(found.get("requests", {}).get("memory", 0))

    (limit, request), (larger_limit, larger_request) = amounts(n), amounts(n + more)
    assert fixed <= limit <= larger_limit
    assert request <= larger_request <= larger_limit
    assert request <= limit
