"""Finding documents: files, directories, archives, images."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from trivet.runs import image_files, sources
from trivet.runs.choosing import one_task
from trivet.runs.sources import complete, find, outdated, search, split
from trivet.tasks.problem import ProblemsError
from trivet.tasks.work import Login

TEMPLATE = {"identifier": "a", "description": "d", "inputs": [], "outputs": [], "env": []}
CONTAINER = {"name": "tools", "description": "d", "templates": [TEMPLATE]}
TASK = {"name": "t", "image": "tools:1", "taskTemplate": "a", "inputs": [], "outputs": []}
COMMAND = {"trivet": 1, "name": "n", "command": ["true"]}
DESCRIPTOR = "name: n\nname_short: n\nversion: 1.0.0\nnamespace: org.n\ninputs: {}\noutputs: {}\n"


def put(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def names(target: Path) -> list[str]:
    return [str(Path(source.name).relative_to(target)) for source in find(str(target))]


def test_a_file_is_its_own_source(tmp_path: Path) -> None:
    path = put(tmp_path / "x.txt", COMMAND)
    (source,) = find(str(path))
    assert (source.name, source.base, source.data) == (str(path), tmp_path, COMMAND)


def test_a_walk_finds_documents_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/c.json", "a.json", "b/a/z.json", "B.JSON"):
        put(tmp_path / name, COMMAND)
    put(tmp_path / "b/descriptor.yml", DESCRIPTOR)
    assert names(tmp_path) == ["B.JSON", "a.json", "b/c.json", "b/descriptor.yml", "b/a/z.json"]


def test_a_walk_leaves_out_what_is_none_of_its_business(tmp_path: Path) -> None:
    put(tmp_path / "good.json", COMMAND)
    for name in (".git/x.json", "node_modules/x.json", "__pycache__/x.json", "img.zarr/zarr.json", ".hidden.json"):
        put(tmp_path / name, COMMAND)
    put(tmp_path / "myenv/pyvenv.cfg", "")
    put(tmp_path / "myenv/lib/x.json", COMMAND)
    put(tmp_path / "notes.txt", COMMAND)
    put(tmp_path / "package.json", {"name": "other"})
    put(tmp_path / "template.yaml", "{{ helm }}: {")
    put(tmp_path / "broken.json", "{")
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\0\0")
    put(tmp_path / "empty.json", "")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "up").symlink_to(tmp_path)  # a loop, if links were followed
    sources, problems = search(str(tmp_path))
    assert [source.name for source in sources] == [str(tmp_path / "good.json")]
    assert problems == []


def test_a_walk_reports_broken_files_that_were_meant_to_be_documents(tmp_path: Path) -> None:
    put(tmp_path / "a/processing-container.json", "")
    put(tmp_path / "b/descriptor.yml", "a: [")
    put(tmp_path / "c/__FRACTAL_MANIFEST__.json", "{")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/task.json").write_bytes(b"\0\1")
    (tmp_path / "gone.json").symlink_to("nowhere")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("folder/descriptor.yml", DESCRIPTOR)
    sources, problems = search(str(tmp_path))
    assert [Path(source.name).name for source in sources] == ["descriptor.yml", "__FRACTAL_MANIFEST__.json"]
    assert {(Path(problem.file).name, problem.code, problem.severity) for problem in problems} == {
        ("processing-container.json", "T002", "error"),
        ("task.json", "T003", "error"),
        ("gone.json", "T001", "warning"),
        ("bundle.zip", "C101", "error"),
    }


def test_a_bundle_is_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("descriptor.yml", DESCRIPTOR)
        archive.writestr("image.tar", b"x")
    for target in (tmp_path / "b.zip", tmp_path):
        (source,) = find(str(target))
        assert source.name == f"{tmp_path}/b.zip/descriptor.yml"
        assert source.archive == tmp_path / "b.zip"
        assert source.data["namespace"] == "org.n"


@pytest.mark.parametrize("target", ["none.json", "./none", "/nowhere/none", "none.zip", "none.whl"])
def test_what_looks_like_a_path_is_only_looked_for_as_one(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(sources, "_named", None)
    with pytest.raises(ProblemsError) as caught:
        find(target)
    assert [problem.message for problem in caught.value.problems] == ["the file does not exist"]


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("a.json", ("a.json", None)),
        ("a.json#t", ("a.json", "t")),
        ("dir#a#b", ("dir#a", "b")),
        ("#t", ("#t", None)),
        ("odd#name.json", ("odd#name.json", None)),
        ("odd#name.json#t", ("odd#name.json", "t")),
    ],
)
def test_a_target_is_split_at_its_last_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, parts: tuple[str, str | None]
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "odd#name.json", COMMAND)
    assert split(target) == parts


def test_a_task_gets_the_container_file_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "task.json", TASK)
    (source,) = find(str(tmp_path / "task.json"))
    assert complete(source, from_image=False) == source
    put(tmp_path / "processing-container.json", CONTAINER)
    assert json.loads(complete(source).attachments["processing-container.json"]) == CONTAINER


def test_a_task_gets_the_container_file_of_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read_file(reference: str, path: str, login: Login | None, remote: bool) -> bytes:
        asked.append((reference, path, login, remote))
        return json.dumps(CONTAINER).encode()

    monkeypatch.setattr(image_files, "read_file", read_file)
    put(tmp_path / "task.json", TASK)
    (source,) = find(str(tmp_path / "task.json"))
    assert json.loads(complete(source).attachments["processing-container.json"]) == CONTAINER
    assert asked == [("tools:1", "/processing-container.json", None, True)]


def test_other_documents_are_complete_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "read_file", None)
    put(tmp_path / "processing-container.json", CONTAINER)
    put(tmp_path / "blur.json", COMMAND)
    for source in find(str(tmp_path)):
        assert complete(source) is source


def test_a_name_may_be_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "read_file", lambda *asked: json.dumps(CONTAINER).encode())
    (source,) = find("registry.example:5000/tools:1")
    assert source.image == "registry.example:5000/tools:1"
    assert source.name == "registry.example:5000/tools:1:/processing-container.json"
    assert source.data == CONTAINER


@pytest.mark.parametrize("host", ["unix:///nowhere.sock", "tcp://127.0.0.1:1"])
def test_without_a_runtime_the_message_says_everything_that_was_tried(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("CONTAINER_HOST", host)
    with pytest.raises(ProblemsError) as caught:
        find("no-such-thing")
    (problem,) = caught.value.problems
    assert problem.file == "no-such-thing"
    assert "a file or directory" in problem.message
    assert "a package installed in " in problem.message
    assert "an image" in problem.message
    assert "docker" in problem.message
    assert "podman" in problem.message


@pytest.fixture
def in_image(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every image has a container file with another description; what was asked for is noted."""
    asked: list[str] = []

    def read_file(reference: str, *_: object) -> bytes:
        asked.append(reference)
        return json.dumps({**CONTAINER, "description": "as it was built"}).encode()

    monkeypatch.setattr(image_files, "read_file", read_file)
    return asked


