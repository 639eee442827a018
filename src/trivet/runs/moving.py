"""Moving files and directories to their final place, so that nothing half-copied bears a final name."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


def move(source: Path, target: Path) -> None:
    """Move a file or directory to a place that is free or an empty directory; a file replaces one. Raises OSError."""
    if target.is_dir() and not target.is_symlink():
        target.rmdir()
    try:
        source.rename(target)
    except OSError:
        # Another file system: copy beside the target first, then rename.
        beside = target.with_name(f".{target.name}.part")
        _remove(beside)  # were it a link, its target would be written
        try:
            if source.is_dir() and not source.is_symlink():
                shutil.copytree(source, beside, symlinks=True)
            else:
                shutil.copy2(source, beside, follow_symlinks=False)
            beside.rename(target)
        except OSError:
            _remove(beside)
            raise


def merge(source: Path, target: Path) -> None:
    """Move everything in a directory into another one that may hold something already; may be repeated.

    A file replaces the one of its name as a whole, directories of one name become one, everything else stays. No link
    below the target is ever followed, so nothing lands outside it; links in the source are moved as links.
    Raises OSError where one side has a directory and the other has none; what was not moved stays in the source.
    """
    with os.scandir(source) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        new, old = Path(entry.path), target / entry.name
        both = [path.is_dir() and not path.is_symlink() for path in (new, old)]
        if all(both):
            merge(new, old)
        elif any(both) and os.path.lexists(old):
            kind = "directory" if both[0] else "file"
            raise FileExistsError(errno.EEXIST, f"the task wrote a {kind}, and this is none", str(old))
        else:
            move(new, old)
    shutil.rmtree(source)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
