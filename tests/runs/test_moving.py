"""Moving outputs to their place: into existing directories, across file systems, never through links."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trivet.runs.moving import merge, move
from trivet.runs.options import Options
from trivet.runs.publish import obstacles, publish
from trivet.tasks import types
from trivet.tasks.document import Document
from trivet.tasks.task import ContainerImage, Port, Task
from trivet.tasks.values import FileRef


def tree(root: Path) -> dict[str, str]:
    """Every file and link below a directory, with its content or ``-> target``."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
    return found


def fill(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_text(content)
    return root


@pytest.fixture(params=["one file system", "two file systems"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory to move to, on the same file system or on another one."""
    return tmp_path / "to" if request.param == "one file system" else request.getfixturevalue("small_disk") / "to"


def test_files_replace_those_of_their_name_and_all_else_stays(tmp_path: Path, elsewhere: Path) -> None:
    source = fill(tmp_path / "from", {"a/x.txt": "new", "a/deep/y": "new", "b/z": "new", "link": "-> a/x.txt"})
    fill(elsewhere, {"a/x.txt": "old", "a/kept": "old", "other": "old", "link": "old"})
    merge(source, elsewhere)
    assert tree(elsewhere) == {
        "a/x.txt": "new",
        "a/deep/y": "new",
        "a/kept": "old",
        "b/z": "new",
        "link": "-> a/x.txt",
        "other": "old",
    }
    assert not source.exists()


def test_nothing_is_written_through_a_link(tmp_path: Path, elsewhere: Path) -> None:
    outside = fill(tmp_path / "outside", {"file": "safe"})
    fill(elsewhere, {"b": f"-> {outside}/file", ".b.part": f"-> {outside}/file", "c": f"-> {outside}"})
    source = fill(tmp_path / "from", {"b": "new", "c/file": "new"})
    with pytest.raises(FileExistsError, match="the task wrote a directory"):
        merge(source, elsewhere)
    assert tree(outside) == {"file": "safe"}
    assert tree(elsewhere)["b"] == "new"
    assert tree(source)["c/file"] == "new"


def test_a_file_never_replaces_a_directory(tmp_path: Path) -> None:
    source = fill(tmp_path / "from", {"a": "new"})
    target = fill(tmp_path / "to", {"a/x": "old"})
    with pytest.raises(FileExistsError, match="the task wrote a file"):
        merge(source, target)
    assert (tree(target), tree(source)) == ({"a/x": "old"}, {"a": "new"})


def test_a_merge_that_was_killed_goes_on(tmp_path: Path) -> None:
    source = fill(tmp_path / "from", {"a/1": "new", "a/2": "new"})
    target = fill(tmp_path / "to", {"a/0": "old"})
    (source / "a/1").rename(target / "a/1")
    merge(source, target)
    assert tree(target) == {"a/0": "old", "a/1": "new", "a/2": "new"}


def test_a_directory_moves_to_another_file_system(tmp_path: Path, small_disk: Path) -> None:
    source = fill(tmp_path / "from", {"a/x": "new", "link": "-> nowhere"})
    move(source, small_disk / "to")
    assert tree(small_disk / "to") == {"a/x": "new", "link": "-> nowhere"}


@pytest.mark.parametrize("name", ["big", "directory"])
def test_what_does_not_fit_leaves_nothing_and_stays_where_it_was(tmp_path: Path, small_disk: Path, name: str) -> None:
    source = fill(tmp_path / "from", {"big": "x" * 2_000_000, "directory/big": "x" * 2_000_000})
    with pytest.raises(OSError, match="No space left"):
        move(source / name, small_disk / "to")
    assert list(small_disk.iterdir()) == []
    assert len((source / name.replace("directory", "directory/big")).read_text()) == 2_000_000


def task(place: Path) -> Task:
    port = Port("out", types.Directory(), "out", place=str(place))
    document = Document("kaapana", "task", {}, "/", "task.json", None)
    return Task("kaapana", "t", (), (port,), ContainerImage("i"), document)


def test_only_the_option_lets_outputs_go_into_what_is_there(tmp_path: Path) -> None:
    place = fill(tmp_path / "place", {"old": "old"})
    assert [problem.code for problem in obstacles(task(place), Options())] == ["B010"]
    assert obstacles(task(place), Options(into_existing=True)) == []
    file = fill(tmp_path, {"file": ""}) / "file"
    assert [problem.code for problem in obstacles(task(file), Options(into_existing=True))] == ["B010"]
    below = obstacles(task(file / "below"), Options(into_existing=True))
    assert [problem.code for problem in below] == ["B013"]


def test_a_merged_directory_is_measured_only_when_all_of_it_is_the_runs(tmp_path: Path) -> None:
    work = tmp_path / "work"
    places = {name: tmp_path / name for name in ("fresh", "empty", "filled")}
    places["empty"].mkdir(mode=0o750)
    fill(places["filled"], {"old": "old"})
    outputs = {name: FileRef(str(fill(work / name, {"x": "four"}))) for name in places}
    published = publish(outputs, places, tmp_path / "outputs.json", work, ["0"], into_existing=True)
    assert {name: ref.size for name, ref in published.items()} == {"fresh": 4, "empty": 4, "filled": None}
    assert places["empty"].stat().st_mode & 0o777 == 0o750
    assert tree(places["filled"]) == {"old": "old", "x": "four"}
    shutil.rmtree(work)
    again = publish(outputs, places, tmp_path / "outputs.json", work, ["0"], into_existing=True)
    assert tree(places["filled"]) == {"old": "old", "x": "four"}
    assert again["fresh"] == published["fresh"]


def test_a_place_behind_a_link_of_the_user_is_used(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "place").symlink_to(real)
    ref = FileRef(str(fill(tmp_path / "work/out", {"x": "new"})))
    publish({"out": ref}, {"out": tmp_path / "place"}, tmp_path / "o.json", tmp_path / "work", ["0"], True)
    assert tree(real) == {"x": "new"}
    assert (tmp_path / "place").is_symlink()
