"""What the layers of an image say together about one path (OCI Image Format, Layer Filesystem Changeset)."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Sequence
from typing import IO, cast

from trivet.images.opening import ImageError, plain_name

FILE_LIMIT = 64 * 2**20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"

_Entry = bytes | str | None
"""A file's content, where a link leads, or None for anything else (a directory, a device)."""


class Layer:
    """What one layer says about a path and the directories above it."""

    def __init__(self, wanted: str) -> None:
        parts = wanted.split("/")
        self._watched = {"/".join(parts[: count + 1]) for count in range(len(parts))}
        self._wanted = wanted
        self.entries: dict[str, _Entry] = {}
        self.removed: set[str] = set()
        self.emptied: set[str] = set()

    def see(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Look at the next member of the layer. Raises ImageError for the wanted file when it is too large."""
        directory, _, base = member.name.rpartition("/")
        if base.startswith(_WHITEOUT):
            folder = plain_name(directory)
            if base == _OPAQUE:
                self.emptied.add(folder)
            else:
                self.removed.add(posixpath.join(folder, base.removeprefix(_WHITEOUT)))
            return
        name = posixpath.normpath(member.name).lstrip("/")
        if name not in self._watched:
            return
        if member.issym():
            self.entries[name] = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), member.linkname))
        elif member.islnk():
            self.entries[name] = posixpath.normpath("/" + member.linkname)
        elif member.isfile() and name == self._wanted:
            if member.size > FILE_LIMIT:
                raise ImageError(f"{name} has {member.size} bytes, more than {FILE_LIMIT}")
            self.entries[name] = cast(IO[bytes], tar.extractfile(member)).read()
        else:
            self.entries[name] = None


def settled(layers: Sequence[Layer], wanted: str) -> bool:
    """True when no layer below these, the lowest first, can change what they say about a path."""
    parts = wanted.split("/")
    above = ["/".join(parts[:count]) for count in range(len(parts))]
    tree = Tree(layers)
    if tree.says(wanted) or any(tree.leads_on(name) for name in above):
        return True
    return any(layer.removed & {*above, wanted} or layer.emptied & set(above) for layer in layers)


class Tree:
    """The layers put on each other, the lowest first."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._entries: dict[str, _Entry] = {}
        for layer in layers:
            for name in layer.removed:
                self._drop(name, itself=True)
            for name in layer.emptied:
                self._drop(name, itself=False)
            for name, entry in layer.entries.items():
                if entry is not None:
                    self._drop(name, itself=True)
                self._entries[name] = entry

    def look(self, wanted: str) -> _Entry:
        """The content of the wanted file, or the path to look at instead (a link), or None when there is no file."""
        parts = wanted.split("/")
        for count in range(1, len(parts)):
            above = "/".join(parts[:count])
            target = self._entries.get(above)
            if isinstance(target, str):
                return plain_name(posixpath.join(target, *parts[count:]))
        found = self._entries.get(wanted)
        return plain_name(found) if isinstance(found, str) else found

    def says(self, name: str) -> bool:
        """True when a layer holds this path."""
        return name in self._entries

    def leads_on(self, name: str) -> bool:
        """True when the path is a link."""
        return isinstance(self._entries.get(name), str)

    def _drop(self, name: str, itself: bool) -> None:
        below = name + "/" if name else ""
        for known in list(self._entries):
            if known.startswith(below) or (itself and known == name):
                del self._entries[known]
