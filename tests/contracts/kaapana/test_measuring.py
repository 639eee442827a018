"""Channels are measured as the contract says, whatever they hold, and never beyond their root."""

from __future__ import annotations

import os
import re
import subprocess
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.kaapana.measuring import Size, measure, measure_listed
from trivet.contracts.kaapana.model import ScaleRule

FILES = {
    "p1/ct/1.dcm": 100,
    "p1/ct/2.dcm": 200,
    "p1/notes.txt": 7,
    "p2/ct/deep/er/3.dcm": 250,
    "p2/.hidden": 4,
    "root.dcm": 1000,
    "masks/p1.nrrd": 30,
}


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    root = tmp_path / "channel"
    for name, size in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    (root / "empty").mkdir()
    return root


def rule(mode: str = "sum", **targets: str) -> ScaleRule:
    return ScaleRule("1", 1, "limit", mode, **targets)


@pytest.mark.parametrize(
    ("targets", "total", "largest", "item"),
    [
        ({}, 1591, 1000, 307),
        ({"target_glob": "*.dcm"}, 1550, 1000, 300),
        ({"target_glob": "*.txt"}, 7, 7, 7),
        ({"target_glob": "*.none"}, 0, 0, 0),
        ({"target_glob": "ct/*.dcm"}, 300, 200, 300),
        ({"target_glob": "**/*.dcm"}, 1550, 1000, 300),
        ({"target_glob": "ct/**/*.dcm"}, 550, 250, 300),
        ({"target_glob": "**"}, 1591, 1000, 307),
        ({"target_glob": "./*.dcm"}, 1550, 1000, 300),
        ({"target_glob": "[12].dcm"}, 300, 200, 300),
        ({"target_glob": "*.DCM"}, 0, 0, 0),
        ({"target_regex": r".*\.dcm"}, 1550, 1000, 300),
        ({"target_regex": r"dcm"}, 0, 0, 0),
        ({"target_regex": r"[^/]*"}, 1000, 1000, 30),
        ({"target_dir": "p1"}, 307, 200, 0),
        ({"target_dir": "p1/ct"}, 300, 200, 0),
        ({"target_dir": "./p1//ct/"}, 300, 200, 0),
        ({"target_dir": "p1", "target_regex": r"ct/.*"}, 300, 200, 0),
        ({"target_dir": "ct"}, 0, 0, 300),
        ({"target_dir": "nowhere"}, 0, 0, 0),
        ({"target_dir": "root.dcm"}, 0, 0, 0),
    ],
)
def test_modes_and_targets(channel: Path, targets: dict[str, str], total: int, largest: int, item: int) -> None:
    assert measure(str(channel), rule("sum", **targets)).n == total
    assert measure(str(channel), rule("max_file_size", **targets)).n == largest
    assert measure(str(channel), rule("max_item_sum", **targets)).n == item


def test_one_item_is_selected_by_a_regular_expression(channel: Path) -> None:
    assert measure(str(channel), rule("sum", target_regex="p1/.*")).n == 307


def test_what_decided_is_told(channel: Path) -> None:
    assert measure(str(channel), rule("max_item_sum")) == Size(307, 6, "p1")
    assert measure(str(channel), rule("max_file_size")) == Size(1000, 7, "root.dcm")
    assert measure(str(channel), rule("sum")) == Size(1591, 7)


@pytest.mark.parametrize("mode", ["sum", "max_file_size", "max_item_sum"])
def test_an_empty_or_missing_channel_measures_nothing(tmp_path: Path, mode: str) -> None:
    assert measure(str(tmp_path), rule(mode)) == Size(0)
    assert measure(str(tmp_path / "missing"), rule(mode)) == Size(0)


@pytest.mark.parametrize("mode", ["sum", "max_file_size", "max_item_sum"])
@pytest.mark.parametrize("targets", [{"target_dir": "/etc"}, {"target_dir": "a/../.."}, {"target_glob": "../*"}])
def test_targets_that_leave_the_channel_are_refused(channel: Path, mode: str, targets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="leads out of the channel"):
        measure(str(channel), rule(mode, **targets))


