"""The file of a manifest: its text, and what is read from it (manifest tools, 1.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trivet.contracts.fractal.authoring.refused import RefusedError


def text_of(manifest: Any) -> str:
    """A manifest as it stands in its file: indented by two, ASCII only, one line feed at the end."""
    return json.dumps(manifest, indent=2) + "\n"


def read(path: Path) -> Any:
    """The manifest of a file. Raises RefusedError."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}"
        raise RefusedError("F080", message, hint="`create` writes it", said=error) from None
    except ValueError as error:
        raise RefusedError("F081", f"{path} is no JSON: {error}", hint="`create` writes it anew", said=error) from None
