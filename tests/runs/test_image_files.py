"""Reading a container file from an image: which place is asked, what is kept, what is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.engines.runtimes import open_api
from trivet.runs import image_files
from trivet.runs.sources import complete, find
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import RunState
from trivet.tasks.task import ContainerImage
from trivet.testing.archives import Link, docker_archive, layer
from trivet.testing.registries import FakeRegistry, image

FILE = "processing-container.json"
CONTAINER = {
    "name": "tools",
    "description": "Tools",
    "templates": [
        {
            "identifier": "say",
            "description": "Says hello",
            "inputs": [],
            "outputs": [{"name": "out", "mounted_path": "/out"}],
            "env": [],
            "command": ["sh", "-c", "busybox mkdir /out/p1; echo hello > /out/p1/said"],
        }
    ],
}
TEXT = json.dumps(CONTAINER).encode()


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIVET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nobody"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("CONTAINER_HOST", "unix:///nowhere.sock")


@pytest.mark.usefixtures("no_engine")
def test_39_the_registry_is_asked_where_no_engine_has_the_image(fake_registry: FakeRegistry) -> None:
    reference = fake_registry.serve("lab/tools", image([layer({FILE: TEXT})]))
    [source] = find(reference)
    assert source.data == CONTAINER
    assert source.image == reference


@pytest.mark.usefixtures("no_engine")
def test_40_what_was_read_is_kept_by_the_images_digest_not_by_its_tag(fake_registry: FakeRegistry) -> None:
    made = image([layer({FILE: TEXT})])
    reference = fake_registry.serve("lab/tools", made)
    assert [image_files.read_file(reference, f"/{FILE}") for _ in range(3)] == [TEXT] * 3
    assert sum("/blobs/" in path for path in fake_registry.paths()) == 1
    fake_registry.serve("lab/tools", image([layer({FILE: b"{}"})]))
    assert image_files.read_file(reference, f"/{FILE}") == b"{}"
    by_digest = f"{fake_registry.host}/lab/tools@{made.digest}"
    assert image_files.read_file(by_digest, f"/{FILE}") == TEXT


@pytest.mark.usefixtures("no_engine")
def test_a_home_that_can_not_be_written_keeps_nothing_and_stops_nothing(
    fake_registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("not a directory")
    reference = fake_registry.serve("lab/tools", image([layer({FILE: TEXT})]))
    assert image_files.read_file(reference, f"/{FILE}") == TEXT


@pytest.mark.usefixtures("no_engine")
def test_an_image_without_the_file_is_told_and_not_kept(fake_registry: FakeRegistry, tmp_path: Path) -> None:
    reference = fake_registry.serve("lab/tools", image([layer({"other": b""})]))
    with pytest.raises(ProblemsError, match=f"the image has no /{FILE}"):
        find(reference)
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("no_engine")
def test_41_everything_that_was_tried_is_told(fake_registry: FakeRegistry, tmp_path: Path) -> None:
    task = {
        "name": "t",
        "image": f"{fake_registry.host}/lab/none:1",
        "taskTemplate": "say",
        "inputs": [],
        "outputs": [],
    }
    (tmp_path / "task.json").write_text(json.dumps(task))
    [source] = find(str(tmp_path / "task.json"))
    with pytest.raises(ProblemsError) as caught:
        complete(source)
    [problem] = caught.value.problems
    assert "docker: " in problem.message
    assert "podman: " in problem.message
    assert f"{fake_registry.host} has no image lab/none 1" in problem.message


@pytest.mark.usefixtures("no_engine")
def test_a_single_word_is_looked_for_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "_in_registry", None)
    with pytest.raises(ProblemsError, match="nor an image"):
        find("ubuntu")


@pytest.mark.docker
def test_an_engine_that_has_the_image_decides(
    docker: str, busybox: ContainerImage, fake_registry: FakeRegistry, tmp_path: Path
) -> None:
    """The image that would run is the local one, whatever the registry has under its name."""
    reference = fake_registry.serve("lab/tools", image([layer({FILE: TEXT})]))
    other = layer({FILE: b'{"local": true}', "unique": tmp_path.name.encode()})
    archive = docker_archive(tmp_path / "local.tar", [other])
    api, _, release = open_api("docker")
    try:
        with archive.open("rb") as stream:
            loaded = api.load(iter(lambda: stream.read(65536), b""))
        name, _, tag = reference.rpartition(":")
        api.call("POST", f"/images/{loaded}/tag", {"repo": name, "tag": tag})
        for _ in range(2):
            assert image_files.read_file(reference, f"/{FILE}") == b'{"local": true}'
        assert fake_registry.asked == []
        with pytest.raises(ProblemsError, match="the image has no /none"):
            image_files.read_file(reference, "/none")
        assert fake_registry.asked == []
        kept = [path for path in (tmp_path / "home/cache").rglob("*") if path.is_file()]
        assert len(kept) == 1
        assert api.containers("trivet.reader=yes") == []
    finally:
        for image_name in (reference, loaded):
            if api.image(image_name) is not None:
                api.call("DELETE", f"/images/{image_name}", {"force": 1})
        release()


def _saved(path: Path, files: dict[str, Any]) -> Path:
    return docker_archive(path, [layer(files)], tags=["lab/tools:1"], Env=["PATH=/bin"])


@pytest.mark.usefixtures("no_engine")
def test_an_archive_of_an_image_is_a_target(tmp_path: Path) -> None:
    archive = _saved(tmp_path / "tools.tar", {FILE: TEXT})
    [task] = trivet.load(archive)
    assert task.name == "say"
    assert task.program == ContainerImage("lab/tools:1", str(archive))
    [source] = find(str(archive))
    assert source.name == f"{archive}:/{FILE}"


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("content", [b"", b"no tar", None])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.tar"
    if content is None:
        _saved(path, {"other": b""})
    else:
        path.write_bytes(content)
    with pytest.raises(ProblemsError) as caught:
        find(str(path))
    [problem] = caught.value.problems
    assert problem.code == "T012"
    assert problem.file == str(path)
    with pytest.raises(ProblemsError, match="the file does not exist"):
        find(str(tmp_path / "none.tar"))


def test_a_task_of_an_archive_runs(runtime: str, tmp_path: Path) -> None:
    binary = Path(shutil.which("busybox") or pytest.skip("there is no busybox")).read_bytes()
    files = {FILE: TEXT, "bin/busybox": binary, "bin/sh": Link("busybox"), "tmp/": b"", "id": tmp_path.name.encode()}
    archive = _saved(tmp_path / "tools.tar", files)
    [task] = trivet.load(archive)
    run = trivet.run(trivet.call(task), home=tmp_path / "home", runtime=runtime, output=str(tmp_path / "out"))
    assert run.result is not None
    assert run.result.state is RunState.FINISHED, run.result.message
    assert (tmp_path / "out/out/p1/said").read_text() == "hello\n"
    api, _, release = open_api(runtime)
    [(_, outcome)] = run.units()
    assert outcome is not None
    api.call("DELETE", f"/images/{str(outcome.image_digest).removeprefix('sha256:')}", {"force": 1})
    release()