@pytest.mark.parametrize("mode", ["sum", "max_file_size", "max_item_sum"])
def test_links_that_leave_the_channel_are_not_followed(channel: Path, tmp_path: Path, mode: str) -> None:
    before = measure(str(channel), rule(mode)).n
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "big").write_bytes(b"x" * 9999)
    (channel / "p1" / "file").symlink_to(outside / "sub" / "big")
    (channel / "p1" / "directory").symlink_to(outside)
    (channel / "p1" / "relative").symlink_to("../../outside/sub/big")
    (channel / "item").symlink_to(outside)
    size = measure(str(channel), rule(mode))
    assert (size.n, size.foreign) == (before, 3 if mode == "max_item_sum" else 4)


def test_a_target_directory_that_is_a_link_out_of_the_channel_measures_nothing(channel: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "big").write_bytes(b"x" * 9999)
    (channel / "scans").symlink_to(tmp_path / "outside")
    (channel / "p1" / "scans").symlink_to(tmp_path / "outside")
    assert measure(str(channel), rule("sum", target_dir="scans")) == Size(0, foreign=1)
    assert measure(str(channel), rule("max_item_sum", target_dir="scans")) == Size(0, foreign=1)


def test_a_channel_next_to_one_whose_name_begins_alike_is_outside(channel: Path) -> None:
    beside = channel.with_name("channel2")
    beside.mkdir()
    (beside / "big").write_bytes(b"x" * 9999)
    (channel / "p1" / "link").symlink_to("../../channel2/big")
    assert measure(str(channel), rule()).n == 1591


def test_a_linked_file_counts_once(channel: Path) -> None:
    (channel / "p1" / "again.dcm").symlink_to("ct/1.dcm")
    (channel / "p1" / "third.dcm").symlink_to(channel / "p1" / "ct" / "1.dcm")
    assert measure(str(channel), rule("sum")).n == 1591
    assert measure(str(channel), rule("sum", target_glob="*.dcm")).n == 1550
    assert measure(str(channel), rule("max_item_sum")).n == 307


def test_a_link_to_a_file_that_does_not_count_itself_counts_by_its_own_name(channel: Path) -> None:
    (channel / "p2" / "a.link").symlink_to("../p1/ct/2.dcm")
    (channel / "p2" / "b.link").symlink_to("../p1/ct/2.dcm")
    assert measure(str(channel), rule("sum", target_glob="*.link")).n == 200
    assert measure(str(channel), rule("max_item_sum", target_glob="*.link")) == Size(200, 1, "p2")


def test_links_in_circles_and_to_nowhere(channel: Path) -> None:
    (channel / "p1" / "self").symlink_to("self")
    (channel / "p1" / "up").symlink_to("..")
    (channel / "p1" / "dangling").symlink_to("nowhere")
    assert measure(str(channel), rule("sum")).n == 1591


