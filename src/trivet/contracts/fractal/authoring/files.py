"""The file of a manifest: its text, and what is read from it (manifest tools, 1.2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trivet.contracts.fractal.authoring.refused import RefusedError

_ENCODE = json.JSONEncoder().encode


def text_of(manifest: Any) -> str:
    """A manifest as it stands in its file: indented by two, ASCII only, one line feed at the end."""
    pieces: list[str] = []
    _lay_out(manifest, "\n", pieces.append)
    return "".join(pieces) + "\n"


def _lay_out(value: Any, line: str, write: Callable[[str], object]) -> None:
    """What `json.dumps(value, indent=2)` gives, in a third of its time: only leaves are left to it."""
    inner = line + "  "
    if isinstance(value, dict) and value:
        opening = "{"
        for key, member in value.items():
            write(f"{opening}{inner}{_ENCODE(key) if isinstance(key, str) else _key(key)}: ")
            _lay_out(member, inner, write)
            opening = ","
        write(line + "}")
    elif isinstance(value, list | tuple) and value:
        opening = "["
        for member in value:
            write(opening + inner)
            _lay_out(member, inner, write)
            opening = ","
        write(line + "]")
    else:
        write(_ENCODE(value))


def _key(key: Any) -> str:
    """A key that is no text, as text."""
    return _ENCODE({key: 0})[1:].rpartition(":")[0]


def read(path: Path) -> Any:
    """The manifest of a file. Raises RefusedError."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}"
        raise RefusedError("F080", message, hint="`create` writes it", said=error) from None
    except ValueError as error:
        raise RefusedError("F081", f"{path} is no JSON: {error}", hint="`create` writes it anew", said=error) from None
