"""SIF files: made once, by one of many, whole or not at all, wherever the image is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet.engines.runtimes.apptainer.lock import held
from trivet.engines.runtimes.apptainer.sif import SifCache
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.images.archive import describe
from trivet.tasks.task import ContainerImage
from trivet.testing.archives import busybox_archive, docker_archive, layer
from trivet.testing.registries import FakeRegistry, RealRegistry, image

needs_apptainer = [pytest.mark.apptainer, pytest.mark.usefixtures("apptainer")]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    try:
        return busybox_archive(tmp_path / "busybox.tar", Env=["PATH=/bin", "X=`id`"], Entrypoint=["echo", "own"])
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SifCache]:
    cache = SifCache(tmp_path / "cache")
    yield cache
    cache.close()


def said_by(sif: str, *words: str) -> str:
    command = ["apptainer", "--silent", "exec", "--containall", sif, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def named(archive: Path) -> ContainerImage:
    return ContainerImage("", archive=str(archive))


class TestMaking:
    pytestmark = needs_apptainer

    def test_an_archive_becomes_a_file_named_by_its_image(self, cache: SifCache, archive: Path) -> None:
        told: list[str] = []
        sif = cache.ensure(named(archive), told.append)
        digest = describe(str(archive)).digest
        assert sif.path == str(cache.directory / f"{digest.removeprefix('sha256:')}.sif")
        assert sif.digest == digest
        assert sif.config["Entrypoint"] == ["echo", "own"]
        assert told == [f"making a SIF of the image in {archive}"]
        assert said_by(sif.path, "/bin/busybox", "echo", "hello") == "hello\n"
        assert [path.name for path in cache.directory.iterdir()] == [Path(sif.path).name]

    def test_what_was_made_once_is_used_by_everybody(self, cache: SifCache, archive: Path) -> None:
        path = Path(cache.ensure(named(archive), lambda text: None).path)
        made = path.stat()
        told: list[str] = []
        cache.ensure(named(archive), told.append)
        SifCache(cache.directory).ensure(named(archive), told.append)
        assert told == []
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
        path.unlink()
        cache.ensure(named(archive), told.append)
        assert len(told) == 1

    def test_of_many_at_once_one_makes_it(
        self, cache: SifCache, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[Path] = []
        build = SifCache._build
        monkeypatch.setattr(SifCache, "_build", lambda self, *words: (built.append(words[-1]), build(self, *words)))
        caches = [SifCache(cache.directory) for _ in range(4)]
        threads = [threading.Thread(target=one.ensure, args=(named(archive), lambda text: None)) for one in caches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(built) == 1
        (sif,) = cache.directory.iterdir()
        assert said_by(str(sif), "/bin/busybox", "echo", "whole") == "whole\n"

    def test_a_maker_that_was_killed_is_followed_by_another(
        self, cache: SifCache, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A false apptainer hangs in the middle of its work, with half a file written."""
        tools = tmp_path / "tools"
        tools.mkdir()
        fifo = tmp_path / "reached"
        os.mkfifo(fifo)
        (tools / "apptainer").write_text(f"#!/bin/sh\necho half > image.sif\necho > {fifo}\nexec sleep 1000\n")
        (tools / "apptainer").chmod(0o755)
        program = (
            "import sys; from pathlib import Path\n"
            "from trivet.engines.runtimes.apptainer.sif import SifCache\n"
            "from trivet.tasks.task import ContainerImage\n"
            "SifCache(Path(sys.argv[1])).ensure(ContainerImage('', archive=sys.argv[2]), print)"
        )
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        maker = subprocess.Popen(
            [sys.executable, "-c", program, str(cache.directory), str(archive)],
            env=environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        fifo.read_text()
        (left,) = cache.directory.glob("*.making.*")
        assert (left / "image.sif").read_text() == "half\n"
        os.killpg(maker.pid, signal.SIGKILL)
        maker.wait()
        sif = cache.ensure(named(archive), lambda text: None)
        assert said_by(sif.path, "/bin/busybox", "echo", "whole") == "whole\n"
        assert [path.name for path in cache.directory.iterdir()] == [Path(sif.path).name]

    def test_a_disk_without_room_is_told_and_nothing_is_left(self, archive: Path, small_disk: Path) -> None:
        with pytest.raises(ImageUnavailableError, match=f"in {small_disk}: there is no room left"):
            SifCache(small_disk).ensure(named(archive), lambda text: None)
        assert list(small_disk.iterdir()) == []

    def test_the_words_of_a_failed_build_are_told(
        self, cache: SifCache, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "apptainer").write_text("#!/bin/sh\necho 'FATAL: no user namespaces' >&2\nexit 255\n")
        (tmp_path / "apptainer").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        with pytest.raises(ImageUnavailableError, match="FATAL: no user namespaces"):
            cache.ensure(named(archive), lambda text: None)
        assert list(cache.directory.iterdir()) == []

    def test_a_member_of_a_bundle(self, cache: SifCache, archive: Path, tmp_path: Path) -> None:
        other = docker_archive(tmp_path / "other.tar", [layer({"x": b"x"})])
        bundle = tmp_path / "bundle.zip"
        with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(archive, "lab.seg-1.tar")
            file.write(other, "other.tar")
        sif = cache.ensure(ContainerImage("x", archive=str(bundle), member="lab.seg-1.tar"), lambda text: None)
        assert sif.digest == describe(str(archive)).digest
        assert said_by(sif.path, "/bin/busybox", "echo", "bundled") == "bundled\n"

    @pytest.mark.registry
    def test_a_registry_that_wants_a_login(
        self, cache: SifCache, archive: Path, registry: RealRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        busybox = layer({"bin/busybox": Path(shutil.which("busybox") or "").read_bytes()})
        pushed = image([busybox], Entrypoint=["/bin/busybox"])
        reference = registry.push("lab/seg", pushed)
        with pytest.raises(ImageUnavailableError, match="login"):
            cache.ensure(ContainerImage(reference), lambda text: None)
        told: list[str] = []
        sif = cache.ensure(ContainerImage(reference), told.append, registry.login)
        assert sif.digest == json.loads(pushed.manifest)["config"]["digest"]
        assert sif.config["Entrypoint"] == ["/bin/busybox"]
        assert said_by(sif.path, "/bin/busybox", "echo", "pulled") == "pulled\n"
        assert registry.login.password not in "".join(told)

    def test_a_registry_that_is_silent_is_not_needed_again(
        self, cache: SifCache, fake_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        served = image([layer({"x": b"x"})], Cmd=["x"])
        reference = fake_registry.serve("lab/x", served)
        first = cache.ensure(ContainerImage(reference), lambda text: None)
        good = dict(fake_registry.answers)
        fake_registry.answers["/v2/lab/x/manifests/1"] = (503, {}, b"")
        told: list[str] = []
        assert SifCache(cache.directory).ensure(ContainerImage(reference), told.append) == first
        assert "the image it last had under that name is used" in told[0]
        with pytest.raises(ImageUnavailableError):
            SifCache(cache.directory).ensure(ContainerImage(reference, digest="sha256:" + "0" * 64), told.append)
        fake_registry.answers["/v2/lab/x/manifests/1"] = (404, {}, b"")  # it says that there is none any more
        with pytest.raises(ImageUnavailableError, match="has no image"):
            SifCache(cache.directory).ensure(ContainerImage(reference), told.append)
        fake_registry.answers.update(good)
        assert SifCache(cache.directory).ensure(ContainerImage(reference), told.append) == first

    @pytest.mark.docker
    def test_an_image_of_docker(self, docker: str, cache: SifCache, archive: Path, tmp_path: Path) -> None:
        name = "trivet-test/sif:1"
        subprocess.run(["docker", "load", "-q", "-i", archive], check=True, capture_output=True)
        digest = describe(str(archive)).digest
        subprocess.run(["docker", "tag", "test/image:1", name], check=True)
        subprocess.run(["docker", "rmi", "test/image:1"], check=True, capture_output=True)
        try:
            sif = cache.ensure(ContainerImage(name), lambda text: None)
        finally:
            subprocess.run(["docker", "rmi", name], check=True, capture_output=True)
        assert sif.digest == digest
        assert said_by(sif.path, "/bin/busybox", "echo", "saved") == "saved\n"


def test_a_broken_layer_makes_nothing(cache: SifCache, fake_registry: FakeRegistry) -> None:
    served = image([layer({"x": b"x"})])
    reference = fake_registry.serve("lab/x", served)
    digest = json.loads(served.manifest)["layers"][0]["digest"]
    good = served.blobs[digest]
    fake_registry.answers[f"/v2/lab/x/blobs/{digest}"] = good[:-1] + b"?"
    with pytest.raises(ImageUnavailableError, match="arrived broken, or was changed"):
        cache.ensure(ContainerImage(reference), lambda text: None)
    assert list(cache.directory.iterdir()) == []


def test_another_digest_than_the_wanted_is_refused(cache: SifCache, archive: Path) -> None:
    wanted = "sha256:" + "0" * 64
    with pytest.raises(ImageUnavailableError, match=f"not {wanted}"):
        cache.ensure(ContainerImage("", archive=str(archive), digest=wanted), lambda text: None)


class TestLock:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "x.lock"

    @staticmethod
    def note(*, host: str, boot: str = "", pid: int = 1, born: int = 0) -> str:
        return json.dumps([host, boot, pid, born], separators=(",", ":")) + " abcd 0\n"

    def test_who_waits_gets_nothing_once_it_is_done(self, path: Path, tmp_path: Path) -> None:
        done = tmp_path / "done"
        answers: list[str] = []

        def other() -> None:
            with held(path, done, threading.Event()) as token:
                answers.append(token)

        with held(path, done, threading.Event()) as token:
            assert token
            thread = threading.Thread(target=other)
            thread.start()
            done.touch()
        thread.join()
        assert answers == [""]
        assert [one.name for one in tmp_path.iterdir()] == ["done"]

    def test_who_failed_leaves_it_to_the_next(self, path: Path, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), held(path, tmp_path / "done", threading.Event()):
            raise ZeroDivisionError
        with held(path, tmp_path / "done", threading.Event()) as token:
            assert token

    def test_a_dead_holder_of_this_machine_is_noticed_at_once(self, path: Path, tmp_path: Path) -> None:
        path.write_text(self.note(host=os.uname().nodename, boot="another-start"))
        died: list[str] = []
        with held(path, tmp_path / "done", threading.Event(), died.append) as token:
            assert token
        assert died == ["abcd"]

    def test_a_holder_elsewhere_is_dead_only_when_it_is_silent(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_text(self.note(host="elsewhere"))
        stopped = threading.Event()
        stopped.set()
        with pytest.raises(InterruptedError), held(path, tmp_path / "done", stopped):
            pass
        assert path.exists()
        monkeypatch.setattr("trivet.engines.runtimes.apptainer.lock.SILENCE", -1.0)
        with held(path, tmp_path / "done", stopped) as token:
            assert token
