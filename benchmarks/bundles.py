"""What checking a Cytomine bundle and judging a large image cost: time against `unzip -t`, memory against a bound.

    python benchmarks/bundles.py [--size GIB] [--rounds N]

The bundle is stored, not deflated, and holds an image of that size; the TIFF has two gigabytes with its directory at
the end. Both are written where temporary files go.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from measuring import Row, Sample, environment, measure, ratio, rounds, table, wall
from startup import DESCRIPTOR, program

GIB = 1024**3
TIME_BOUND = 1.2
BUNDLE_MEMORY, IMAGE_MEMORY = 100e6, 50e6
BLOCK = 2**20


def rows(size: float = 4.0, count: int = 3) -> list[Row]:
    """The ratios for a bundle of ``size`` GiB, over ``count`` rounds."""
    found = []
    with tempfile.TemporaryDirectory(prefix="trivet-bundles-") as place:
        compiled = environment(Path(place) / "bytecode")
        path = bundle(Path(place) / "org.example.sums-1.0.0.zip", int(size * GIB))
        ours = partial(measure, [*program(), "check", str(path)], compiled)
        contestants = {"trivet": ours}
        if shutil.which("unzip"):
            contestants["unzip"] = partial(measure, ["unzip", "-tq", str(path)], compiled)
        measure([*program(), "--version"], compiled)
        samples = rounds(contestants, count)
        what, note = "trivet check BUNDLE", f"{size:g} GiB, stored"
        if "unzip" in samples:
            found.append(
                Row("bundles", what, "unzip -t", ratio(samples["trivet"], samples["unzip"], wall), TIME_BOUND, note)
            )
        else:
            found.append(Row("bundles", what, "unzip -t", note="there is no unzip"))
        found.append(_memory(what, samples["trivet"], BUNDLE_MEMORY))
        path.unlink()
        found.append(_image(Path(place), compiled))
    return found


def bundle(path: Path, size: int) -> Path:
    """A bundle of a descriptor and an image of one layer of ``size`` bytes, as docker save writes it."""
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("org.example.sums-1.0.0.tar", "w", force_zip64=True) as stream:
            _write_image(stream, size)
        archive.writestr("descriptor.yml", DESCRIPTOR)
    return path


def _write_image(stream: IO[bytes], size: int) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    text = {"os": "linux", "architecture": machine, "config": {"Entrypoint": ["/run"]}, "rootfs": {"type": "layers"}}
    config = json.dumps(text).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["org/example/sums:1.0.0"], "Layers": ["layer.tar"]}]
    small = {name: config, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        layer = tarfile.TarInfo("layer.tar")
        layer.size = size
        tar.addfile(layer, _Blocks(size))  # type: ignore[arg-type]
        for member, content in small.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, _Blocks(len(content), iter([content])))  # type: ignore[arg-type]


class _Blocks:
    """So many bytes that no compression would shrink."""

    def __init__(self, size: int, blocks: Iterator[bytes] | None = None) -> None:
        self._left, self._blocks, self._block = size, blocks, os.urandom(BLOCK)

    def read(self, size: int) -> bytes:
        block = next(self._blocks) if self._blocks else self._block[: min(size, self._left, BLOCK)]
        self._left -= len(block)
        return block


def _image(place: Path, compiled: Mapping[str, str]) -> Row:
    """How much memory it takes to learn the dimensions of a 2 GB TIFF."""
    path = place / "large.tif"
    with path.open("wb") as stream:
        end = 2 * GIB - 64
        stream.write(struct.pack("<2sHI", b"II", 42, end))
        stream.seek(end)
        stream.write(struct.pack("<HHHIIHHIII", 2, 256, 4, 1, 40_000, 257, 4, 1, 30_000, 0))
    code = (
        "from trivet.contracts.cytomine.judging import Judge; from trivet.tasks.types import Image;"
        "from trivet.tasks.values import FileRef; import sys; judge = Judge();"
        "judge.judge(Image(('tiff',), None, 39_999, 40_000), FileRef(sys.argv[1]), ('inputs', 'image'));"
        "assert [problem.code for problem in judge.problems] == ['C212'], judge.problems"
    )
    sample = measure([sys.executable, "-c", code, str(path)], compiled)
    return _memory("dimensions of a TIFF of 2 GB", [sample], IMAGE_MEMORY)


def _memory(what: str, samples: list[Sample], bound: float) -> Row:
    peak = max(sample.peak for sample in samples)
    return Row("bundles", f"{what}, memory", f"{bound / 1e6:.0f} MB", peak / bound, 1.0, f"{peak / 1e6:.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=4.0, metavar="GIB")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found = rows(given.size, given.rounds)
    print(table(found))
    return 1 if any(row.verdict == "MISSED" for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
