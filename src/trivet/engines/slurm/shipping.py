"""The runner of jobs as one file: the worker's modules in a zip that Python starts, nothing else is on the nodes."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from trivet.engines.slurm.submission import save

_MAIN = """import sys

if sys.version_info < (3, 9):
    sys.exit("Python 3.9 or later is needed on the nodes, and %s is %s: name another as `python` in the "
             "configuration of the site (--site)" % (sys.executable, sys.version.split()[0]))

import worker_batch

sys.exit(worker_batch.main())
"""


@cache
def runner() -> bytes:
    """The zip file; the same bytes for the same modules."""
    modules = sorted(Path(__file__).resolve().parents[1].glob("worker_*.py"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in modules} | {"__main__.py": _MAIN}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def ship(place: Path) -> Path:
    """Put the runner into a directory of the shared file system, unless it is there. Raises OSError.

    Its name says what is in it, so a later Trivet puts its own beside those that jobs still use.
    """
    data = runner()
    path = place / f"runner-{sha256(data).hexdigest()[:12]}.pyz"
    if not path.exists():
        save(path, data)
    return path
