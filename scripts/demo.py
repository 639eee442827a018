"""The main job on real images, by the command line only: one task of each contract. Started by ``make demo``.

Every command is printed before it is run. Results go to demo-results/, which is made anew each time.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import demo_pictures as pictures

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = Path("examples")
RESULTS = Path("demo-results")
PICTURES = RESULTS / "pictures"
ENVIRONMENT = Path(".venv-tiny-tasks")
NO_ENGINE = "not run: no container engine (install docker.io or podman)"


built: set[str] = set()


class Failed(Exception):
    """A command of the demonstration did not do what it should; the message says which."""


@dataclass
class Report:
    """What one contract's part gave: lines to print at the end."""

    title: str
    lines: list[str] = field(default_factory=list)
    failed: bool = False


def main() -> int:
    os.chdir(ROOT)
    shutil.rmtree(RESULTS, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    environment = os.environ
    environment["TRIVET_HOME"] = str(ROOT / RESULTS)
    environment["PATH"] = f"{ROOT / '.venv/bin'}{os.pathsep}{environment['PATH']}"
    runtime = container_runtime()
    reports = [attempt(fractal, "Fractal: tiny-tasks")]
    for title, part in (("Kaapana: dicom-tools", kaapana), ("Cytomine: count-nuclei", cytomine)):
        reports.append(attempt(part, title, runtime) if runtime else Report(title, [NO_ENGINE]))
    heading("All runs")
    trivet("runs")
    heading("Where the results are")
    for report in reports:
        print(f"{report.title}\n" + "".join(f"  {line}\n" for line in report.lines))
    print(f"Run records\n  {RESULTS}/runs/*/run.json\n  look again: TRIVET_HOME={RESULTS} .venv/bin/trivet runs")
    return 1 if any(report.failed for report in reports) else 0


def attempt(part, title: str, *arguments: str) -> Report:
    """One contract's part; a failure is told, and does not keep the others from running."""
    heading(title)
    report = Report(title)
    try:
        part(report, *arguments)
    except Failed as error:
        report.lines.append(f"FAILED: {error}")
        report.failed = True
    return report


def container_runtime() -> str | None:
    """The first container engine that answers, by the word of `trivet doctor`."""
    heading("What this machine can do")
    trivet("doctor")
    told = json.loads(subprocess.run(["trivet", "doctor", "--json"], capture_output=True, check=True).stdout)
    return next((engine["name"] for engine in told["engines"] if engine["name"] != "local" and engine["ready"]), None)


def fractal(report: Report) -> None:
    data, plates = RESULTS / "data/plate-images", RESULTS / "fractal"
    run(str(ENVIRONMENT / "bin/python"), str(EXAMPLES / "fractal/tiny-tasks/make_data.py"), str(data))
    trivet("check", str(EXAMPLES / "fractal/tiny-tasks"))
    package = ("--python", str(ENVIRONMENT))
    trivet(
        "run", "tiny-tasks#Convert images", *package, f"zarr_dir={plates}", f"image_dir={data}",
        'channel_names={"01": "haematoxylin", "02": "DAB"}',
    )  # fmt: skip
    segmented = trivet(
        "run", "tiny-tasks#Segment nuclei", *package, "--input", "zarr_url=run:last/zarr_urls",
        "background_sigma=15", "min_size=30",
    )  # fmt: skip
    chained = ("--input", f"zarr_urls=run:{segmented}/zarr_urls", f"zarr_dir={plates}")
    trivet("run", "tiny-tasks#Project wells", *package, *chained)
    trivet("run", "tiny-tasks#Measure nuclei", *package, *chained)
    picture = pictures.plate(data, plates / "plate.zarr", plates / "plate_projected.zarr", PICTURES / "fractal.png")
    report.lines += [
        f"{'table':<9}{table(plates / 'nuclei.csv')}",
        f"{'picture':<9}{picture}",
        f"{'plates':<9}{plates}/plate.zarr, {plates}/plate_projected.zarr (OME-Zarr, open with napari)",
    ]


def kaapana(report: Report, runtime: str) -> None:
    example, data, results = EXAMPLES / "kaapana/dicom-tools", RESULTS / "data/dicom", RESULTS / "kaapana"
    build(runtime)
    run(sys.executable, str(example / "make_data.py"), str(data))
    trivet("check", str(example))
    given = ("--image", "dicom-tools:latest", "--runtime", runtime, "--input", f"dicom={data}")
    container = f"{example}/processing-container.json"
    trivet("run", f"{container}#dicom-to-nrrd", *given, "--output", f"{results}/dicom-to-nrrd")
    coloured = ("WINDOW_WIDTH=500", "COLOUR_MAP=hot", "--output", f"{results}/window-statistics")
    trivet("run", f"{container}#window-statistics", *given, *coloured)
    volumes, statistics = results / "dicom-to-nrrd/nrrd", results / "window-statistics/statistics"
    shown = (
        pictures.volume(data / "mr-abdomen", volumes / "mr-abdomen", PICTURES / "kaapana-nrrd.png"),
        pictures.window(data / "ct-small", statistics / "ct-small", PICTURES / "kaapana-statistics.png"),
    )
    report.lines += [
        f"{'tables':<9}{len(list(statistics.glob('*/*.csv')))} in {statistics}/*/*.csv",
        f"{'volumes':<9}{len(list(volumes.glob('*/*.nrrd')))} in {volumes}/*/*.nrrd",
        f"{'pictures':<9}{shown[0]}, {shown[1]}",
    ]


def cytomine(report: Report, runtime: str) -> None:
    example, data, results = EXAMPLES / "cytomine/count-nuclei", RESULTS / "data/tissue", RESULTS / "cytomine"
    build(runtime)
    run(sys.executable, str(example / "make_data.py"), str(data))
    trivet("check", str(example))
    trivet(
        "run", str(example), "--runtime", runtime, "--output", str(results),
        "--input", f"image={data}/colon.png", "min_area=40",
    )  # fmt: skip
    outputs = json.loads((results / "outputs.json").read_text(encoding="utf-8"))
    written = results / "nuclei.csv"
    areas = "".join(f"{number},{area}\n" for number, area in enumerate(outputs["areas"]))
    written.write_text(f"nucleus,pixels\n{areas}", encoding="utf-8")
    picture = pictures.overlaid(data / "colon.png", results / "overlay.png", PICTURES / "cytomine.png")
    report.lines += [
        f"{'table':<9}{table(written)}",
        f"{'picture':<9}{picture}",
        f"{'outlines':<9}{results}/outputs.json (GeoJSON, beside count and areas)",
    ]


def build(runtime: str) -> None:
    """Build the images of the examples, once."""
    if runtime not in built:
        run("scripts/build-example-images.sh", runtime)
        built.add(runtime)


def trivet(*arguments: str) -> str:
    """Run one command line; the identifier of the newest run afterwards (where there is one)."""
    run("trivet", *arguments)
    runs = sorted(path.name for path in (RESULTS / "runs").glob("*") if not path.name.startswith("."))
    return runs[-1] if runs else ""


def run(*command: str) -> None:
    print(f"\n$ {shlex.join(command)}", flush=True)
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from None
    if code != 0:
        raise Failed(f"exit code {code}: {shlex.join(command)}")


def heading(text: str) -> None:
    print(f"\n{text}\n{'=' * len(text)}", flush=True)


def table(path: Path) -> str:
    with path.open(encoding="utf-8") as stream:
        rows = sum(1 for _ in stream) - 1
    return f"{path} ({rows} rows)"


if __name__ == "__main__":
    sys.exit(main())
