"""Versions of task packages by PEP 440: which is newest, which is meant, and what changes when a task gets another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.version import Version

BECOMES = {"non_parallel": "converter_non_parallel", "compound": "converter_compound"}
"""Types of tasks that a newer version may declare to be converters."""


def newest_first(versions: Iterable[str | None]) -> list[str | None]:
    """Versions from the newest to the oldest; those PEP 440 does not know come behind, None at the end."""
    versions = list(versions)
    known = {version: parsed for version in versions if version is not None and (parsed := parse(version))}
    unknown = sorted((version for version in versions if version is not None and version not in known), reverse=True)
    ordered = sorted((version for version in versions if version in known), key=lambda v: known[v or ""], reverse=True)
    return [*ordered, *unknown, *(version for version in versions if version is None)]


def resolve(available: Iterable[str], requested: str | None = None) -> str:
    """The version that is meant: the newest, or the newest whose release begins with the requested one.

    ``1.2`` is 1.2 itself where that exists, else the newest of 1.2.*, never 1.20. Versions before a release count only
    where there is nothing else, or where they are asked for. Raises ValueError when nothing fits.
    """
    known = {version: parsed for version in available if (parsed := parse(version))}
    if requested is None:
        return _newest(known, "there is no version to choose from")
    wanted = parse(requested)
    if wanted is None:
        raise ValueError(f"{requested!r} is not a version (PEP 440)")
    for version, parsed in known.items():
        if str(parsed) == str(wanted):
            return version
    release = wanted.release
    begun = {
        version: parsed
        for version, parsed in known.items()
        if parsed.epoch == wanted.epoch
        and (parsed.release + (0,) * len(release))[: len(release)] == release
        and (not (wanted.is_prerelease or wanted.is_postrelease or wanted.local) or parsed == wanted)
    }
    shown = ", ".join(version for version in newest_first(known)[:8] if version)
    return _newest(begun, f"there is no version {requested}; there are: {shown or 'none'}")


def parse(version: str) -> Version | None:
    """A version in comparable form; None where PEP 440 does not know it."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return None


def may_become(old: str, new: str) -> bool:
    """Whether a task of a workflow may be replaced by one of another type (Fractal, version update)."""
    return new in (old, BECOMES.get(old))


def carried_over(
    chosen: Mapping[str, Any] | None, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The meta data of a workflow's task after its update (Fractal, version update).

    They are those of the ``new`` task, with what the user had changed or added in the ``chosen`` ones (compared with
    the ``old`` task's), and without what the user had removed. None stands for nothing chosen.
    """
    if chosen is None:
        return dict(new or {})
    old = old or {}
    changed = {name: value for name, value in chosen.items() if name not in old or not _same(value, old[name])}
    dropped = old.keys() - chosen.keys()
    return {name: value for name, value in {**(new or {}), **changed}.items() if name not in dropped}


def _newest(known: Mapping[str, Version], otherwise: str) -> str:
    if not known:
        raise ValueError(otherwise)
    final: Sequence[str] = [version for version, parsed in known.items() if not parsed.is_prerelease]
    return max(final or list(known), key=lambda version: known[version])


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON is: true is not 1."""
    return type(one) is type(other) and bool(one == other)
