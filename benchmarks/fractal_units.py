"""What trivial units of a Fractal task cost, with warm workers and without, against xargs that starts the same script.

    python benchmarks/fractal_units.py [--quick]

The script is of the standard library alone: it reads its arguments and writes its output. Trivet's time is that of a
whole run of a parallel task: its arguments checked and written, its units started, their outputs read and folded.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from environments import cache
from measuring import FailedError, Row, Sample, cpu, environment, mean, measure, ratio, rounds, table, wall

PART = "fractal"
UNITS = 1000
BOUNDS = {("warm", "CPU"): 0.6, ("warm", "wall"): 0.5, ("cold", "CPU"): 1.15, ("cold", "wall"): 1.15}
SCRIPT = """
import argparse
import json


def trivial(*, zarr_url):
    return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": {"seen": "yes"}}]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--args-json", required=True)
    parser.add_argument("--out-json", required=True)
    given = parser.parse_args()
    with open(given.args_json) as file:
        arguments = json.load(file)
    with open(given.out_json, "w") as file:
        json.dump(trivial(**arguments), file)
"""
SCHEMA = {
    "type": "object",
    "properties": {"zarr_url": {"type": "string", "title": "Zarr Url"}},
    "required": ["zarr_url"],
    "additionalProperties": False,
    "title": "Trivial",
}
MANIFEST = {
    "manifest_version": "2",
    "has_args_schemas": True,
    "args_schema_version": "pydantic_v2",
    "task_list": [
        {
            "name": "Trivial",
            "type": "parallel",
            "executable_parallel": "trivial.py",
            "args_schema_parallel": SCHEMA,
            "meta_parallel": {},
        }
    ],
}
XARGS = 'seq 0 $(($1 - 1)) | xargs -P2 -I{} "$2" "$3" --args-json "$4/{}.json" --out-json "$5/{}.out.json"'


def rows(quick: bool = False) -> Iterator[Row]:
    """CPU and wall time of both ways, as ratios to xargs in the same round."""
    with tempfile.TemporaryDirectory(prefix="trivet-fractal-") as scratch:
        bench = _Bench(Path(scratch), 200 if quick else UNITS)
        # The load of a shared machine changes during a round: the floor is the mean of one before and one after.
        contestants = {"before": bench.xargs, "warm": bench.trivet, "cold": partial(bench.trivet, "--cold")}
        try:
            for contestant in contestants.values():
                contestant()  # compiles bytecode
            samples = rounds({**contestants, "after": bench.xargs}, 1 if quick else 3)
        except FailedError as error:
            yield Row(PART, "trivial units", "xargs -P2", note=str(error))
            return
    floor = [mean(*pair) for pair in zip(samples["before"], samples["after"], strict=True)]
    for way in ("warm", "cold"):
        for kind, of in (("CPU", cpu), ("wall", wall)):
            bound = None if quick else BOUNDS[way, kind]
            ours, theirs = of(samples[way][-1]) / bench.units * 1e3, of(floor[-1]) / bench.units * 1e3
            note = f"{ours:.2f} against {theirs:.2f} ms a unit"
            what = f"{bench.units:,} trivial units, {way}, {kind}"
            yield Row(PART, what, "xargs -P2", ratio(samples[way], floor, of), bound, note)


class _Bench:
    """A package with one task, arguments for it, and ways to run it on all of them."""

    def __init__(self, scratch: Path, units: int) -> None:
        self.scratch, self.units = scratch, units
        self.package, self.arguments = scratch / "trivial_tasks", scratch / "arguments"
        for directory in (self.package, self.arguments):
            directory.mkdir()
        (self.package / "trivial.py").write_text(SCRIPT)
        (self.package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
        images = [f"/plate/{number}" for number in range(units)]
        for number, image in enumerate(images):
            (self.arguments / f"{number}.json").write_text(json.dumps({"zarr_url": image}))
        (scratch / "values.json").write_text(json.dumps({"zarr_url": images}))
        self.environment = environment(cache() / "pycache", TRIVET_HOME=str(scratch / "home"))

    def xargs(self) -> Sample:
        out = tempfile.mkdtemp(dir=self.scratch)
        script = str(self.package / "trivial.py")
        words = [str(self.units), sys.executable, script, str(self.arguments), out]
        return measure(["sh", "-c", XARGS, "sh", *words], self.environment)

    def trivet(self, *more: str) -> Sample:
        given = (f"{self.package}#Trivial", "--values", str(self.scratch / "values.json"), "--slots", "2", "--json")
        return measure([sys.executable, "-P", "-m", "trivet", "run", *given, *more], self.environment)


if __name__ == "__main__":
    print(table(list(rows("--quick" in sys.argv))))
