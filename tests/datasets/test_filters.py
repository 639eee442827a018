"""Filters, their flow through a workflow, statuses: what cannot be said by the public vectors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.datasets.filters import matching, non_unique_types, read_attribute_filters, read_type_filters
from trivet.datasets.flow import Step, merge_type_filters, type_flow
from trivet.datasets.images import Image
from trivet.datasets.statuses import STATUS, with_statuses, without_statuses
from trivet.tasks.problem import Problem

NAMES = st.sampled_from(["a", "b", "c"])
TYPES = st.dictionaries(NAMES, st.booleans(), max_size=3)
SCALARS: Any = st.booleans() | st.integers(0, 1) | st.sampled_from([0.0, 1.0, 0.5, "0", "x"])
IMAGES = st.lists(
    st.tuples(TYPES, st.dictionaries(NAMES, SCALARS, max_size=2)).map(
        lambda pair: Image("/zd/x", None, pair[1], pair[0])
    ),
    max_size=6,
)
FILTERS = st.dictionaries(NAMES, st.lists(SCALARS, min_size=1, max_size=3), max_size=2)


def same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and one == other


@given(IMAGES, TYPES, FILTERS)
@settings(max_examples=150)
def test_an_image_is_chosen_when_it_has_all_that_is_wanted(images: Any, types: Any, attributes: Any) -> None:
    expected = []
    for image in images:
        fits = True
        for name, wanted in types.items():
            has = name in image.types and image.types[name]
            fits = fits and has == wanted
        for name, values in attributes.items():
            fits = fits and any(same(image.attributes.get(name), value) for value in values)
        if fits:
            expected.append(image)
    assert matching(images, types, attributes) == expected


@given(IMAGES)
@settings(max_examples=100)
def test_a_type_is_not_unique_when_filtering_by_it_splits_the_images(images: Any) -> None:
    splitting = [name for name in "abc" if 0 < len(matching(images, {name: True}, {})) < len(images)]
    assert non_unique_types(images) == splitting


@pytest.mark.parametrize("values", [None, [], "x", [None], [["x"]], [float("nan")], ["x", 1], [1, 1.0], [True, 1]])
def test_a_bad_attribute_filter_is_refused_by_name(values: Any) -> None:
    problems: list[Problem] = []
    assert read_attribute_filters({"good": ["x"], "well": values}, problems) is None
    assert [problem.path for problem in problems] == [("well",)]
    assert "well" in problems[0].message


def test_names_of_filters_are_bare_and_distinct() -> None:
    assert read_attribute_filters({" well ": ["A01"]}, []) == {"well": ("A01",)}
    assert read_type_filters({" 3D ": "yes"}, []) == {"3D": True}
    problems: list[Problem] = []
    assert read_type_filters({"3D": True, "3D ": False, " ": True, "corr": 3}, problems) is None
    assert [problem.path for problem in problems] == [("3D ",), (" ",), ("corr",)]
    assert read_type_filters([], []) is None


def test_a_status_that_does_not_exist_is_refused() -> None:
    assert read_attribute_filters({STATUS: ["failed", "unset"]}, []) == {STATUS: ("failed", "unset")}
    problems: list[Problem] = []
    assert read_attribute_filters({STATUS: ["faild"]}, problems) is None
    assert problems[0].hint == "did you mean `failed`?"


def test_statuses_are_put_on_and_taken_off_in_order() -> None:
    images = {url: Image(url, attributes={"k": 1}) for url in ("/zd/c", "/zd/a", "/zd/b")}
    during = with_statuses(images, {"/zd/a": "done", "/zd/gone": "failed"})
    assert [image.attributes[STATUS] for image in during.values()] == ["unset", "done", "unset"]
    assert [image.zarr_url for image in matching(during.values(), {}, {STATUS: ["unset"]})] == ["/zd/c", "/zd/b"]
    after = without_statuses(during)
    assert list(after) == list(images)
    assert after == images


def test_filters_of_one_task_do_not_go_on_but_what_tasks_make_does() -> None:
    flows = type_flow(
        [
            Step({}, {"corrected": True}, {"3D": True}),
            Step({"corrected": True}, {"3D": False}, {}),
            Step({}, {}, {"3D": True}),
        ],
        {"raw": True},
    )
    assert [flow.wanted for flow in flows] == [
        {"raw": True, "3D": True},
        {"raw": True, "corrected": True},
        {"raw": True, "corrected": True, "3D": True},
    ]
    assert [flow.reversed for flow in flows] == [[], [], ["3D"]]


def test_a_contradiction_names_the_type() -> None:
    with pytest.raises(ValueError, match="3D=true"):
        merge_type_filters({"3D": True, "ok": False}, {"3D": False, "ok": False})
