"""A package of Fractal tasks that do what their arguments tell them to, datasets, and jobs of both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trivet.contracts import contract
from trivet.contracts.source import load
from trivet.datasets.exchange import Content
from trivet.datasets.images import Image
from trivet.records.datasets import DatasetDirectory
from trivet.runs.options import Options
from trivet.tasks.task import Task
from trivet.workflows.workflow import Request, Step, Workflow

SCRIPT = """
import argparse, json, os, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--args-json")
parser.add_argument("--out-json")
given = parser.parse_args()
with open(given.args_json) as stream:
    args = json.load(stream)
url = args.get("zarr_url")
if args.get("trace"):
    descriptor = os.open(args["trace"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{url or 'init'} {time.monotonic():.6f}\\n".encode())
if args.get("pause"):
    time.sleep(args["pause"])
if args.get("gate"):
    while not os.path.exists(args["gate"]):
        time.sleep(0.01)
if args.get("warn"):
    print("a WaRniNG about nothing")
if args.get("die"):  # so often, by a signal
    path = f"{args['die']['file']}-{os.path.basename(url)}"
    with open(path, "a+") as stream:
        stream.write("x")
        stream.seek(0)
        times = len(stream.read())
    if times <= args["die"]["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
if "zarr_url" in args:
    replies, number = args.get("replies", {}), args.get("init_args", {}).get("k")
    reply = replies.get(f"{url}#{number}", replies.get(url, args.get("default")))
else:
    reply = args.get("reply")
    url = (args.get("zarr_urls") or [None])[0]
if args.get("trace"):
    os.write(descriptor, f"end {time.monotonic():.6f}\\n".encode())
if reply == "FAIL":
    sys.exit(1)
if reply != "NOFILE":
    with open(given.out_json, "x") as stream:
        if reply == "BADJSON":
            stream.write("{")
        elif reply in ("NAN", "NUL"):
            value = {"NAN": float("nan"), "NUL": "a" + chr(0) + "b"}[reply]
            json.dump({"image_list_updates": [{"zarr_url": url, "attributes": {"x": value}}]}, stream)
        else:
            json.dump(reply, stream)
"""

ARGUMENTS = ("reply", "replies", "default", "warn", "trace", "gate", "pause", "die")
PARTS = {
    "parallel": ("parallel",),
    "non_parallel": ("non_parallel",),
    "compound": ("non_parallel", "parallel"),
    "converter_non_parallel": ("non_parallel",),
    "converter_compound": ("non_parallel", "parallel"),
}
OF_PART = {"non_parallel": ("reply", "trace"), "parallel": ("replies", "default", "trace")}


def task(
    folder: Path,
    kind: str,
    input_types: Mapping[str, bool] | None = None,
    output_types: Mapping[str, bool] | None = None,
    meta: Mapping[str, Any] | None = None,
    name: str = "Play",
) -> Task:
    """A task of that type, in a package of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "play.py").write_text(SCRIPT)
    entry: dict[str, Any] = {
        "name": name,
        "type": kind,
        "input_types": input_types or {},
        "output_types": output_types or {},
    }
    for part in PARTS[kind]:
        names = ARGUMENTS if len(PARTS[kind]) == 1 else OF_PART[part]
        entry[f"executable_{part}"] = "play.py"
        entry[f"args_schema_{part}"] = {"type": "object", "properties": {one: {} for one in names}}
        entry[f"meta_{part}"] = dict(meta or {})
    manifest = {"manifest_version": "2", "has_args_schemas": True, "task_list": [entry]}
    path = folder / "__FRACTAL_MANIFEST__.json"
    path.write_text(json.dumps(manifest))
    room = contract("fractal")
    [made] = room.tasks(room.read(load(path)))
    return made


def step(made: Task, type_filters: Mapping[str, bool] | None = None, **values: Any) -> Step:
    """A step with values by argument; of a compound task those that both parts have are given to both."""
    names = {port.name for port in made.inputs}
    spread = {
        port: value
        for name, value in values.items()
        for port in ((name,) if name in names else (f"init.{name}", f"compute.{name}"))
    }
    return Step(made, spread, type_filters or {})


def dataset(home: Path, images: Iterable[Image], zarr_dir: str = "/zd") -> DatasetDirectory:
    return DatasetDirectory.create(
        home, Content("ds", zarr_dir, {one.zarr_url: one for one in images}), 1.0, {"by": "test"}
    )


def numbered(count: int) -> list[Image]:
    return [Image(f"/zd/i{number:06d}") for number in range(count)]


def request(data: DatasetDirectory, steps: Sequence[Step], options: Options | None = None, **more: Any) -> Request:
    """All steps of a workflow, unless told otherwise."""
    more = {"first": 0, "last": len(steps) - 1, **more}
    return Request(Workflow("w", tuple(steps)), data.path, options=options or Options(slots=2), **more)
