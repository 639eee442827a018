"""Small image archives for tests, made without any engine: layers, docker save, OCI layout."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COMMANDS = "sh true false sleep cat echo id dd ls head kill env wc touch mkdir tr setsid printf seq rm chmod chown"


class Link(str):
    """The target of a symbolic link, as the content of a layer's member."""

    __slots__ = ()


def layer(files: Mapping[str, bytes | Link]) -> bytes:
    """A layer: executable files by path, symbolic links, directories (names that end in ``/``)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(content, Link):
                info.type, info.linkname = tarfile.SYMTYPE, str(content)
                tar.addfile(info)
            elif name.endswith("/"):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def configuration(layers: Sequence[bytes], **config: Any) -> bytes:
    """An image's configuration for uncompressed layers and this machine; ``config`` holds Cmd, Entrypoint, User …"""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    digests = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
    content = {
        "architecture": machine,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    return json.dumps(content).encode()


def docker_archive(path: Path, layers: Sequence[bytes], tags: Sequence[str] = ("test/image:1",), **config: Any) -> Path:
    """An image as `docker save` writes it."""
    text = configuration(layers, **config)
    digest = hashlib.sha256(text).hexdigest()
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": f"{digest}.json", "RepoTags": list(tags), "Layers": names}]
    members = {
        f"{digest}.json": text,
        **dict(zip(names, layers, strict=True)),
        "manifest.json": json.dumps(manifest).encode(),
    }
    return write_tar(path, members)


def blob(members: dict[str, bytes], content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """Add a blob to the members of an OCI layout; returns its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    members[f"blobs/sha256/{digest}"] = content
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar of plain files."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def busybox_archive(path: Path, **config: Any) -> Path:
    """An image that holds this machine's static busybox and its usual commands, nothing else.

    Raises FileNotFoundError when there is no busybox (Debian: busybox-static).
    """
    binary = shutil.which("busybox")
    if binary is None:
        raise FileNotFoundError("there is no busybox on this machine (Debian: apt-get install busybox-static)")
    links = {f"bin/{name}": Link("busybox") for name in _COMMANDS.split()}
    users = {"etc/passwd": b"root:x:0:0::/:/bin/sh\nworker:x:1234:1234::/:/bin/sh\n", "tmp/": b""}
    layers = [layer({"bin/busybox": Path(binary).read_bytes(), **links, **users})]
    return docker_archive(path, layers, **{"Cmd": ["sh"], "Env": ["PATH=/bin"], **config})
