"""Measuring a channel for a scale rule: CPU time against pathlib's glob, a regular expression and one stat per file.

    python benchmarks/channels.py [--files N] [--rounds N]

Both sides measure the same tree in turns and must find the same number; each is a process of its own that times the
measuring alone. Peak memory is that of our process for the whole tree, against a hundredth of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from measuring import FailedError, Row, Sample, environment, measure, ratio, rounds, table

BOUND, FLAT = 0.35, 1.05
FILES, IN_ITEM = 100_000, 100
RULES = {
    "sum, *": ("sum", "*", ".*"),
    "sum, * and a regular expression": ("sum", "*", r".*\.dcm"),
    "max_item_sum, *.dcm": ("max_item_sum", "*.dcm", ".*"),
}

OURS = """
import json, sys, time
from trivet.contracts.kaapana.measuring import measure
from trivet.contracts.kaapana.model import ScaleRule
channel, mode, glob, regex = sys.argv[1:]
begin = time.process_time()
n = measure(channel, ScaleRule("1", 1, "limit", mode, "", regex, glob)).n
print(json.dumps({"n": n, "cpu": time.process_time() - begin}))
"""
THEIRS = """
import json, re, stat, sys, time
from pathlib import Path

def total(root):
    kept, found = re.compile(regex), 0
    for path in root.rglob(glob):
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and kept.fullmatch(path.relative_to(root).as_posix()):
            found += status.st_size
    return found

channel, mode, glob, regex = sys.argv[1:]
begin = time.process_time()
root = Path(channel)
n = total(root) if mode == "sum" else max(map(total, filter(Path.is_dir, root.iterdir())))
print(json.dumps({"n": n, "cpu": time.process_time() - begin}))
"""


def make(channel: Path, files: int) -> Path:
    """A channel of so many small files, a hundred in each item."""
    for item in range(files // IN_ITEM):
        directory = channel / f"item-{item:05d}" / "series"
        directory.mkdir(parents=True)
        for number in range(IN_ITEM):
            (directory / f"{number:04d}.dcm").write_bytes(b"x" * (number % 8 + item % 5))
    return channel


def rows(files: int = FILES, count: int = 5) -> list[Row]:
    """The ratios, each over ``count`` rounds."""
    with tempfile.TemporaryDirectory() as place:
        compiled = environment(Path(place) / "bytecode")
        large, small = make(Path(place) / "large", files), make(Path(place) / "small", files // 100)
        found = []
        for name, words in RULES.items():

            def contestant(program: str, channel: Path, words: Sequence[str] = words) -> Callable[[], Sample]:
                return partial(measure, [sys.executable, "-c", program, str(channel), *words], compiled)

            contestants = {"ours": contestant(OURS, large), "theirs": contestant(THEIRS, large)}
            contestants["small"] = contestant(OURS, small)
            rounds(contestants, 1)  # compiles, and warms the disk's cache
            samples = rounds(contestants, count)
            if {sample.said["n"] for sample in samples["ours"]} != {sample.said["n"] for sample in samples["theirs"]}:
                raise FailedError(f"{name}: the two sides find different numbers")
            what = f"{files:,} files, {name}"
            spent = ratio(samples["ours"], samples["theirs"], lambda sample: float(sample.said["cpu"]))
            found.append(Row("channels", what, "rglob, regex, stat", spent, BOUND))
            grown = ratio(samples["ours"], samples["small"], lambda sample: float(sample.peak))
            found.append(Row("channels", f"peak memory, {name}", f"{files // 100:,} files", grown, FLAT))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = rows(given.files, given.rounds)
    print(table(found))
    return 1 if any(row.verdict == "MISSED" for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
