"""Image lists: what cannot be said by the public vectors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.datasets.changes import Changes, merge, read_changes, settle
from trivet.datasets.filters import matching, non_unique_types
from trivet.datasets.imagelist import added, apply, faults, indexed, judge, patched, removed, strangers
from trivet.datasets.images import Image, ImagePatch, ImageUpdate, read_image, read_update
from trivet.datasets.statuses import with_statuses, without_statuses
from trivet.datasets.urls import is_within, join_url, normalize_url
from trivet.tasks.problem import Problem

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
URLS = NAMES.map(lambda name: f"/zd/{name}")
SCALARS: Any = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"])
UPDATES = st.builds(
    ImageUpdate,
    URLS,
    st.none() | URLS,
    st.dictionaries(NAMES, SCALARS, max_size=2),
    st.dictionaries(NAMES, st.booleans(), max_size=2),
)


def test_two_images_of_one_url_are_refused() -> None:
    with pytest.raises(ValueError, match="/zd/a"):
        indexed([Image("/zd/a"), Image("/zd/b"), Image("/zd/a")])


def test_a_url_with_a_null_character_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        normalize_url("/a\x00b")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\x00b", {"k": 1}])
def test_attributes_that_no_database_takes_are_refused_by_name(value: Any) -> None:
    problems: list[Problem] = []
    assert read_update({"zarr_url": "/x", "attributes": {"depth": value}}, problems) is None
    assert [problem.path for problem in problems] == [("attributes", "depth")]
    assert "depth" in problems[0].message


@pytest.mark.parametrize("name", ["filters", "new_filters", "type_filters", "attribute_filters"])
def test_filters_of_datasets_as_in_early_version_2_are_refused_by_name(name: str) -> None:
    problems: list[Problem] = []
    assert (
        read_changes({"image_list_updates": [{"zarr_url": "/a"}], name: {"types": {"is_3D": False}}}, problems) is None
    )
    assert [(problem.code, problem.severity, problem.path) for problem in problems] == [("F103", "error", (name,))]
    assert f"`{name}`" in problems[0].message
    assert "`output_types`" in problems[0].message


def test_all_faults_of_an_output_are_told_at_once() -> None:
    problems: list[Problem] = []
    output = {
        "image_list_updates": [{"zarr_url": "x"}, {"zarr_url": "/ok", "types": {"t": 3}}, {}],
        "image_list_removals": ["y"],
        "filters": {},
    }
    assert read_changes(output, problems) is None
    assert {problem.path for problem in problems} == {
        ("filters",),
        ("image_list_updates", 0, "zarr_url"),
        ("image_list_updates", 1, "types", "t"),
        ("image_list_updates", 2),
        ("image_list_removals", 0),
    }


def test_an_unknown_key_of_an_image_is_ignored_with_a_warning() -> None:
    problems: list[Problem] = []
    assert read_image({"zarr_url": "/x", "atributes": {}}, problems) == Image("/x")
    assert [(problem.severity, problem.path) for problem in problems] == [("warning", ("atributes",))]


def test_outputs_that_contradict_each_other_are_left_out_whole() -> None:
    good = Changes((ImageUpdate("/zd/good"),))
    one = Changes((ImageUpdate("/zd/new", attributes={"k": 1}), ImageUpdate("/zd/other")))
    two = Changes((ImageUpdate("/zd/new", attributes={"k": True}),))
    merged, refused = settle([one, good, two])
    assert merged == good
    assert refused == {0: ["/zd/new"], 2: ["/zd/new"]}


def test_a_directory_with_the_same_beginning_is_outside() -> None:
    said = list(faults({}, Changes((ImageUpdate("/data/ds10/x"), ImageUpdate("/data/ds1/y"))), "/data/ds1"))
    assert len(said) == 1
    assert "/data/ds10/x" in said[0]


def test_an_unknown_image_cannot_be_removed() -> None:
    with pytest.raises(ValueError, match="/zd/nobody"):
        apply(indexed([Image("/zd/a")]), Changes(removals=("/zd/nobody",)), "/zd")


@given(st.lists(URLS, unique=True), st.lists(UPDATES, max_size=5, unique_by=lambda update: update.zarr_url))
@settings(max_examples=60)
def test_known_images_keep_their_places_and_new_ones_follow_in_order(known: list[str], updates: list[Any]) -> None:
    before = indexed(Image(url, attributes={"k": 0}) for url in known)
    after = apply(before, Changes(tuple(updates)), "/zd", {"done": True})
    fresh = [update.zarr_url for update in updates if update.zarr_url not in known]
    assert list(after) == [*known, *fresh]
    for update in updates:
        image = after[update.zarr_url]
        assert image.types["done"] is True
        assert None not in image.attributes.values()
        assert {name: value for name, value in update.attributes.items() if value is not None}.items() <= (
            image.attributes.items()
        )
    untouched = set(known) - {update.zarr_url for update in updates}
    assert all(after[url] is before[url] for url in untouched)


@given(st.text(alphabet="/.ab s:3", max_size=12))
@settings(max_examples=200)
def test_normal_forms_are_stable_and_absolute(text: str) -> None:
    try:
        url = normalize_url(text)
    except ValueError:
        return
    assert normalize_url(url) == url
    assert url.startswith(("/", "s3://"))
    assert is_within(join_url(url, "x"), url)


def test_one_bad_output_does_not_hold_back_the_others() -> None:
    images = indexed([Image("/zd/a"), Image("/zd/b")])
    good = Changes((ImageUpdate("/zd/new", "/zd/a"),), ("/zd/b",))
    outside = Changes((ImageUpdate("/zd/fine"), ImageUpdate("/zd2/x")))
    unknown = Changes(removals=("/zd/nobody",))
    one, two = Changes((ImageUpdate("/zd/a", attributes={"k": 1}),)), Changes(removals=("/zd/a",))
    merged, refused = judge(images, [outside, good, one, unknown, two], "/zd")
    assert merged == good
    assert {position: len(reasons) for position, reasons in refused.items()} == {0: 1, 2: 1, 3: 1, 4: 1}
    assert "/zd2/x" in refused[0][0]
    assert "/zd/nobody" in refused[3][0]
    assert list(apply(images, merged, "/zd")) == ["/zd/a", "/zd/new"]


def test_origins_count_when_they_are_in_the_list_at_that_moment() -> None:
    changes = Changes((ImageUpdate("/zd/b", "/zd/c"), ImageUpdate("/zd/c", "/zd/a"), ImageUpdate("/zd/d", "/zd/c")))
    assert strangers(indexed([Image("/zd/a")]), changes) == ["/zd/c"]
    assert strangers(indexed([Image("/zd/a"), Image("/zd/c")]), changes) == []


def test_a_persons_edit_replaces_only_what_it_names() -> None:
    images = indexed([Image("/zd/a", None, {"k": 1}, {"t": True}), Image("/zd/b")])
    after = patched(images, ImagePatch("/zd/a", attributes={"n": 2}))
    assert list(after.values()) == [Image("/zd/a", None, {"n": 2}, {"t": True}), Image("/zd/b")]


def test_images_are_added_and_removed_all_or_none() -> None:
    images = indexed([Image("/zd/a"), Image("/zd/b")])
    with pytest.raises(ValueError, match=r"/zd/a.*/zd10/x.*/zd is not below"):
        added(images, [Image("/zd/c"), Image("/zd/a"), Image("/zd10/x"), Image("/zd")], "/zd")
    assert list(added(images, [Image("/zd/0")], "/zd")) == ["/zd/a", "/zd/b", "/zd/0"]
    with pytest.raises(ValueError, match="/zd/x, /zd/y"):
        removed(images, ["/zd/a", "/zd/x", "/zd/y"])
    assert list(removed(images, ["/zd/a"])) == ["/zd/b"]


class Url(str):
    """A text whose comparisons are lines of Python, so that looking through a list is counted, too."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True

    def __hash__(self) -> int:
        return str.__hash__(self)


