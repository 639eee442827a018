"""A bundle on a real container engine: its image loaded from the zip, its inputs mounted, its outputs collected."""

from __future__ import annotations

import copy
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trivet.contracts import cytomine
from trivet.contracts.cytomine import staging
from trivet.contracts.cytomine.bundle import open_bundle
from trivet.tasks.call import bind
from trivet.tasks.task import ContainerImage
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Invocation, Outcome, Unit
from trivet.testing.archives import busybox_archive

pytestmark = pytest.mark.docker

KINDS = {
    "count": "integer",
    "text": "string",
    "region": "geometry",
    "numbers": {"id": "array", "subtype": {"id": "array", "subtype": "number"}},
    "photo": "image",
    "photos": {"id": "array", "subtype": "image"},
}
FORWARD = """
set -e
cp -r /data/in/* /data/out/
[ "$(ls /sys/class/net)" = lo ]
for file in photo photos/0 new; do
    if touch /data/in/$file; then exit 3; fi
done
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task that forwards every input, checks that it can't change them, and that it has no network."""
    folder = tmp_path_factory.mktemp("bundle")
    parameters = {name: {"type": kind, "description": "forwarded"} for name, kind in KINDS.items()}
    author = {"first_name": "A", "last_name": "B", "organization": "C", "email": "a@example.com"}
    descriptor = {
        "$schema": "https://cytomine.com/schema-store/tasks/task.v0.json",
        "name": "Forward",
        "namespace": "org.trivet.tests.forward",
        "version": "1.0.0+build",
        "authors": [author],
        "configuration": {"input_folder": "/data/in", "output_folder": "/data/out"},
        "inputs": parameters,
        "outputs": copy.deepcopy(parameters),
    }
    try:
        tar = busybox_archive(folder / "forward.tar", Entrypoint=["/bin/sh", "-c", FORWARD], Cmd=[])
    except FileNotFoundError as error:
        pytest.skip(str(error))
    path = folder / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tar, "image.tar")
        archive.writestr("descriptor.yml", json.dumps(descriptor))
    return path


@pytest.fixture(scope="module")
def loaded(bundle: Path) -> Iterator[str]:
    """The image of the bundle in the Docker daemon, loaded from inside the zip."""
    try:
        subprocess.run(["docker", "version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no Docker daemon answers")
    program = cytomine.tasks(cytomine.read(open_bundle(bundle)))[0].program
    assert isinstance(program, ContainerImage)
    assert program.archive is not None
    assert program.member is not None
    with zipfile.ZipFile(program.archive) as archive:
        content = archive.read(program.member)
    said = subprocess.run(["docker", "load", "-q"], input=content, capture_output=True, check=True).stdout.decode()
    name = said.strip().partition(": ")[2]
    yield name
    subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


def started(invocation: Invocation, image: str) -> Outcome:
    command = ["docker", "run", "--rm", "--label", "trivet.test"]
    command += [] if invocation.network else ["--network=none"]
    for mount in invocation.mounts:
        access = "" if mount.writable else ",readonly"
        command += ["--mount", f"type=bind,source={mount.source},target={mount.target}{access}"]
    assert invocation.command is None
    ended = subprocess.run([*command, image, *invocation.args], capture_output=True, check=False)
    return Outcome(ended.returncode, message=ended.stderr.decode() if ended.returncode else "")


@pytest.mark.parametrize("copied", [staging.COPIED, 0])
def test_values_go_through_a_container_unchanged(
    copied: int, bundle: Path, loaded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Referenced files arrive as links, or (``copied`` 0) mounted one by one over placeholders."""
    if not copied:
        monkeypatch.setattr(staging, "COPIED", copied)
        monkeypatch.setattr(staging.os, "link", _refuse)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (9, 7), (1, 2, 3)).save(photo)
    content = photo.read_bytes()
    values: dict[str, Any] = {
        "count": 3735931646,
        "text": " two\nlines \n",
        "region": {"type": "Point", "coordinates": [1, 2.5]},
        "numbers": [[1.5, 2.0], []],
        "photo": FileRef(str(photo)),
        "photos": [FileRef(str(photo)), FileRef(str(photo))],
    }
    call = bind(cytomine.tasks(cytomine.read(open_bundle(bundle)))[0], values)
    where = AttemptDirectory("run/0/1", tmp_path / "attempt")
    invocation = cytomine.stage(call, Unit("0"), where)
    assert len(invocation.mounts) == (2 if copied else 5)
    result = cytomine.collect(call, Unit("0"), where, started(invocation, loaded))
    assert (result.reason, result.message, result.problems) == (None, "", ())
    outputs = dict(result.outputs)
    photos = [outputs.pop("photo"), *outputs.pop("photos")]
    assert outputs == {name: value for name, value in values.items() if not name.startswith("photo")}
    assert [Path(reference.path).read_bytes() for reference in photos] == [content] * 3
    assert [reference.name for reference in photos] == ["photo.png", "photos-0.png", "photos-1.png"]
    assert photo.read_bytes() == content


def _refuse(*_: object) -> None:
    raise OSError(18, "Invalid cross-device link")
