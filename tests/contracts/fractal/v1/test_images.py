"""Metadata of version 1 and image lists: one follows from the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.contracts.fractal.v1.images import CURRENT, changes, components, is_current, metadata_of
from trivet.datasets.changes import Changes
from trivet.datasets.imagelist import apply, indexed
from trivet.datasets.images import Image

HOME = "/data"
IMAGES = [f"{HOME}/p.zarr/B/03/0", f"{HOME}/p.zarr/B/03/1", f"{HOME}/p.zarr/C/03/0", f"{HOME}/alone.zarr", "/else/x"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (
            "image",
            {
                "p.zarr/B/03/0": IMAGES[:1],
                "p.zarr/B/03/1": IMAGES[1:2],
                "p.zarr/C/03/0": IMAGES[2:3],
                "alone.zarr": IMAGES[3:4],
            },
        ),
        ("well", {"p.zarr/B/03": IMAGES[:2], "p.zarr/C/03": IMAGES[2:3]}),
        ("plate", {"p.zarr": IMAGES[:3]}),
    ],
)
def test_components_of_images(level: str, expected: Any) -> None:
    assert components(level, IMAGES, HOME) == expected


def test_images_say_nothing_of_other_levels() -> None:
    with pytest.raises(KeyError):
        components("slide", IMAGES, HOME)


def test_a_place_is_not_within_another_whose_name_it_begins_with() -> None:
    assert components("image", ["/data2/p.zarr/B/03/0"], HOME) == {}


def test_a_dataset_without_metadata_is_described_by_its_images() -> None:
    listed = [Image(url) for url in IMAGES[:3]] + [Image(f"{HOME}/old.zarr/B/03/0", types={CURRENT: False})]
    assert metadata_of(listed, HOME) == {
        "plate": ["p.zarr"],
        "well": ["p.zarr/B/03", "p.zarr/C/03"],
        "image": ["p.zarr/B/03/0", "p.zarr/B/03/1", "p.zarr/C/03/0"],
    }
    assert metadata_of([], HOME) == {}


def test_new_entries_become_images() -> None:
    made = apply({}, changes({}, {"image": ["p.zarr/B/03/0", "alone.zarr"]}, {}, HOME), HOME)
    assert list(made.values()) == [
        Image(f"{HOME}/p.zarr/B/03/0", None, {"plate": "p.zarr", "well": "B03"}, {CURRENT: True}),
        Image(f"{HOME}/alone.zarr", None, {}, {CURRENT: True}),
    ]


@pytest.mark.parametrize("sources", [{"q": "/data/p.zarr"}, {"q.zarr": "/data/p.zarr/"}, {"q": "p.zarr"}])
def test_a_copied_plate_takes_the_place_of_the_old_one(sources: Any) -> None:
    old = Image(f"{HOME}/p.zarr/B/03/0", None, {"plate": "p.zarr", "well": "B03", "drug": "x"}, {"is_3D": True})
    after = {"image": ["q.zarr/B/03/0"], "copy_ome_zarr": {"suffix": "mip", "sources": sources}}
    images = indexed([old])
    made = apply(images, changes({"image": ["p.zarr/B/03/0"]}, after, images, HOME), HOME)
    first, second = made.values()
    assert first == Image(old.zarr_url, None, old.attributes, {"is_3D": True, CURRENT: False})
    assert second == Image(
        f"{HOME}/q.zarr/B/03/0",
        old.zarr_url,
        {"plate": "q.zarr", "well": "B03", "drug": "x"},
        {"is_3D": True, CURRENT: True},
    )
    back = changes(after, {"image": ["p.zarr/B/03/0"]}, made, HOME)
    assert [is_current(image) for image in apply(made, back, HOME).values()] == [True, False]


@pytest.mark.parametrize("listed", ["p.zarr/B/03/0", [1], {"a": 1}])
def test_a_list_that_is_none_is_refused(listed: Any) -> None:
    with pytest.raises(ValueError, match="list of texts"):
        changes({}, {"image": listed}, {}, HOME)


def test_entries_that_lead_away_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\.\."):
        changes({}, {"image": ["../elsewhere/B/03/0"]}, {}, HOME)


NAMES = st.lists(st.sampled_from([f"{plate}/B/03/{number}" for plate in "pq" for number in range(3)]), unique=True)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_the_current_images_are_always_those_of_the_metadata(history: list[list[str]]) -> None:
    images: dict[str, Image] = {}
    before: dict[str, Any] = {}
    for listed in history:
        after = {"image": listed}
        images = apply(images, changes(before, after, images, HOME), HOME)
        current = {url for url, image in images.items() if is_current(image)}
        assert current == {f"{HOME}/{name}" for name in listed}
        assert changes(after, after, images, HOME) == Changes()
        before = after
