"""Datasets as directories: every version of an image list, written once and never changed.

::

    dataset.json         name, zarr_dir, when it was made
    versions/<n>.jsonl   first line: number, time, who made it and why; then the images that changed, or all of them

A version appears as a whole, by a link that fails when somebody else made that version first: there is nothing to
lock, and nothing stays locked when a process is killed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.datasets.changes import Changes
from trivet.datasets.exchange import Content, name_fault
from trivet.datasets.imagelist import ImageList, apply
from trivet.datasets.images import Image
from trivet.datasets.urls import is_within
from trivet.records import UnreadableError, cycles, files
from trivet.tasks.problem import closest

FORMAT = 1
SMALLEST = 100
"""Lines of changes that are always kept as changes, however short the list is."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class ConflictError(RuntimeError):
    """Somebody else has made the next version of the dataset."""


class DamagedError(UnreadableError):
    """A file of a dataset that can't be understood."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the first line of a version says. ``by`` names who made it: a command, or ``job`` and ``step``.

    ``lines`` follow it; ``full`` when they are the whole list. ``images`` counts the list. ``at`` is in seconds since
    the epoch.
    """

    number: int
    at: float
    by: Mapping[str, Any]
    lines: int
    full: bool
    images: int


@dataclass(frozen=True, slots=True)
class Version:
    """The image list of a dataset at one time."""

    head: Head
    images: ImageList


@dataclass(frozen=True, slots=True)
class DatasetDirectory:
    """A dataset's directory; ``path`` is absolute."""

    path: Path

    @classmethod
    def create(cls, home: Path, content: Content, now: float, by: Mapping[str, Any]) -> DatasetDirectory:
        """A new dataset below ``home``, named by its name. Raises FileExistsError, other OSErrors."""
        place = home / "datasets"
        place.mkdir(parents=True, exist_ok=True)
        hidden = cls(Path(tempfile.mkdtemp(prefix=".new-", dir=place)))
        try:
            hidden.path.chmod(0o755)
            (hidden.path / "versions").mkdir()
            header = {"format": FORMAT, "name": content.name, "zarr_dir": content.zarr_dir, "created": now}
            files.write_json(hidden.path / "dataset.json", header)
            hidden._link(
                Head(1, now, by, len(content.images), True, len(content.images)), map(_line, content.images.values())
            )
            try:
                hidden.path.rename(place / content.name)
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise FileExistsError(errno.EEXIST, "there is such a dataset", str(place / content.name)) from None
                raise
        finally:
            shutil.rmtree(hidden.path, ignore_errors=True)
        files.sync_directory(place)
        return cls(place / content.name)

    def header(self) -> Mapping[str, Any]:
        """``name``, ``zarr_dir`` and ``created``. Raises FileNotFoundError, DamagedError."""
        path = self.path / "dataset.json"
        try:
            header = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DamagedError(f"{path} is damaged: {error}") from None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise DamagedError(f"{path} has another format than {FORMAT}, which this version of Trivet reads")
        return header

    @property
    def zarr_dir(self) -> str:
        """The directory below which all images lie."""
        return str(self.header()["zarr_dir"])

    def heads(self) -> list[Head]:
        """What is known of each version, the oldest first. Raises OSError, DamagedError."""
        heads = [_head(self._file(number)) for number in self._numbers()]
        if [head.number for head in heads] != [*range(1, len(heads) + 1)] or not heads or not heads[0].full:
            raise DamagedError(f"{self.path / 'versions'} is damaged: a version is missing")
        return heads

    def read(self, number: int | None = None) -> Version:
        """The newest version, or that of a number. Raises KeyError when there is none, OSError, DamagedError."""
        heads = self.heads()
        if number is not None:
            if not 1 <= number <= len(heads):
                raise KeyError(number)
            heads = heads[:number]
        begin = max(position for position, head in enumerate(heads) if head.full)
        images: dict[str, Image] = {}
        for head in heads[begin:]:
            _replay(images, self._lines(head))
        return Version(heads[-1], images)

    def write(self, before: Version, images: ImageList, now: float, by: Mapping[str, Any]) -> Version:
        """Make the next version after ``before``. Raises ConflictError when somebody else did so first, OSError."""
        changed, reordered = _difference(before.images, images)
        pending = sum(head.lines for head in self._since_full()) + len(changed)
        full = reordered or pending > max(SMALLEST, len(images))
        head = Head(before.head.number + 1, now, by, len(images) if full else len(changed), full, len(images))
        self._link(head, map(_line, images.values()) if full else changed)
        return Version(head, images)

    def edit(self, work: Callable[[ImageList], ImageList], now: float, by: Mapping[str, Any]) -> Version:
        """Make a version of what ``work`` makes of the newest one; it is asked again when somebody else was faster.

        Nothing is written when nothing changed. Raises what ``work`` raises, OSError.
        """
        while True:
            before = self.read()
            after = work(before.images)
            if _difference(before.images, after) == ([], False):
                return before
            try:
                return self.write(before, after, now, by)
            except ConflictError:
                continue

    def apply(
        self, changes: Changes, job: str, step: int, now: float, output_types: Mapping[str, bool] | None = None
    ) -> Version:
        """Apply what a step of a job wants changed, once: a second time nothing happens.

        Raises ValueError when it can't be applied, OSError.
        """
        zarr_dir = self.zarr_dir
        return self.apply_once(lambda images: apply(images, changes, zarr_dir, output_types), job, step, now)

    @cycles.none_expected()
    def apply_once(self, work: Callable[[ImageList], ImageList], job: str, step: int, now: float) -> Version:
        """Make the version of what ``work`` makes of the newest one, once for a step of a job.

        A second time nothing is written, and ``work`` is asked once more with the images it had then; it is also asked
        again when somebody else made a version at the same time. Raises what ``work`` raises, OSError.
        """
        while True:
            made = self._made_by(job, step)
            if made is not None:
                return Version(made, work(self.read(made.number - 1).images))
            before = self.read()
            try:
                return self.write(before, work(before.images), now, {"job": job, "step": step})
            except ConflictError:
                continue

    def applied(self, job: str, step: int) -> bool:
        """Whether a step of a job has been applied."""
        return self._made_by(job, step) is not None

    def _made_by(self, job: str, step: int) -> Head | None:
        found = (head for head in self.heads() if head.by.get("job") == job and head.by.get("step") == step)
        return next(found, None)

    def _lines(self, head: Head) -> Iterator[dict[str, Any]]:
        path = self._file(head.number)
        number = 1
        with path.open(encoding="utf-8", errors="surrogateescape") as stream:
            stream.readline()
            for number, line in enumerate(stream, 2):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DamagedError(f"{path}:{number} is damaged: {error}") from None
        if number != head.lines + 1:
            raise DamagedError(f"{path} is damaged: {number - 1} lines follow the first, and not {head.lines}")

    def _numbers(self) -> list[int]:
        entries = (self.path / "versions").iterdir()
        return sorted(int(entry.stem) for entry in entries if entry.suffix == ".jsonl" and entry.stem.isdigit())

    def _file(self, number: int) -> Path:
        return self.path / "versions" / f"{number}.jsonl"

    def _since_full(self) -> list[Head]:
        heads: list[Head] = []
        for number in reversed(self._numbers()):
            head = _head(self._file(number))
            if head.full:
                break
            heads.append(head)
        return heads

    def _link(self, head: Head, lines: Iterable[str]) -> None:
        directory = self.path / "versions"
        first = {
            "format": FORMAT, "version": head.number, "t": head.at, "by": dict(head.by), "lines": head.lines,
            "full": head.full, "images": head.images,
        }  # fmt: skip
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=directory)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors=files.LONE) as stream:
                stream.write(_encode(first) + "\n")
                stream.writelines(f"{line}\n" for line in lines)
                stream.flush()
                os.fchmod(stream.fileno(), 0o644)
                os.fsync(stream.fileno())
            os.link(name, self._file(head.number))
        except FileExistsError:
            raise ConflictError(f"version {head.number} of {self.path.name} has just been made") from None
        finally:
            os.unlink(name)  # noqa: PTH108
        files.sync_directory(directory)