WORK: dict[str, Callable[[dict[str, Image], Changes], object]] = {
    "apply": lambda images, changes: apply(images, changes, "/zd"),
    "judge": lambda images, changes: judge(images, [Changes((update,)) for update in changes.updates], "/zd"),
    "merge": lambda images, changes: merge(Changes((update,)) for update in changes.updates),
    "strangers": strangers,
    "added": lambda images, changes: added(images, [Image(update.zarr_url) for update in changes.updates], "/zd"),
    "removed": lambda images, changes: removed(images, [Url(url) for url in images][::2]),
    "matching": lambda images, changes: matching(images.values(), {"t": True}, {"k": [*range(len(images))]}),
    "non_unique_types": lambda images, changes: non_unique_types(images.values()),
    "with_statuses": lambda images, changes: without_statuses(with_statuses(images, dict.fromkeys(images, "done"))),
    "read_changes": lambda images, changes: read_changes(changes.to_json(), []),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_work_costs_the_same_for_each_image_however_many_there_are(
    work: Callable[[dict[str, Image], Changes], object],
) -> None:
    """Counted in bytecode lines, since times mean nothing on a shared machine."""

    def lines(count: int) -> int:
        images = indexed(Image(Url(f"/zd/{n}"), attributes={"k": n}, types={"t": n % 2 == 0}) for n in range(count))
        urls = [(Url(f"/zd/new{number}"), Url(f"/zd/{number}")) for number in range(count)]
        changes = Changes(tuple(ImageUpdate(url, origin) for url, origin in urls))
        counted = 0

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal counted
            counted += event == "line"
            return trace

        sys.settrace(trace)
        try:
            work(images, changes)
        finally:
            sys.settrace(None)
        return counted

    assert lines(1000) < 11 * lines(100)
