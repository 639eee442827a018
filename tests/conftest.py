"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet.engines import EngineError, runtimes
from trivet.engines.runtimes import open_api
from trivet.images.archive import describe
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Login
from trivet.testing.archives import busybox_archive
from trivet.testing.far import CanNotStart, FarCluster
from trivet.testing.kubernetes import KubernetesApi
from trivet.testing.registries import FakeRegistry, RealRegistry

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
CORPUS = ROOT / "../shared/corpus"


def pytest_configure() -> None:
    """Have interrupts work also in the background of a shell, which lets its children ignore them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless TRIVET_TEST_FULL is set (make test-full)."""
    if not os.environ.get("TRIVET_TEST_FULL"):
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(pytest.mark.skip(reason="full size only: make test-full"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 1 MiB, for tests of full disks."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can only be mounted by root")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """A registry with a password on loopback; TRIVET_TEST_REGISTRY names one that runs already."""
    login = Login("", "reader", "s3cret:word")
    running = os.environ.get("TRIVET_TEST_REGISTRY")
    if running:
        yield RealRegistry(running, login)
        return
    environment = {**os.environ, "TRIVET_REGISTRY": str(tmp_path_factory.mktemp("registry"))}
    script = [str(SCRIPTS / "start-registry.sh")]
    try:
        said = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if said.returncode != 0:
            pytest.skip(f"no registry could be started: {said.stderr.strip()}")
        host = said.stdout.partition("=")[2].strip()
        yield RealRegistry(host, Login(host, login.username, login.password))
    finally:
        subprocess.run([*script, "stop"], env=environment, capture_output=True, timeout=60, check=False)


@pytest.fixture
def fake_registry() -> Iterator[FakeRegistry]:
    """A registry that answers what it is told to."""
    fake = FakeRegistry()
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[KubernetesApi]:
    """A real API server without nodes, compiled the first time; it has the namespace ``lab``."""
    script = [str(SCRIPTS / "start-kubernetes-api.sh")]
    said = subprocess.run(script, capture_output=True, text=True, timeout=3000, check=False)
    if said.returncode != 0:
        pytest.skip(f"no Kubernetes API server could be started: {said.stderr.strip()[-500:]}")
    try:
        api = KubernetesApi(Path(said.stdout.strip().partition("=")[2]))
        api.make_namespace("lab")
        yield api
    finally:
        subprocess.run([*script, "stop"], capture_output=True, timeout=60, check=False)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of three nodes with two CPUs each; the directory it lives in. SLURM's commands find it."""
    yield from _cluster(tmp_path_factory.mktemp("slurm"), "no")


@pytest.fixture(scope="module")
def slurm_with_accounting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Such a cluster that keeps accounts, in the place of the other while it is there."""
    yield from _cluster(tmp_path_factory.mktemp("slurm-accounting"), "yes")


@pytest.fixture(scope="module")
def far() -> Iterator[FarCluster]:
    """Another cluster, in a place that another user can enter (unlike pytest's directories); ``TRIVET_SSH`` finds it
    under the name ``cluster``."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        cluster = FarCluster(Path(name), SCRIPTS)
        try:
            cluster.start()
            patch.setenv("TRIVET_SSH", f"ssh -F {cluster.client}")
            yield cluster
        except CanNotStart as error:
            pytest.skip(str(error))
        finally:
            cluster.stop()


def _cluster(home: Path, accounting: str) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIVET_SLURM", str(home))
        patch.setenv("TRIVET_SLURM_ACCOUNTING", accounting)
        try:
            start = [str(SCRIPTS / "start-slurm.sh")]
            said = subprocess.run(start, capture_output=True, text=True, timeout=600, check=False)
            if said.returncode != 0:
                pytest.skip(f"no SLURM could be started: {said.stderr.strip()[-500:]}")
            patch.setenv("SLURM_CONF", said.stdout.partition("=")[2].strip())
            yield home
        finally:
            subprocess.run([str(SCRIPTS / "stop-slurm.sh")], capture_output=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def fractal_core() -> Path:
    """An environment with public packages of Fractal tasks: fractal-tasks-core and fractal-uzh-converters."""
    prefix = ROOT / ".venv-fractal-core"
    if not (prefix / ".has-tasks").exists():
        pytest.skip("needs the environment of public Fractal tasks: scripts/prepare.sh test")
    return prefix


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


@pytest.fixture(scope="session")
def apptainer() -> str:
    """The name of the runtime, once its command runs."""
    status = runtimes.apptainer_status()
    if not status.available:
        pytest.skip(f"{status.reason}; scripts/install-apptainer.sh tries to install it")
    return status.name


@pytest.fixture(scope="session")
def sifs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of SIF files that all tests share, so that an image is made once."""
    return tmp_path_factory.mktemp("sifs")


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
