"""What a reference to an image says: its registry, its name there, a tag or a digest."""

from __future__ import annotations

import re
from typing import NamedTuple

HUB = "docker.io"
"""The registry that is meant where a reference names none."""

_HUB_NAMES = (HUB, "index.docker.io", "registry-1.docker.io")
_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+|/)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?", re.ASCII)


class Reference(NamedTuple):
    """An image in a registry. ``digest`` is empty where only a tag is given."""

    host: str
    name: str
    tag: str
    digest: str

    @property
    def version(self) -> str:
        """What identifies the image within its name: the digest where there is one."""
        return self.digest or self.tag


def parse(reference: str) -> Reference:
    """The parts of a reference, with Docker's defaults. Raises ValueError, which says what is wrong."""
    rest, at, digest = reference.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is not a digest (sha256: and 64 digits)")
    first, slash, path = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, rest = first, path
    else:
        host = HUB
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is not the address of a registry")
    name, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is not a tag")
    host = host_of(host)
    if host == HUB and "/" not in name:
        name = f"library/{name}"
    if len(name) > 255 or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name.removeprefix('library/')!r} is not the name of an image (lower-case letters and digits)"
        )
    return Reference(host, name, tag if colon else ("" if at else "latest"), digest)


def host_of(server: str) -> str:
    """The registry that a user means by a host, a URL, or a host with a path, in one spelling."""
    host = re.sub(r"^[a-z]+://", "", server.strip(), flags=re.IGNORECASE).partition("/")[0].lower()
    return HUB if host in _HUB_NAMES else host


def is_loopback(host: str) -> bool:
    """True for a registry on this machine, which is spoken to without TLS, as Docker does."""
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name in {"localhost", "::1"} or re.fullmatch(r"127(\.[0-9]{1,3}){3}", name) is not None
