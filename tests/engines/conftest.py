"""Container engines for tests: each is skipped, with the reason, where it can't be had."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet.engines import EngineError
from trivet.engines.runtimes import open_api
from trivet.images.archive import describe
from trivet.tasks.task import ContainerImage
from trivet.testing.archives import busybox_archive

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="session")
def docker() -> str:
    """The name of the runtime, once a daemon answers."""
    return _answering("docker")


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the runtime; without CONTAINER_HOST, a service of the tests' own is started for it."""
    if os.environ.get("CONTAINER_HOST"):
        yield _answering("podman")
        return
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed (apt-get install podman runc)")
    script = [str(SCRIPTS / "start-podman.sh")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIVET_PODMAN", str(tmp_path_factory.mktemp("podman")))
        try:
            said = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
            if said.returncode != 0:
                pytest.skip(f"no Podman service could be started: {said.stderr.strip()}")
            patch.setenv("CONTAINER_HOST", said.stdout.partition("=")[2].strip())
            yield _answering("podman")
        finally:
            subprocess.run([*script, "stop"], capture_output=True, timeout=60, check=False)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def runtime(request: pytest.FixtureRequest) -> str:
    """Both runtimes, one after the other."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerImage]:
    """An image with busybox, as an archive that every runtime loads; forgotten by all of them in the end."""
    try:
        path = busybox_archive(tmp_path_factory.mktemp("busybox") / "busybox.tar")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield ContainerImage("", archive=str(path))
    digest = describe(str(path)).digest
    for name in ("docker", "podman"):
        forget_image(name, digest)


def forget_image(runtime: str, digest: str) -> None:
    """Remove an image and its names, where the runtime answers and knows it."""
    if runtime == "podman" and not os.environ.get("CONTAINER_HOST"):
        return
    try:
        api, _, release = open_api(runtime)
    except EngineError:
        return
    if api.image(digest) is not None:
        api.call("DELETE", f"/images/{digest.removeprefix('sha256:')}", {"force": 1})
    release()


def _answering(name: str) -> str:
    try:
        _, _, release = open_api(name)
    except EngineError as error:
        pytest.skip(str(error))
    release()
    return name