def test_the_file_in_the_image_counts_before_one_beside_the_task(tmp_path: Path, in_image: list[str]) -> None:
    put(tmp_path / "tasks" / "task.json", TASK)
    put(tmp_path / "processing-container.json", CONTAINER)
    (source,) = find(str(tmp_path / "tasks" / "task.json"))
    completed = complete(source)
    assert json.loads(completed.attachments["processing-container.json"])["description"] == "as it was built"
    [problem] = outdated(completed)
    assert (problem.code, problem.severity, problem.file) == ("T019", "warning", source.name)
    assert str(tmp_path / "processing-container.json") in problem.message
    assert in_image == ["tools:1"]


def test_a_check_looks_at_files_only(tmp_path: Path, in_image: list[str]) -> None:
    put(tmp_path / "task.json", TASK)
    put(tmp_path / "processing-container.json", CONTAINER)
    (source,) = find(str(tmp_path / "task.json"))
    completed = complete(source, from_image=False)
    assert json.loads(completed.attachments["processing-container.json"]) == CONTAINER
    assert not list(outdated(completed))
    assert not in_image


def test_the_file_is_that_of_the_image_the_caller_chose(tmp_path: Path, in_image: list[str]) -> None:
    put(tmp_path / "task.json", TASK)
    one_task(str(tmp_path / "task.json"), image="tools:2")
    assert in_image == ["tools:2"]
