"""Datasets as files of the public server."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.datasets.exchange import Content, read_content, relocated, to_json
from trivet.datasets.images import Image
from trivet.tasks.problem import Problem

FILE = {
    "name": "My data-1.0",
    "zarr_dir": "/zd/",
    "images": [
        {"zarr_url": "/zd/p.zarr/A/01/0", "origin": None, "attributes": {"well": "A01", "n": 1}, "types": {"3D": True}},
        {"zarr_url": "/zd/p.zarr/A/01/0_c", "origin": "/zd/p.zarr/A/01/0", "attributes": {}, "types": {}},
    ],
}


def test_a_file_is_read_and_written_alike() -> None:
    problems: list[Problem] = []
    content = read_content(FILE, problems)
    assert problems == []
    assert content is not None
    assert to_json(content) == {**FILE, "zarr_dir": "/zd"}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    problems: list[Problem] = []
    data = {
        "name": "a/b",
        "zarr_dir": "/zd",
        "id": 3,
        "images": [
            {"zarr_url": "/zd/a"},
            {"zarr_url": "/zd//a/"},
            {"zarr_url": "/zd2/b"},
            {"zarr_url": "/zd"},
            {"zarr_url": "/zd/c", "origin": "/elsewhere/c"},
            {"zarr_url": "relative"},
        ],
    }
    assert read_content(data, problems) is None
    assert [(problem.code, problem.path) for problem in problems] == [
        ("F103", ("id",)),
        ("D001", ("name",)),
        ("D002", ("images", 1, "zarr_url")),
        ("D003", ("images", 2, "zarr_url")),
        ("D003", ("images", 3, "zarr_url")),
        ("D003", ("images", 4, "origin")),
        ("F104", ("images", 5, "zarr_url")),
    ]


@pytest.mark.parametrize("data", [None, [], {}, {**FILE, "images": {}}, {**FILE, "zarr_dir": "../x"}])
def test_what_is_no_dataset(data: Any) -> None:
    problems: list[Problem] = []
    assert read_content(data, problems) is None
    assert problems


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", " x", "x ", "a/b", "a\nb", "é", 3, None, "x" * 201])
def test_names_that_no_directory_should_have(name: Any) -> None:
    problems: list[Problem] = []
    assert read_content({**FILE, "name": name}, problems) is None
    assert [problem.code for problem in problems] == ["D001"]


def test_moved_data_are_found_again() -> None:
    images = {"/old/a": Image("/old/a", "/old/b", {"k": 1}), "/old10/x": Image("/old10/x")}
    moved = relocated(Content("d", "/old", images), "s3://bucket/new")
    assert moved.zarr_dir == "s3://bucket/new"
    assert list(moved.images.values()) == [
        Image("s3://bucket/new/a", "s3://bucket/new/b", {"k": 1}),
        Image("/old10/x"),
    ]
