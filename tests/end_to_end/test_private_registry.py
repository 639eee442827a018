"""A task whose image is in a registry with a password: its file is read and the image pulled with the task's login."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trivet.engines.runtimes import open_api
from trivet.testing.archives import Link, layer
from trivet.testing.registries import RealRegistry, image

PASSWORD = "s3cret:word"
CONTAINER = {
    "name": "tools",
    "description": "Tools",
    "templates": [
        {
            "identifier": "copy",
            "description": "Copies",
            "inputs": [{"name": "in", "mounted_path": "/in"}],
            "outputs": [{"name": "out", "mounted_path": "/out"}],
            "env": [{"name": "GREETING", "value": "hello"}],
            "command": ["sh", "-c", 'busybox cp -r /in/p1 /out/; echo "$GREETING"'],
        }
    ],
}


@pytest.fixture
def reference(registry: RealRegistry, tmp_path: Path) -> Iterator[str]:
    """An image that only the registry has."""
    binary = shutil.which("busybox")
    if binary is None:
        pytest.skip("there is no busybox on this machine (Debian: apt-get install busybox-static)")
    base = layer({"bin/busybox": Path(binary).read_bytes(), "bin/sh": Link("busybox"), "tmp/": b""})
    top = layer({"processing-container.json": json.dumps(CONTAINER).encode(), "unique": tmp_path.name.encode()})
    reference = registry.push("lab/tools", image([base, top], Env=["PATH=/bin"]), "1")
    forget(reference)
    yield reference
    forget(reference)


def forget(reference: str) -> None:
    api, _, release = open_api("docker")
    if api.image(reference) is not None:
        api.call("DELETE", f"/images/{reference}", {"force": 1})
    release()


@pytest.fixture
def place(trivet: Any, tmp_path: Path, registry: RealRegistry, reference: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a task.json; nobody is logged in anywhere."""
    (tmp_path / "docker").mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("REGISTRY_PASSWORD", PASSWORD)
    place: Path = trivet.cwd
    (place / "scans/p1").mkdir(parents=True)
    (place / "scans/p1/a").write_text("content")
    config = {
        "type": "k8s",
        "namespace": "lab",
        "registryUrl": f"https://{registry.host}/",
        "registryUsername": "{{ env.REGISTRY_USER | default('reader') }}",
        "registryPassword": "{{ env.REGISTRY_PASSWORD }}",
    }
    task = {
        "name": "My_Task",
        "image": reference,
        "taskTemplate": "copy",
        "inputs": [{"name": "in", "volume_source": {"host_path": "scans"}}],
        "outputs": [{"name": "out", "volume_source": {"host_path": "results"}}],
        "config": config,
    }
    (place / "task.json").write_text(json.dumps(task))
    return place


def traces(directory: Path) -> list[Path]:
    """Files that hold the password, plain or encoded."""
    words = [PASSWORD.encode(), base64.b64encode(f"reader:{PASSWORD}".encode())]
    return [
        path for path in directory.rglob("*") if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


pytestmark = [pytest.mark.docker, pytest.mark.registry]


def test_a_task_is_shown_and_run_with_its_own_login(trivet: Any, place: Path, docker: str) -> None:
    assert "GREETING" in trivet("show", "task.json").stdout
    done = trivet("run", "task.json", "--runtime", "docker")
    assert (place / "results/p1/a").read_text() == "content"
    assert "hello" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert traces(trivet.home) == []


def test_a_driver_in_the_background_is_told_the_password(trivet: Any, place: Path, docker: str) -> None:
    run = trivet("run", "task.json", "--runtime", "docker", "--detach").stdout.strip()
    assert "hello" in trivet("logs", run, "--follow").stdout
    assert (place / "results/p1/a").read_text() == "content"
    assert traces(trivet.home) == []


def test_a_run_that_is_repeated_has_no_password_and_says_so(
    trivet: Any, place: Path, docker: str, reference: str
) -> None:
    trivet("run", "task.json", "--runtime", "docker", "--output", "first")
    again = trivet("run", "run:last", "--runtime", "docker", "--output", "second")
    assert "is not kept in the record of a run" in again.stderr
    forget(reference)
    third = trivet("run", "run:last", "--runtime", "docker", "--output", "third", code=None)
    assert third.returncode != 0
    assert "is not kept in the record of a run" in third.stderr
    assert reference in third.stderr


def test_a_wrong_password_is_told(trivet: Any, place: Path, docker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", "wrong")
    done = trivet("run", "task.json", "--runtime", "docker", code=1)
    assert "refuses the user 'reader'" in done.stderr
    assert "wrong" not in done.stderr
    (place / "processing-container.json").write_text(json.dumps(CONTAINER))
    done = trivet("run", "task.json", "--runtime", "docker", code=None)
    assert done.returncode != 0
    assert "unauthorized" in done.stderr.lower() or "authentication" in done.stderr.lower()


def test_an_image_is_shown_with_what_docker_login_left(
    trivet: Any, place: Path, registry: RealRegistry, reference: str, docker: str
) -> None:
    assert "wants a login" in trivet("show", reference, code=1).stderr
    auth = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
    config = json.dumps({"auths": {registry.host: {"auth": auth}}})
    (place.parent / "docker/config.json").write_text(config)
    assert "GREETING" in trivet("show", reference).stdout
    assert "GREETING" in trivet("show", reference).stdout


def test_what_was_read_is_kept_by_digest(
    trivet: Any, place: Path, registry: RealRegistry, reference: str, docker: str
) -> None:
    trivet("show", "task.json")
    [kept] = [path for path in (trivet.home / "cache").rglob("*") if path.is_file()]
    assert json.loads(kept.read_text()) == CONTAINER
    assert kept.parent.name.startswith("sha256-")
    changed = json.dumps({**CONTAINER, "templates": [{**CONTAINER["templates"][0], "identifier": "move"}]})  # type: ignore[dict-item]
    registry.push("lab/tools", image([layer({"processing-container.json": changed.encode()})]), "1")
    assert "has no template `copy`" in trivet("show", "task.json", code=1).stderr


def test_the_secret_of_a_dry_run_is_masked_unless_it_is_wanted(trivet: Any, place: Path, docker: str) -> None:
    shown = trivet("run", "task.json", "--engine", "kubernetes", "--dry-run")
    assert "kind: Secret" in shown.stdout
    assert "namespace: lab" in shown.stdout
    assert PASSWORD not in shown.stdout + shown.stderr
    assert "--show-secrets" in shown.stderr
    whole = trivet("run", "task.json", "--engine", "kubernetes", "--dry-run", "--show-secrets", "--json").stdout
    secret, pod = json.loads(whole)["items"]
    assert json.loads(secret["stringData"][".dockerconfigjson"])["auths"][place_host(pod)]["password"] == PASSWORD
    assert pod["spec"]["imagePullSecrets"] == [{"name": secret["metadata"]["name"]}]
    assert not (trivet.home / "runs").exists()


def place_host(pod: dict[str, Any]) -> str:
    """The registry of a pod's image."""
    return str(pod["spec"]["containers"][0]["image"]).partition("/")[0]
