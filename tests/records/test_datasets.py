"""Datasets as directories: versions, changes that are applied once, writers that meet, killed writers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.datasets.changes import Changes
from trivet.datasets.exchange import Content
from trivet.datasets.images import Image, ImageUpdate
from trivet.records.datasets import ConflictError, DatasetDirectory, every, neighbours


def indexed(*images: Image) -> dict[str, Image]:
    return {image.zarr_url: image for image in images}


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetDirectory:
    images = indexed(Image("/zd/a", None, {"k": 1}, {"t": True}), Image("/zd/b", "/zd/a"))
    return DatasetDirectory.create(tmp_path, Content("d", "/zd", images), 1000.0, {"command": "create"})


def test_a_dataset_is_read_as_it_was_written(dataset: DatasetDirectory) -> None:
    version = dataset.read()
    assert list(version.images.values()) == [Image("/zd/a", None, {"k": 1}, {"t": True}), Image("/zd/b", "/zd/a")]
    assert (version.head.number, version.head.at, version.head.images) == (1, 1000.0, 2)
    assert dataset.zarr_dir == "/zd"


def test_a_name_is_given_once(dataset: DatasetDirectory, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        DatasetDirectory.create(tmp_path, Content("d", "/other", {}), 2000.0, {})
    assert dataset.zarr_dir == "/zd"
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["d"]


def test_a_change_is_applied_once(dataset: DatasetDirectory) -> None:
    changes = Changes((ImageUpdate("/zd/c", "/zd/a", {"n": 2}),), ("/zd/b",))
    first = dataset.apply(changes, "job-1", 0, 2000.0, {"done": True})
    again = dataset.apply(changes, "job-1", 0, 3000.0, {"done": True})
    assert first.head.number == again.head.number == 2
    assert again.head.at == 2000.0
    expected = [
        Image("/zd/a", None, {"k": 1}, {"t": True}),
        Image("/zd/c", "/zd/a", {"k": 1, "n": 2}, {"t": True, "done": True}),
    ]
    assert list(dataset.read().images.values()) == expected
    assert not dataset.applied("job-1", 1)


def test_what_cannot_be_applied_leaves_the_dataset_alone(dataset: DatasetDirectory) -> None:
    with pytest.raises(ValueError, match="/zd/nobody"):
        dataset.apply(Changes(removals=("/zd/nobody",)), "job-1", 0, 2000.0)
    assert not dataset.applied("job-1", 0)
    assert dataset.read().head.number == 1


def test_a_change_that_changes_nothing_is_known_as_applied(dataset: DatasetDirectory) -> None:
    dataset.apply(Changes(), "job-1", 0, 2000.0)
    assert dataset.applied("job-1", 0)


def test_every_version_can_be_read(dataset: DatasetDirectory) -> None:
    dataset.edit(lambda images: {**images, "/zd/c": Image("/zd/c")}, 2000.0, {"command": "add"})
    dataset.edit(lambda images: {url: image for url, image in images.items() if url != "/zd/a"}, 3000.0, {})
    assert [list(dataset.read(number).images) for number in (1, 2, 3)] == [
        ["/zd/a", "/zd/b"],
        ["/zd/a", "/zd/b", "/zd/c"],
        ["/zd/b", "/zd/c"],
    ]
    for number in (0, 4):
        with pytest.raises(KeyError):
            dataset.read(number)


def test_nothing_is_written_when_nothing_changed_but_true_is_not_one(dataset: DatasetDirectory) -> None:
    same = dataset.edit(
        lambda images: {url: Image(url, image.origin, image.attributes, image.types) for url, image in images.items()},
        2000.0,
        {},
    )
    assert same.head.number == 1
    dataset.edit(lambda images: {**images, "/zd/a": Image("/zd/a", None, {"k": True}, {"t": True})}, 3000.0, {})
    assert dataset.read().images["/zd/a"].attributes["k"] is True


def test_the_slower_of_two_writers_is_refused(dataset: DatasetDirectory) -> None:
    before = dataset.read()
    dataset.write(before, indexed(Image("/zd/x")), 2000.0, {})
    with pytest.raises(ConflictError):
        dataset.write(before, indexed(Image("/zd/y")), 2000.0, {})
    assert list(dataset.read().images) == ["/zd/x"]
    assert sorted(path.name for path in (dataset.path / "versions").iterdir()) == ["1.jsonl", "2.jsonl"]


def test_edits_made_at_the_same_time_are_all_kept(dataset: DatasetDirectory) -> None:
    together = threading.Barrier(4)

    def work(name: str) -> None:
        together.wait()
        for number in range(5):
            url = f"/zd/{name}{number}"
            dataset.edit(lambda images, url=url: {**images, url: Image(url)}, 2000.0, {})  # type: ignore[misc]

    threads = [threading.Thread(target=work, args=(name,)) for name in "wxyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {"/zd/a", "/zd/b", *(f"/zd/{name}{number}" for name in "wxyz" for number in range(5))}
    assert set(dataset.read().images) == expected
    assert len(dataset.heads()) == 21


KILLED = """
import os, sys
from pathlib import Path
from trivet.datasets.images import Image
from trivet.records import datasets
calls = 0
def die(*words, **more):
    os._exit(9)
