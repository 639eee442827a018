"""Registries for tests: pushing to a real one, and one of our own that misbehaves on request."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import ssl
import threading
import urllib.request
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from trivet.tasks.work import Login
from trivet.testing.archives import configuration

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Image(NamedTuple):
    """An image as a registry has it: its manifest, and everything that this names, by digest."""

    manifest: bytes
    blobs: dict[str, bytes]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def digest_of(content: bytes) -> str:
    """The digest a registry knows content by."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(layers: Sequence[bytes], pack: Callable[[bytes], bytes] = gzip.compress, **config: Any) -> Image:
    """An image of these layers (tars), the lowest first; ``config`` holds Cmd, Entrypoint, User …"""
    blobs: dict[str, bytes] = {}

    def descriptor(kind: str, content: bytes) -> dict[str, Any]:
        blobs[digest_of(content)] = content
        return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, configuration(layers, **config)),
        "layers": [descriptor(LAYER, pack(layer)) for layer in layers],
    }
    return Image(json.dumps(manifest).encode(), blobs)


class RealRegistry:
    """A registry that runs on this machine, with a password."""

    def __init__(self, host: str, login: Login) -> None:
        self.host, self.login = host, login
        words = f"{login.username}:{login.password}".encode()
        self._headers = {"Authorization": "Basic " + base64.b64encode(words).decode()}

    def push(self, name: str, image: Image, tag: str = "1") -> str:
        """Store an image; returns its reference."""
        for digest, content in image.blobs.items():
            with self._send("POST", f"/v2/{name}/blobs/uploads/") as begun:
                place = urljoin(f"http://{self.host}/", begun.headers["Location"])
            self._send("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content).close()
        self._send("PUT", f"/v2/{name}/manifests/{tag}", image.manifest, MANIFEST).close()
        return f"{self.host}/{name}:{tag}"

    def _send(self, method: str, url: str, body: bytes = b"", kind: str = "application/octet-stream") -> Any:
        url = urljoin(f"http://{self.host}/", url)
        headers = {**self._headers, "Content-Type": kind}
        return urllib.request.urlopen(  # noqa: S310 (a registry of the tests)
            urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310
        )


class FakeRegistry:
    """A registry on loopback that answers what it is told to; ``asked`` has every request with its headers.

    ``answers`` are by method-less path (``/v2/lab/seg/manifests/1``): a body, a (status, headers, body), or a function
    of the request's headers that gives one of these.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path
                registry.asked.append((path, dict(self.headers.items())))
                answer = registry.answers.get(path, registry.answers.get(path.partition("?")[0], (404, {}, b"{}")))
                if callable(answer):
                    answer = answer(dict(self.headers.items()))
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"

    def serve(self, name: str, image: Image, tag: str = "1") -> str:
        """Answer for an image; returns its reference."""
        self.answers[f"/v2/{name}/manifests/{tag}"] = image.manifest
        self.answers[f"/v2/{name}/manifests/{image.digest}"] = image.manifest
        for digest, content in image.blobs.items():
            self.answers[f"/v2/{name}/blobs/{digest}"] = content
        return f"{self.host}/{name}:{tag}"

    def secure(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
