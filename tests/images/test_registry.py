"""Files of images in registries: whoever misbehaves is found out, and no login goes astray."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trivet.images import registry_client
from trivet.images.registry import Registry, RegistryError
from trivet.tasks.work import Login
from trivet.testing.archives import Link, layer
from trivet.testing.registries import INDEX, MANIFEST, FakeRegistry, RealRegistry, digest_of, image

FILE = "/processing-container.json"
BASE = layer(
    {"processing-container.json": b"old", "data/a": b"a", "data/b": b"b", "bin": Link("usr/bin"), "usr/bin/x": b"x"}
)
TOP = layer({"processing-container.json": b"new", "data/.wh.a": b"", "entry": Link("/data/b")})
LOGIN = Login("127.0.0.1", "reader", "hunter2")
SHOWN = "Basic " + base64.b64encode(b"reader:hunter2").decode()


def read(reference: str, path: str = FILE, login: Login | None = None) -> bytes | None:
    registry = Registry(reference, login)
    return registry.read_file(registry.image(), path)


def refusal(reference: str, login: Login | None = None, path: str = FILE) -> str:
    with pytest.raises(RegistryError) as caught:
        read(reference, path, login)
    assert str(caught.value).startswith(f"{reference}: ")
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


# A real registry


@pytest.mark.registry
def test_a_real_registry_with_a_password(registry: RealRegistry) -> None:
    made = image([BASE, TOP])
    reference = registry.push("lab/seg", made)
    assert Registry(reference, registry.login).image().digest == made.digest
    assert read(reference, login=registry.login) == b"new"
    assert read(f"{registry.host}/lab/seg@{made.digest}", login=registry.login) == b"new"
    assert read(reference, "/data/a", registry.login) is None


@pytest.mark.registry
def test_a_real_registry_refuses_strangers_and_wrong_passwords(registry: RealRegistry) -> None:
    reference = registry.push("lab/seg", image([TOP]))
    assert "wants a login" in refusal(reference)
    wrong = Login(registry.host, "reader", "hunter2")
    assert "refuses the user 'reader'" in refusal(reference, wrong)


@pytest.mark.registry
def test_a_real_registry_without_this_image(registry: RealRegistry) -> None:
    registry.push("lab/seg", image([TOP]))
    assert "has no image lab/seg nine" in refusal(f"{registry.host}/lab/seg:nine", registry.login)
    assert "has no image lab/other 1" in refusal(f"{registry.host}/lab/other:1", registry.login)


# Layers


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (FILE, b"new"),
        ("/data/b", b"b"),
        ("/data/a", None),
        ("/entry", b"b"),
        ("/bin/x", b"x"),
        ("/data", None),
        ("/no", None),
    ],
)
def test_layers_whiteouts_and_links(fake_registry: FakeRegistry, path: str, content: bytes | None) -> None:
    assert read(fake_registry.serve("lab/seg", image([BASE, TOP])), path) == content


@pytest.mark.parametrize(
    ("top", "content"),
    [
        ({"data/.wh..wh..opq": b""}, None),
        ({".wh.data": b""}, None),
        ({".wh..wh..opq": b""}, None),
        ({"data/.wh.b": b""}, None),
        ({"data/.wh.a": b""}, b"b"),
        ({"data/.wh..wh..opq": b"", "data/b": b"again"}, b"again"),
        ({"data": Link("/elsewhere"), "elsewhere/b": b"there"}, b"there"),
        ({"data/": b""}, b"b"),
    ],
)
def test_what_upper_layers_take_away(fake_registry: FakeRegistry, top: dict[str, Any], content: bytes | None) -> None:
    assert read(fake_registry.serve("lab/seg", image([BASE, layer(top)])), "/data/b") == content


def test_only_the_layers_that_matter_are_fetched(fake_registry: FakeRegistry) -> None:
    made = image([BASE, TOP, layer({"etc/later": b""})])
    reference = fake_registry.serve("lab/seg", made)
    assert read(reference) == b"new"
    lowest, second, top = (each["digest"] for each in json.loads(made.manifest)["layers"])
    assert [path.rpartition("/")[2] for path in fake_registry.paths()] == ["1", top, second]
    assert lowest not in "".join(fake_registry.paths())


def test_layers_of_every_compression(fake_registry: FakeRegistry) -> None:
    for pack in (gzip.compress, bz2.compress, bytes):
        assert read(fake_registry.serve("lab/seg", image([TOP], pack))) == b"new"


def test_zstandard_where_it_can_be_undone(fake_registry: FakeRegistry) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the zstandard module is not installed")
    assert read(fake_registry.serve("lab/seg", image([TOP], zstandard.compress))) == b"new"


def test_zstandard_where_it_can_not(fake_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    monkeypatch.setitem(__import__("sys").modules, "compression.zstd", None)
    packed = lambda content: b"\x28\xb5\x2f\xfd" + content  # noqa: E731
    assert "pip install zstandard" in refusal(fake_registry.serve("lab/seg", image([TOP], packed)))


# Which image


def test_an_index_gives_the_image_for_this_machine(
    fake_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = image([TOP]), image([BASE])
    fake_registry.serve("lab/seg", mine)
    fake_registry.serve("lab/seg", other)
    kinds = [("arm64", other), ("amd64", mine), ("unknown", other)]
    listed = [
        {
            "mediaType": MANIFEST,
            "digest": one.digest,
            "size": len(one.manifest),
            "platform": {"os": "linux", "architecture": kind},
        }
        for kind, one in kinds
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
    fake_registry.answers["/v2/lab/seg/manifests/1"] = index
    fake_registry.answers[f"/v2/lab/seg/manifests/{digest_of(index)}"] = index
    reference = f"{fake_registry.host}/lab/seg"
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert Registry(f"{reference}:1").image().digest == mine.digest
    assert read(f"{reference}@{digest_of(index)}") == b"new"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert read(f"{reference}:1") == b"old"
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "no image for linux/riscv64, only linux/arm64, linux/amd64" in refusal(f"{reference}:1")


def test_an_index_of_itself_ends(fake_registry: FakeRegistry) -> None:
    index = {"schemaVersion": 2, "manifests": [{"digest": "sha256:" + "0" * 64}]}
    fake_registry.answers["/v2/seg/manifests/1"] = json.dumps(index).encode()
    assert "has no image seg 1" in refusal(f"{fake_registry.host}/seg:1")


# Trust


def test_layers_that_are_not_what_was_announced(fake_registry: FakeRegistry) -> None:
    made = image([TOP])
    reference = fake_registry.serve("lab/seg", made)
    [described] = json.loads(made.manifest)["layers"]
    place = f"/v2/lab/seg/blobs/{described['digest']}"
    fake_registry.answers[place] = gzip.compress(layer({"processing-container.json": b"evil"}))
    assert "arrived broken, or was changed" in refusal(reference) or "sent more than" in refusal(reference)
    fake_registry.answers[place] = made.blobs[described["digest"]] + bytes(100)
    assert "sent more than" in refusal(reference)
    fake_registry.answers[place] = made.blobs[described["digest"]][:-10]
    assert refusal(reference)


def test_a_manifest_that_is_not_the_one_asked_for(fake_registry: FakeRegistry) -> None:
    digest = "sha256:" + "1" * 64
    fake_registry.answers[f"/v2/seg/manifests/{digest}"] = image([TOP]).manifest
    assert f"in place of {digest}" in refusal(f"{fake_registry.host}/seg@{digest}")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"<html>", "not the JSON"),
        (b"[]", "not the JSON"),
        (b"[" * 100_000, "not the JSON"),
        (b"{}", "no image for"),
        (b'{"schemaVersion": 1, "fsLayers": []}', "Docker gave up in 2017"),
        (b'{"layers": 7}', "without a list of layers"),
        (b'{"layers": [{"digest": "sha256:../../x", "size": 1}]}', "the digest 'sha256:../../x'"),
        (b'{"layers": [{"digest": "sha256:' + b"0" * 64 + b'", "size": -1}]}', "has no image"),
        (b" " * (4 * 2**20 + 1), "more than 4,194,304 bytes"),
    ],
)
def test_manifests_that_are_none(fake_registry: FakeRegistry, manifest: bytes, words: str) -> None:
    fake_registry.answers["/v2/seg/manifests/1"] = manifest
    assert words in refusal(f"{fake_registry.host}/seg:1")


def test_a_layer_that_is_no_archive(fake_registry: FakeRegistry) -> None:
    assert "can't be read" in refusal(fake_registry.serve("seg", image([b"no tar at all" * 100])))


def test_a_layer_that_unfolds_without_measure(fake_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trivet.images.opening._SMALL", 2**20)
    bomb = layer({"zeros": bytes(8 * 2**20)})
    assert "unfold to more than" in refusal(fake_registry.serve("seg", image([TOP, bomb])))


# Logins


def test_tokens(fake_registry: FakeRegistry) -> None:
    """A registry that wants a token from a service, as most do."""
    made = image([TOP])
    reference = fake_registry.serve("lab/seg", made)
    realm = f"http://{fake_registry.host}/token?for=tests"
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="the, service",scope="repository:lab/seg:pull"'}
    for path, answer in list(fake_registry.answers.items()):
        fake_registry.answers[path] = lambda headers, answer=answer: (
            answer if headers.get("Authorization") == "Bearer t0ken" else (401, challenge, b"{}")
        )
    fake_registry.answers["/token"] = lambda headers: (
        b'{"token": "t0ken"}' if headers.get("Authorization") == SHOWN else (401, {}, b"{}")
    )
    assert read(reference, login=LOGIN) == b"new"
    assert "/token?for=tests&service=the%2C+service&scope=repository%3Alab%2Fseg%3Apull" in fake_registry.paths()
    shown = {headers.get("Authorization") for path, headers in fake_registry.asked if not path.startswith("/token")}
    assert shown == {None, "Bearer t0ken"}
    assert "wants a login" in refusal(reference)
    assert "refuses the user 'reader'" in refusal(reference, Login("", "reader", "wrong"))


def test_a_token_that_is_over_is_fetched_anew(fake_registry: FakeRegistry) -> None:
    reference = fake_registry.serve("lab/seg", image([BASE, TOP]))
    tokens = (f"t{number}" for number in range(10))
    valid: set[str] = set()

    def token(headers: dict[str, str]) -> bytes:
        valid.clear()
        valid.add(f"Bearer {(made := next(tokens))}")
        return json.dumps({"access_token": made}).encode()

    def once(answer: bytes) -> Any:
        def respond(headers: dict[str, str]) -> Any:
            if headers.get("Authorization") in valid:
                valid.clear()
                return answer
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{fake_registry.host}/token"'}, b""

        return respond

    fake_registry.answers = {path: once(answer) for path, answer in fake_registry.answers.items()}
    fake_registry.answers["/token"] = token
    assert read(reference, "/data/b") == b"b"


def test_a_login_is_not_shown_where_a_registry_leads(fake_registry: FakeRegistry) -> None:
    made = image([TOP])
    reference = fake_registry.serve("lab/seg", made)
    elsewhere = FakeRegistry()
    try:
        [described] = json.loads(made.manifest)["layers"]
        place = f"/v2/lab/seg/blobs/{described['digest']}"
        content = fake_registry.answers[place]
        basic = {"WWW-Authenticate": 'Basic realm="tests"'}
        near = (307, {"Location": "/near"}, b"")
        fake_registry.answers[place] = lambda headers: near if "Authorization" in headers else (401, basic, b"")
        far = (307, {"Location": f"http://{elsewhere.host}/far?signed=yes"}, b"")
        fake_registry.answers["/near"] = lambda headers: (
            far if headers.get("Authorization") == SHOWN else (401, {}, b"")
        )
        elsewhere.answers["/far"] = content
        assert read(reference, login=LOGIN) == b"new"
        [(path, headers)] = elsewhere.asked
        assert path == "/far?signed=yes"
        assert "Authorization" not in headers
    finally:
        elsewhere.close()


def test_a_login_is_not_shown_to_a_service_without_tls() -> None:
    client = registry_client.Client("registry.example.org/seg", LOGIN)
    with pytest.raises(RegistryError, match="not safe"), client.told():
        client._token({"realm": "http://tokens.example.org/"})


# What can go wrong on the way


def test_refusals_in_the_registrys_own_words(fake_registry: FakeRegistry) -> None:
    said = json.dumps({"errors": [{"code": "DENIED", "message": "the lab is\x1b closed"}]}).encode()
    fake_registry.answers["/v2/seg/manifests/1"] = (503, {}, said)
    assert "answers 503 Service Unavailable (the lab is closed)" in refusal(f"{fake_registry.host}/seg:1")
    fake_registry.answers["/v2/seg/manifests/1"] = (429, {}, said)
    assert "too many requests" in refusal(f"{fake_registry.host}/seg:1")


def test_an_answer_that_breaks_off(fake_registry: FakeRegistry) -> None:
    made = image([TOP])
    reference = fake_registry.serve("seg", made)
    [described] = json.loads(made.manifest)["layers"]
    place = f"/v2/seg/blobs/{described['digest']}"
    fake_registry.answers[place] = (
        200,
        {"Content-Length": str(described["size"])},
        made.blobs[described["digest"]][:20],
    )
    assert refusal(reference)


@pytest.fixture
def silence() -> Iterator[int]:
    """A port on which nobody says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_registry_that_does_not_answer(silence: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_client, "TIMEOUT", 0.2)
    assert "did not answer within 0.2 s" in refusal(f"127.0.0.1:{silence}/seg:1")


def test_a_registry_that_is_not_there(silence: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "can't be reached: Connection refused" in refusal(f"127.0.0.1:{port}/seg:1")


def test_a_registry_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*words: Any, **more: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    assert "can't be reached: Name or service not known" in refusal("registry.example.org/seg:1")


def test_what_is_no_reference() -> None:
    assert "not the name of an image" in refusal("Not/A Reference")


def test_a_registry_of_a_stranger_must_prove_who_it_is(
    fake_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trivet.images.references.is_loopback", lambda host: False)
    assert "TLS" in refusal(f"{fake_registry.host}/seg:1")
    assert fake_registry.asked == []


def test_a_registry_that_nobody_vouches_for(
    fake_registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    names = [
        "-subj",
        "/CN=tests",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    try:
        subprocess.run([*command, *names], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    fake_registry.secure(certificate, key)
    reference = fake_registry.serve("seg", image([TOP]))
    monkeypatch.setattr("trivet.images.references.is_loopback", lambda host: False)
    assert "can't prove who it is: self-signed certificate" in refusal(reference)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert read(reference) == b"new"
