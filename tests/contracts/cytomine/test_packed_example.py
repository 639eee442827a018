"""The example count-nuclei from its packed bundle: the same results on every container engine."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.engines.runtimes import open_api
from trivet.runs.packing import Packed, pack
from trivet.tasks.states import RunState

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/cytomine/count-nuclei"
IMAGE = "org/trivet/examples/count_nuclei:1.0.0"


@pytest.fixture(scope="module")
def packed(docker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    api, _, release = open_api(docker)
    known = api.image(IMAGE) is not None
    release()
    if not known:
        pytest.skip(f"the image {IMAGE} is not there: scripts/build-example-images.sh")
    made = pack(EXAMPLE, tmp_path_factory.mktemp("bundle") / "bundle.zip", IMAGE, runtime=docker)
    assert made.problems == ()
    yield made
    made.path.unlink()


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return {}


def test_results_are_the_same_on_every_engine(
    runtime: str, packed: Packed, results: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if runtime == "podman":
        request.addfinalizer(lambda: _forget(runtime, packed.digest))
    runpy.run_path(str(EXAMPLE / "make_data.py"))["make"](tmp_path / "data")
    [task] = trivet.load(packed.path)
    region = json.loads((tmp_path / "data/quarter.geojson").read_text())
    call = trivet.call(task, {"image": tmp_path / "data/colon.png", "region": region, "min_area": 40})
    run = trivet.run(call, home=tmp_path / "home", runtime=runtime, output=str(tmp_path / "out"))
    assert run.result is not None
    assert (run.result.state, run.result.problems) == (RunState.FINISHED, ())
    [(_, outcome)] = run.units()
    assert outcome is not None
    assert outcome.image_digest == packed.digest
    outputs = dict(run.result.outputs)
    overlay = outputs.pop("overlay")
    results[runtime] = [outputs, overlay.sha256, overlay.size]
    assert outputs["count"] > 20
    assert all(one == results[runtime] for one in results.values())


def _forget(runtime: str, digest: str) -> None:
    api, _, release = open_api(runtime)
    api.call("DELETE", f"/images/{digest.removeprefix('sha256:')}", {"force": 1})
    release()
