"""The contact sheet that `trivet dataset show` draws."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.datasets.images import Image

MOST = 400
"""Images on one sheet."""

PICTURE = "D012"
"""Code of problems: a picture that can't be drawn."""


def write_contact_sheet(images: Sequence[Image], zarr_dir: str, file: str) -> None:
    """Draw the first images on one PNG; those that can't be drawn are told, their places stay empty.

    Raises ProblemsError when the extra is not installed or the file can't be written.
    """
    from trivet.cli.dataset_words import counted, tell
    from trivet.contracts.fractal.thumbnails import contact_sheet, thumbnail

    try:
        import PIL
        import zarr  # noqa: F401
    except ImportError as error:
        message = f"a contact sheet needs {error.name}"
        raise ProblemsError([Problem(PICTURE, message, hint="pip install 'trivet[pictures]'")]) from None
    drawn: list[tuple[str, PIL.Image.Image | None]] = []
    for image in images[:MOST]:
        words = image.zarr_url.removeprefix(zarr_dir.rstrip("/") + "/")
        try:
            if image.zarr_url.startswith("s3://"):
                raise ValueError("only images on this machine are drawn")
            drawn.append((words, thumbnail(Path(image.zarr_url))))
        except Exception as error:  # zarr and its codecs raise whatever they like at broken data
            tell([Problem(PICTURE, f"no picture of it: {error}", "warning", file=image.zarr_url)])
            drawn.append((words, None))
    try:
        contact_sheet(drawn).save(file, format="PNG")
    except OSError as error:
        raise ProblemsError([Problem(PICTURE, f"the file can't be written: {error.strerror}", file=file)]) from None
    more = "" if len(images) <= MOST else f", the first of {len(images)}"
    print(f"{file}: {counted(drawn)}{more}", file=sys.stderr)