def test_the_channel_itself_may_be_a_link(channel: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(channel)
    assert measure(str(tmp_path / "link"), rule()).n == 1591


def test_only_regular_files_count(channel: Path) -> None:
    os.mkfifo(channel / "p1" / "pipe")
    assert measure(str(channel), rule()).n == 1591


def nested(root: Path, names: list[str], content: bytes) -> None:
    """A file at the end of a path that may be too long for one system call."""
    directory = os.open(root, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=directory)
        below = os.open(name, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    with os.fdopen(os.open("x", os.O_WRONLY | os.O_CREAT, dir_fd=directory), "wb") as stream:
        stream.write(content)
    os.close(directory)


@pytest.fixture
def deep() -> Iterator[Path]:
    """A directory outside pytest's own, which can't remove trees as deep as this."""
    directory = mkdtemp()
    yield Path(directory)
    subprocess.run(["rm", "-rf", directory], check=True)


def test_a_tree_deeper_than_open_files_and_recursion_allow(deep: Path) -> None:
    nested(deep, ["d"] * 1500, b"12345")
    assert measure(str(deep), rule()) == Size(5, 1)


def test_directories_that_cannot_be_read_are_told(deep: Path) -> None:
    nested(deep, ["d" * 250] * 20, b"12345")
    (deep / "item").mkdir()
    (deep / "item" / "x").write_bytes(b"123")
    assert measure(str(deep), rule()) == Size(3, 1, unreadable=1)


def test_odd_names_are_measured(tmp_path: Path) -> None:
    item = os.fsencode(tmp_path) + b"/\xff item"
    os.mkdir(item)  # noqa: PTH102
    for name in (b"/new\nline", b"/-dash", b"/\xfe", "/ü*".encode()):
        with open(item + name, "wb") as stream:
            stream.write(b"123")
    for mode in ("sum", "max_item_sum"):
        assert measure(str(tmp_path), rule(mode)).n == 12
        assert measure(str(tmp_path), rule(mode, target_regex="(?s).*")).n == 12


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        directory = tmp_path / str(count) / "item"
        directory.mkdir(parents=True)
        for number in range(count):
            (directory / str(number)).touch()
        tracemalloc.start()
        measure(str(directory.parent), rule("max_item_sum", target_glob="[0-9]*"))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(5000) < peak(100) + 20_000


NAMES = st.sampled_from(["a", "b", "ct", "x.dcm", "y.dcm", "z.nrrd", ".h"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(PATHS, st.integers(0, 50), max_size=12).map(
    lambda tree: {path: size for path, size in tree.items() if not any(other.startswith(path + "/") for other in tree)}
)
GLOBS = st.one_of(
    st.just("*"),
    st.lists(st.sampled_from(["*", "a", "?", "*.dcm", "[xy]*", "**", "ct"]), min_size=1, max_size=3).map("/".join),
).filter(lambda glob: not glob.endswith("**") and "**/**" not in glob)
REGEXES = st.sampled_from([".*", r".*\.dcm", "a/.*", "[^/]*", "(a|b)/.+"])


def _oracle(files: dict[str, int], mode: str, directory: str, glob: str, regex: str) -> int:
    """The contract's sentence, by means of pathlib: candidates by recursive glob, then the whole relative path."""

    def kept(below: dict[str, int]) -> list[int]:
        start = f"{directory}/" if directory else ""
        found = {path.removeprefix(start): size for path, size in below.items() if path.startswith(start)}
        return [size for path, size in found.items() if _globbed(path, glob) and re.fullmatch(regex, path)]

    if mode == "sum":
        return sum(kept(files))
    if mode == "max_file_size":
        return max(kept(files), default=0)
    items = {path.split("/")[0] for path in files if "/" in path}
    each = (
        {path.removeprefix(f"{item}/"): size for path, size in files.items() if path.startswith(f"{item}/")}
        for item in items
    )
    return max((sum(kept(one)) for one in each), default=0)


def _globbed(path: str, glob: str) -> bool:
    """True when ``**/glob`` matches: every way of letting ``**`` stand for directories is tried."""

    def tried(names: tuple[str, ...], parts: tuple[str, ...]) -> bool:
        if not parts:
            return not names
        if parts[0] == "**":
            return any(tried(names[skipped:], parts[1:]) for skipped in range(len(names) + 1))
        return bool(names) and PurePosixPath(names[0]).match(parts[0]) and tried(names[1:], parts[1:])

    return tried(tuple(path.split("/")), ("**", *glob.split("/")))


@settings(max_examples=150, deadline=None)
@given(
    files=TREES,
    mode=st.sampled_from(["sum", "max_file_size", "max_item_sum"]),
    directory=st.sampled_from(["", "a", "a/ct"]),
    glob=GLOBS,
    regex=REGEXES,
)
def test_any_tree_is_measured_as_the_contract_says(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, int], mode: str, directory: str, glob: str, regex: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name, size in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    measured = rule(mode, target_dir=directory, target_glob=glob, target_regex=regex)
    expected = _oracle(files, mode, directory, glob, regex)
    assert measure(str(root), measured).n == expected
    assert measure_listed(list(files.items()), measured) == expected


@settings(max_examples=200, deadline=None)
@given(
    directory=st.text("a./\0*", max_size=6),
    glob=st.text("a.*?[]!-/\0{}\\", min_size=1, max_size=10),
    regex=st.text("a.*?()[]\\", max_size=6),
    mode=st.sampled_from(["sum", "max_file_size", "max_item_sum"]),
)
def test_no_target_makes_measuring_fail_otherwise(
    tmp_path_factory: pytest.TempPathFactory, directory: str, glob: str, regex: str, mode: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    (root / "a").mkdir()
    (root / "a" / "a.a").write_bytes(b"123")
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(regex)
    except re.error:
        regex = ".*"
    try:
        size = measure(str(root), rule(mode, target_dir=directory, target_glob=glob, target_regex=regex))
    except ValueError:
        assert ".." in directory + glob or directory.startswith("/") or glob.startswith("/") or "\0" in directory
    else:
        assert size.n in (0, 3)
