"""A thin client of the Docker Engine API over a Unix socket; Podman's compatible socket speaks it too."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

_PATIENCE = 120.0  # seconds for an answer that needs no waiting; a loaded daemon takes its time
_FILE_LIMIT = 64 * 2**20
_LINKS = 8
_SERVERS = {"Docker": "docker", "Libpod": "podman"}

Query = Mapping[str, str | int]
_NOTHING: Query = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ApiError(RuntimeError):
    """The daemon refused; ``status`` is HTTP's, the message is the daemon's own."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class UnreachableError(ConnectionError):
    """The daemon can't be talked to, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Version:
    """What answers on the socket: ``name`` is ``docker`` or ``podman``."""

    name: str
    version: str


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost")
        self.path = path
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.link.settimeout(timeout)

    def connect(self) -> None:
        self.link.connect(self.path)
        self.sock = self.link


class Api:
    """Requests to one daemon, each on a connection of its own; safe to use from many threads.

    Every method raises ApiError when the daemon refuses and UnreachableError when it can't be talked to.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._open: set[_Connection] = set()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        query: Query = _NOTHING,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        timeout: float | None = _PATIENCE,
    ) -> Iterator[http.client.HTTPResponse]:
        """The daemon's answer, to be read inside the block; ``timeout`` in seconds, None for ever."""
        connection = _Connection(self.path, timeout)
        target = f"{quote(path)}?{urlencode(query)}" if query else quote(path)
        response = None
        try:
            with self._lock:
                if self._closed:
                    raise UnreachableError("the connection was closed")
                self._open.add(connection)
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, target, body=body, headers=dict(headers), encode_chunked=chunked)
            response = connection.getresponse()
            if response.status >= 400:
                raise ApiError(response.status, _message(response.read()))
            yield response
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{self.path}: {error or type(error).__name__}") from error
        finally:
            with self._lock:
                self._open.discard(connection)
            if response is not None:
                response.close()
            connection.close()
            connection.link.close()

    def call(
        self,
        method: str,
        path: str,
        query: Query = _NOTHING,
        *,
        body: Any = None,
        timeout: float | None = _PATIENCE,
    ) -> Any:
        """One request with a JSON body and a JSON answer (None when the answer is empty)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        with self.request(method, path, query, body=data, headers=headers, timeout=timeout) as response:
            text = response.read()
        try:
            return json.loads(text) if text.strip() else None
        except ValueError as error:
            raise UnreachableError(f"{self.path}: the answer to {method} {path} broke off") from error

    def close(self) -> None:
        """Break every open request; whoever waits for one gets UnreachableError."""
        with self._lock:
            self._closed = True
            for connection in self._open:
                with suppress(OSError):
                    connection.link.shutdown(socket.SHUT_RDWR)

    # the daemon

    def version(self) -> Version:
        """Who answers, and its version: by a ping, since Podman needs a second to say it at length."""
        with self.request("GET", "/_ping", timeout=10) as response:
            response.read()
            server = response.headers.get("Server", "").partition(" ")[0]
        name, _, number = server.partition("/")
        if name not in _SERVERS:
            raise UnreachableError(f"{self.path}: what answers there is neither Docker nor Podman")
        return Version(_SERVERS[name], number)

    def info(self) -> Mapping[str, Any]:
        """What the daemon says about itself and its machine."""
        return self.call("GET", "/info")  # type: ignore[no-any-return]

    # images

    def image(self, reference: str) -> Mapping[str, Any] | None:
        """What is known of a local image by reference or id, or None when there is no such image."""
        try:
            return self.call("GET", f"/images/{reference}/json")  # type: ignore[no-any-return]
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def pull(self, reference: str, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        """Fetch an image from its registry; the daemon's words are the message of the ApiError."""
        name, tag = split_reference(reference)
        query = {"fromImage": f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"}
        with self.request("POST", "/images/create", query, body=b"", headers=headers, timeout=None) as response:
            _read_progress(response)

    def load(self, chunks: Iterable[bytes]) -> str:
        """Load an image archive; returns the name or id that the daemon gave the (last) image in it."""
        headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        with self.request("POST", "/images/load", {"quiet": 1}, body=chunks, headers=headers, timeout=None) as response:
            said = _read_progress(response)
        names = [line.partition(": ")[2] for line in said if line.startswith("Loaded image")]
        if not names:
            raise ApiError(500, "the archive holds no image" + "".join(f"; {line}" for line in said))
        return names[-1].split(",")[0].strip()

    @contextmanager
    def save(self, image: str) -> Iterator[Callable[[int], bytes]]:
        """The archive of a local image, as docker save writes it: a function that reads so many bytes of it."""
        with self.request("GET", f"/images/{image}/get", timeout=None) as response:
            yield response.read

    def read_file(self, image: str, path: str) -> bytes | None:
        """One file of a local image, by absolute path, without running anything; None when it is not there.

        Symbolic links are followed inside the image. Raises ApiError for more than 64 MiB too.
        """
        body = {"Image": image, "Cmd": ["none"], "Labels": {"trivet.reader": "yes"}, "NetworkDisabled": True}
        container = self.call("POST", "/containers/create", body=body)["Id"]
        try:
            return self._read_file(container, path)
        finally:
            with suppress(ApiError, UnreachableError):
                self.remove(container)

    def _read_file(self, container: str, path: str) -> bytes | None:
        import posixpath
        import tarfile

        for _ in range(_LINKS):
            try:
                with self.request("GET", f"/containers/{container}/archive", {"path": path}) as response:
                    archive = tarfile.open(fileobj=response, mode="r|")  # noqa: SIM115 (reads the response only)
                    member = archive.next()
                    if member is None or not (member.isfile() or member.issym()):
                        return None
                    if member.size > _FILE_LIMIT:
                        raise ApiError(413, f"{path} has {member.size} bytes, more than {_FILE_LIMIT}")
                    if member.isfile():
                        return archive.extractfile(member).read()  # type: ignore[union-attr]
                    path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
            except tarfile.TarError as error:
                raise UnreachableError(f"{self.path}: {error}") from error
            except ApiError as error:
                if error.status == 404:
                    return None
                raise
        return None

    # containers

    def create(self, name: str, body: Mapping[str, Any]) -> list[str]:
        """Create a container; returns the daemon's warnings."""
        return self.call("POST", "/containers/create", {"name": name}, body=body).get("Warnings") or []

    def start(self, name: str) -> None:
        """Start a container that was created; nothing happens when it runs already."""
        self.call("POST", f"/containers/{name}/start")

    def inspect(self, name: str) -> Mapping[str, Any] | None:
        """Everything known of a container, or None when there is no such container."""
        try:
            return self.call("GET", f"/containers/{name}/json")  # type: ignore[no-any-return]
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def wait(self, name: str) -> None:
        """Block until a container has ended. (Podman looks every ``interval``; Docker ignores it.)"""
        self.call("POST", f"/containers/{name}/wait", {"interval": "20ms"}, timeout=None)

    def kill(self, name: str, signal: str) -> None:
        """Send a signal; a container that is no more, or has ended, is left alone."""
        try:
            self.call("POST", f"/containers/{name}/kill", {"signal": signal})
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def remove(self, name: str) -> None:
        """Remove a container with its anonymous volumes, running or not; none is fine too."""
        try:
            self.call("DELETE", f"/containers/{name}", {"force": 1, "v": 1})
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def containers(self, label: str) -> list[Mapping[str, Any]]:
        """All containers, ended ones too, that carry a label (``key`` or ``key=value``)."""
        filters = json.dumps({"label": [label]})
        return self.call("GET", "/containers/json", {"all": 1, "filters": filters})  # type: ignore[no-any-return]

    @contextmanager
    def attach(self, name: str) -> Iterator[Callable[[int], bytes]]:
        """The output of a container that is about to be started, byte for byte, in frames (see `logs.frames`)."""
        query = {"stream": 1, "stdout": 1, "stderr": 1}
        with self.request("POST", f"/containers/{name}/attach", query, body=b"", timeout=None) as response:
            yield response.read1

    @contextmanager
    def follow(self, name: str) -> Iterator[Callable[[int], bytes]]:
        """The output of a container from its first byte to its end, in frames (see `logs.frames`)."""
        query = {"follow": 1, "stdout": 1, "stderr": 1}
        with self.request("GET", f"/containers/{name}/logs", query, timeout=None) as response:
            yield response.read1

    def stats(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Usage of a running container, about once a second, as long as it runs."""
        with self.request("GET", f"/containers/{name}/stats", {"stream": 1}, timeout=None) as response:
            for line in response:
                if line.strip():
                    yield json.loads(line)


def split_reference(reference: str) -> tuple[str, str]:
    """Name and tag (``latest`` when there is none) or digest of an image's reference."""
    name, at, digest = reference.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    bare = name if colon < 0 else name[:colon]
    if at:
        return bare, digest
    return bare, "latest" if colon < 0 else name[colon + 1 :]


def _read_progress(response: http.client.HTTPResponse) -> list[str]:
    """What a long request says in JSON lines; an error among them is raised."""
    said = []
    for line in response:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if message.get("error"):
            raise ApiError(500, str(message["error"]))
        if message.get("stream"):
            said.append(str(message["stream"]).strip())
    return said


def _message(text: bytes) -> str:
    """The daemon's own words of a refusal."""
    try:
        return str(json.loads(text)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace").strip() or "no reason given"
