"""What a reference to an image says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.images.credentials import stored_login
from trivet.images.references import host_of, is_loopback, parse
from trivet.tasks.work import Login

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("ubuntu", ("docker.io", "library/ubuntu", "latest", "")),
        ("ubuntu:24.04", ("docker.io", "library/ubuntu", "24.04", "")),
        ("docker.io/ubuntu", ("docker.io", "library/ubuntu", "latest", "")),
        ("index.docker.io/lab/seg:1", ("docker.io", "lab/seg", "1", "")),
        ("lab/seg", ("docker.io", "lab/seg", "latest", "")),
        ("localhost/seg:1", ("localhost", "seg", "1", "")),
        ("127.0.0.1:5000/lab/deep/seg:1.0-rc_2", ("127.0.0.1:5000", "lab/deep/seg", "1.0-rc_2", "")),
        ("Registry.Example.org/lab/seg", ("registry.example.org", "lab/seg", "latest", "")),
        (f"ghcr.io/lab/seg@{DIGEST}", ("ghcr.io", "lab/seg", "", DIGEST)),
        (f"ghcr.io/lab/seg:1@{DIGEST}", ("ghcr.io", "lab/seg", "1", DIGEST)),
        ("[::1]:5000/seg", ("[::1]:5000", "seg", "latest", "")),
    ],
)
def test_references_have_dockers_defaults(reference: str, parts: tuple[str, ...]) -> None:
    assert tuple(parse(reference)) == parts


@pytest.mark.parametrize(
    "reference",
    [
        "",
        ":1",
        "lab//seg",
        "Lab/seg",
        "seg:",
        "seg:a b",
        "seg@sha256:12",
        "a.b/",
        "/seg",
        "seg\n",
        "lab/../seg",
        "u@h.org/seg",
    ],
)
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(ValueError):
        parse(reference)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    again = f"{found.host}/{found.name}" + (found.tag and f":{found.tag}") + (found.digest and f"@{found.digest}")
    assert parse(again) == found


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("https://Registry.example.org:5000/v2/", "registry.example.org:5000"),
        ("registry.example.org/group/project", "registry.example.org"),
        ("https://index.docker.io/v1/", "docker.io"),
        (" docker.io ", "docker.io"),
        ("", ""),
    ],
)
def test_a_server_is_one_host_however_it_is_written(server: str, host: str) -> None:
    assert host_of(server) == host


def test_only_this_machine_is_spoken_to_without_tls() -> None:
    local = ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "[::1]"]
    assert all(map(is_loopback, local))
    distant = ["localhost.example.org", "127.0.0.1.example.org", "registry:5000", "10.0.0.1", "[::2]:5000", "docker.io"]
    assert not any(map(is_loopback, distant))


def test_logins_come_from_where_docker_leaves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auths = {
        "registry.example.org": {"auth": "dTpwOnc="},  # u:p:w
        "https://index.docker.io/v1/": {"auth": "aHViOnB3"},  # hub:pw
        "plain.example.org:5000": {"username": "u", "password": "p"},
        "broken.example.org": {"auth": "%%%"},
        "empty.example.org": {},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert stored_login("registry.example.org") == Login("registry.example.org", "u", "p:w")
    assert stored_login("docker.io") == Login("https://index.docker.io/v1/", "hub", "pw")
    assert stored_login("plain.example.org:5000") == Login("plain.example.org:5000", "u", "p")
    for host in ("broken.example.org", "empty.example.org", "other.example.org"):
        assert stored_login(host) is None


def test_a_login_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(Login("registry.example.org", "u", "hunter2"))
