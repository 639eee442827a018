"""What making, checking and linting a manifest costs: CPU time against the bare imports of its modules, the public
tool, and, for the lint, which imports nothing, an interpreter that does nothing.

    python benchmarks/manifests.py [--rounds N]

Packages of 1, 20 and 100 tasks are made; each task has nine arguments, an enumeration, three models, a tagged union
and a docstring. All run in one environment, which has the public tool and this checkout. Everything runs from compiled
bytecode.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import environments
from measuring import Row, Sample, cpu, environment, measure, ratio, rounds, table

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ("fractal-task-tools==0.5.1", "docstring-parser==0.18.0", "pydantic==2.14.0", "--editable", str(ROOT))
IMPORT_BOUND = {1: 1.15}
PUBLIC_BOUND = {20: 0.8, 100: 0.7}
LINT_BOUND = {100: 10.0}

TASK = '''\
"""Segment images, way {n}."""

from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, Field, validate_call


class Mode{n}(str, Enum):
    """How to work."""

    FAST = "fast"
    EXACT = "exact"


class Window{n}(BaseModel):
    """A window of intensities.

    What is outside is cut.
    """

    low: int = 0
    """The lowest intensity."""
    high: int = 255
    """The highest intensity."""
    label: str | None = None


class Threshold{n}(BaseModel):
    """Cut at a value."""

    kind: Literal["threshold"] = "threshold"
    value: float = Field(0.5, ge=0, le=1, description="Where to cut.")


class Otsu{n}(BaseModel):
    """Find the cut by the histogram."""

    kind: Literal["otsu"] = "otsu"
    bins: int = 256
    """How many bins the histogram has."""


@validate_call
def task_{n}(
    *,
    zarr_url: str,
    level: int = 0,
    sigma: float = 1.5,
    mode: Mode{n} = Mode{n}.FAST,
    window: Window{n} | None = None,
    method: Annotated[Threshold{n} | Otsu{n}, Field(discriminator="kind")] = Threshold{n}(),
    channels: list[str] = [],
    sizes: dict[str, int] | None = None,
    overwrite: bool = False,
) -> None:
    """Segment an image.

    It is smoothed, cut and labelled.

    Args:
        zarr_url: The image.
            It is changed in place.
        level: Level of the pyramid.
        sigma: Width of the Gaussian in pixels.
        mode: Fast or exact.
        window: Intensities to keep.
        method: How the cut is found.
        channels: Names of the channels.
        sizes: Sizes by name.
        overwrite: Whether labels that are there are replaced.
    """
'''


def package(directory: Path, count: int) -> str:
    """Make a package of that many tasks; its name."""
    name = f"tasks_{count}"
    for folder in (name, f"{name}/dev"):
        (directory / folder).mkdir()
        (directory / folder / "__init__.py").write_text("")
    for number in range(count):
        (directory / name / f"task_{number}.py").write_text(TASK.replace("{n}", str(number)))
    listed = "".join(
        f'    ParallelTask(name="Task {n}", executable="task_{n}.py", meta={{"cpus_per_task": 1}}, category="Image"),\n'
        for n in range(count)
    )
    (directory / name / "dev/task_list.py").write_text(
        "from fractal_task_tools.task_models import ParallelTask\n\n"
        f'AUTHORS = "An Author"\nDOCS_LINK = "https://example.org"\nTASK_LIST = [\n{listed}]\n'
    )
    imports = "".join(f"import {name}.task_{number}\n" for number in range(count))
    (directory / f"import_{name}.py").write_text(f"import {name}.dev.task_list\n{imports}")
    return name


def rows(count: int = 9) -> Iterator[Row]:
    """The ratios, each over ``count`` rounds."""
    try:
        python = environments.python("manifests", REQUIREMENTS)
    except environments.UnavailableError as error:
        yield Row("manifest", "create and check", "the public tool", note=str(error))
        return
    with tempfile.TemporaryDirectory() as place:
        compiled = environment(Path(place) / "bytecode", PYTHONPATH=place)
        for tasks in (1, 20, 100):
            name = package(Path(place), tasks)
            lines = {
                "imports": [str(python), str(Path(place) / f"import_{name}.py")],
                "public create": [str(python.with_name("fractal-manifest")), "create", "--package", name],
                "public check": [str(python.with_name("fractal-manifest")), "check", "--package", name],
                "create": [str(python.with_name("trivet")), "fractal", "manifest", "create", "--package", name],
                "check": [str(python.with_name("trivet")), "fractal", "manifest", "check", "--package", name],
                "lint": [str(python.with_name("trivet")), "check", str(Path(place) / name)],
                "nothing": [str(python), "-c", "pass"],
            }
            contestants: dict[str, Callable[[], Sample]] = {
                what: partial(measure, line, compiled, Path(place)) for what, line in lines.items()
            }
            rounds(contestants, 1)  # compiles, warms the disk's cache, and writes the manifest that is checked
            samples = rounds(contestants, count)
            plural = "task" if tasks == 1 else "tasks"
            for what in ("create", "check"):
                of_imports = ratio(samples[what], samples["imports"], cpu)
                of_public = ratio(samples[what], samples[f"public {what}"], cpu)
                label = f"{what}, {tasks} {plural}"
                yield Row("manifest", label, "importing the modules", of_imports, IMPORT_BOUND.get(tasks))
                yield Row("manifest", label, "the public tool", of_public, PUBLIC_BOUND.get(tasks))
            of_nothing = ratio(samples["lint"], samples["nothing"], cpu)
            label = f"lint, {tasks} {plural}, without importing"
            yield Row("manifest", label, "python -c pass", of_nothing, LINT_BOUND.get(tasks))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    found = list(rows(parser.parse_args().rounds))
    print(table(found))
    return 1 if any(row.verdict == "MISSED" for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