setattr(os, sys.argv[2], die)
dataset = datasets.DatasetDirectory(Path(sys.argv[1]))
dataset.edit(lambda images: {**images, "/zd/new": Image("/zd/new")}, 2000.0, {})
"""


@pytest.mark.parametrize(("function", "images"), [("fsync", 2), ("link", 2), ("unlink", 3)])
def test_a_killed_writer_leaves_the_old_version_or_the_new_one(
    dataset: DatasetDirectory, function: str, images: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(dataset.path), function]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9
    assert len(dataset.read().images) == images
    after = dataset.edit(lambda images: {**images, "/zd/later": Image("/zd/later")}, 3000.0, {})
    assert len(after.images) == images + 1


CHANGES = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.none() | st.booleans() | st.integers(0, 1), max_size=4), max_size=6
)


@given(CHANGES, st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_any_history_is_kept(tmp_path_factory: pytest.TempPathFactory, changes: Any, random: Any) -> None:
    """Images come, change, go and change places; every version is read back as it was, order and kinds included."""
    home = tmp_path_factory.mktemp("home")
    dataset = DatasetDirectory.create(home, Content("d", "/zd", {}), 1.0, {})
    expected = [[]]
    for change in changes:
        after = dict(dataset.read().images)
        for name, value in change.items():
            after.pop(f"/zd/{name}", None)
            if value is not None:
                after[f"/zd/{name}"] = Image(f"/zd/{name}", None, {"k": value})
        if random.random() < 0.3:
            items = list(after.items())
            random.shuffle(items)
            after = dict(items)
        dataset.write(dataset.read(), after, 2.0, {})
        expected.append([(url, repr(image.attributes["k"])) for url, image in after.items()])
    found = [
        [(url, repr(image.attributes["k"])) for url, image in dataset.read(number).images.items()]
        for number in range(1, len(expected) + 1)
    ]
    assert found == expected


def test_many_changes_do_not_pile_up(dataset: DatasetDirectory) -> None:
    for number in range(60):
        dataset.edit(
            lambda images, number=number: {
                **images,
                "/zd/a": Image("/zd/a", None, {"k": number, "m": number}),  # type: ignore[misc]
                "/zd/b": Image("/zd/b", None, {"k": number}),
            },
            2000.0,
            {},
        )
    full = [head.number for head in dataset.heads() if head.full]
    assert len(full) == 2
    assert dataset.read().images["/zd/b"].attributes["k"] == 59


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("versions/1.jsonl", b""),
        ("versions/1.jsonl", b"nonsense\n"),
        ("versions/1.jsonl", b'{"format": 2}\n'),
        ("dataset.json", b"{"),
        ("dataset.json", b'{"format": 99}'),
    ],
)
def test_damaged_files_are_named(dataset: DatasetDirectory, name: str, content: bytes) -> None:
    (dataset.path / name).write_bytes(content)
    with pytest.raises(ValueError, match=os.path.basename(name)):  # noqa: PTH119
        (dataset.header(), dataset.read())


def test_a_lost_line_and_a_lost_version_are_noticed(dataset: DatasetDirectory) -> None:
    dataset.edit(lambda images: {**images, "/zd/c": Image("/zd/c")}, 2000.0, {})
    path = dataset.path / "versions/2.jsonl"
    text = path.read_text()
    path.write_text(text.splitlines()[0] + "\n")
    with pytest.raises(ValueError, match=r"2\.jsonl is damaged: 0 lines"):
        dataset.read()
    (dataset.path / "versions/1.jsonl").unlink()
    with pytest.raises(ValueError, match="a version is missing"):
        dataset.read()


def test_datasets_on_one_directory_know_each_other(dataset: DatasetDirectory, tmp_path: Path) -> None:
    DatasetDirectory.create(tmp_path, Content("far", "/zd10", {}), 1.0, {})
    (tmp_path / "datasets/.new-left").mkdir()
    (tmp_path / "datasets/broken").mkdir()
    (tmp_path / "datasets/broken/dataset.json").write_text("?")
    assert [one.path.name for one in every(tmp_path)] == ["broken", "d", "far"]
    for place in ("/zd", "/zd/below", "/"):
        assert dataset in neighbours(tmp_path, place)
    assert neighbours(tmp_path, "/zd1") == []
    assert every(tmp_path / "absent") == []


def test_the_files_can_be_read_by_hand(dataset: DatasetDirectory) -> None:
    dataset.edit(
        lambda images: {url: image for url, image in images.items() if url == "/zd/a"}, 2000.0, {"command": "x"}
    )
    first, *rest = map(json.loads, (dataset.path / "versions/2.jsonl").read_text().splitlines())
    assert first == {
        "format": 1, "version": 2, "t": 2000.0, "by": {"command": "x"}, "lines": 1, "full": False, "images": 1,
    }  # fmt: skip
    assert rest == [{"removed": "/zd/b"}]
