"""What a unit of a real Fractal task costs with warm workers: CPU time, against units that are cold.

    python benchmarks/warm.py [--quick]

The task measures the nuclei of one image, 64 pixels wide, cut from examples/fractal/nuclei-plate (fractal-tasks-core
2.1.0). A warm run has 50 units, its only import included; a cold one has 10, each of which imports everything.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import environments
from measuring import FailedError, Row, Sample, cpu, environment, measure, ratio, rounds, table, wall

PART = "warm"
ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/fractal/nuclei-plate"
MAKE = """
import sys; from pathlib import Path; from make_plate import write_plate; from make_tiffs import wells
write_plate(Path(sys.argv[1]), {name: image[..., :64, :64] for name, image in wells()[1].items()})
"""
REQUIREMENTS = ("fractal-tasks-core==2.1.0",)
SEGMENT = {"channel": '{"mode": "label", "identifier": "DAPI"}', "output_label_name": "nuclei"}
MEASURE = {"input_label_name": "nuclei", "output_table_name": "nuclei", "overwrite": "true"}
WARM, COLD = 50, 10
BOUND = 0.2


def rows(quick: bool = False) -> Iterator[Row]:
    """The ratio of a warm unit to a cold one."""
    try:
        interpreter = environments.python("fractal-core", REQUIREMENTS)
    except environments.UnavailableError as error:
        yield Row(PART, "a unit", "cold", note=str(error))
        return
    with tempfile.TemporaryDirectory(prefix="trivet-warm-") as scratch:
        bench = _Bench(Path(scratch), interpreter)
        try:
            bench.prepare()
            samples = rounds(
                {"warm": partial(bench.measure, WARM), "cold": partial(bench.measure, COLD, "--cold")},
                1 if quick else 3,
            )
        except FailedError as error:
            yield Row(PART, "a unit", "cold", note=str(error))
            return
    warm, cold = samples["warm"], samples["cold"]
    note = f"{cpu(warm[-1]):.2f} against {cpu(cold[-1]):.2f} s a unit, start-up and {WARM} or {COLD} units included"
    yield Row(PART, f"Measure Features, {WARM} units, CPU of one", "cold", ratio(warm, cold, cpu), BOUND, note)
    yield Row(PART, f"Measure Features, {WARM} units, wall of one", "cold", ratio(warm, cold, wall))


class _Bench:
    """Runs of public tasks on copies of one image."""

    def __init__(self, scratch: Path, interpreter: Path) -> None:
        self.scratch, self.interpreter = scratch, interpreter
        self.environment = environment(environments.cache() / "pycache", TRIVET_HOME=str(scratch / "home"))
        self.images = [str(scratch / "images" / f"{number}.zarr") for number in range(WARM)]

    def prepare(self) -> None:
        """Make one image with labels, and its copies; compile everything. Raises FailedError."""
        plate = self.scratch / "nuclei.zarr"
        measure([str(self.interpreter), "-c", MAKE, str(plate)], {**self.environment, "PYTHONPATH": str(EXAMPLE)})
        image = plate / "B/03/0"
        self.run("Threshold Segmentation", [str(image)], SEGMENT)
        for copy in self.images:
            shutil.copytree(image, copy)
        self.measure(1)

    def measure(self, units: int, *more: str) -> Sample:
        """What one of so many units costs. Raises FailedError."""
        sample = self.run("Measure Features", self.images[:units], MEASURE, *more)
        return replace(sample, cpu=sample.cpu / units, wall=sample.wall / units)

    def run(self, task: str, images: list[str], values: dict[str, str], *more: str) -> Sample:
        given = [f"zarr_url={json.dumps(images)}", *(f"{name}={value}" for name, value in values.items())]
        words = ["-m", "trivet", "run", f"fractal-tasks-core#{task}", "--python", str(self.interpreter), "--json"]
        return measure([sys.executable, "-P", *words, *more, *given], self.environment)


if __name__ == "__main__":
    print(table(list(rows("--quick" in sys.argv))))