def find(home: Path, word: str) -> DatasetDirectory:
    """The dataset of a name below ``home``, or the one whose directory a word with a ``/`` names.

    Raises LookupError, which tells what there is.
    """
    path = Path(word).absolute() if "/" in word else home / "datasets" / word
    if not name_fault(path.name) and os.path.isfile(path / "dataset.json"):  # noqa: PTH113 (never raises)
        return DatasetDirectory(path)
    names = [dataset.path.name for dataset in every(home)]
    hint = closest(word, names) or "there is none yet: trivet dataset create, import or scan makes one"
    raise LookupError(f"there is no dataset {word!r}; {hint}")


def every(home: Path) -> list[DatasetDirectory]:
    """All datasets below ``home``, by name."""
    try:
        entries = sorted((home / "datasets").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = (entry for entry in entries if not entry.name.startswith(".") and (entry / "dataset.json").exists())
    return [DatasetDirectory(entry) for entry in found]


def neighbours(home: Path, zarr_dir: str) -> list[DatasetDirectory]:
    """The datasets whose directory is this one, holds it, or lies within it; those that can't be read are left out."""
    found = []
    for dataset in every(home):
        try:
            other = dataset.zarr_dir
        except (OSError, ValueError):
            continue
        if is_within(other, zarr_dir) or is_within(zarr_dir, other):
            found.append(dataset)
    return found


def _line(image: Image) -> str:
    line: dict[str, Any] = {"url": image.zarr_url}
    if image.origin is not None:
        line["origin"] = image.origin
    if image.attributes:
        line["attributes"] = dict(image.attributes)
    if image.types:
        line["types"] = dict(image.types)
    return _encode(line)


def _difference(before: ImageList, after: ImageList) -> tuple[list[str], bool]:
    """The lines that lead from one list to another, and whether known images change places, which lines can't say."""
    lines = [_encode({"removed": url}) for url in before if url not in after]
    for url, image in after.items():
        known = before.get(url)
        if known is not image:
            line = _line(image)
            if known != image or _line(known) != line:  # what is equal is compared as text, since true is not 1
                lines.append(line)
    kept = [url for url in before if url in after]
    return lines, kept != list(after)[: len(kept)]


def _replay(images: dict[str, Image], lines: Iterable[Mapping[str, Any]]) -> None:
    for line in lines:
        if "removed" in line:
            del images[line["removed"]]
        else:
            url = line["url"]
            images[url] = Image(url, line.get("origin"), line.get("attributes", {}), line.get("types", {}))


def _head(path: Path) -> Head:
    with path.open("rb") as stream:
        try:
            first = json.loads(stream.readline())
            if first["format"] != FORMAT:
                raise ValueError(f"it has format {first['format']}; this version of Trivet reads {FORMAT}")
            return Head(first["version"], first["t"], first["by"], first["lines"], first["full"], first["images"])
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"{path} is damaged: {error}") from None
