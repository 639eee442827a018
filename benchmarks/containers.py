"""What a container unit costs beyond the container engine: against the bare API's create, start, wait and remove.

    python benchmarks/containers.py [--runtime docker|podman] [--rounds N]

Both sides run `true` in the same image under the same security options, in turns, 1 and 20 of them on two slots. Ours
goes by `LocalEngine` from submit to the last Ended: log, exit code, times and peak memory of each unit are known then.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import Row, table

from trivet.engines import Attempt, Ended, EngineError
from trivet.engines.local import LocalEngine
from trivet.engines.runtimes import open_api
from trivet.engines.runtimes.api import Api
from trivet.engines.runtimes.request import CAPABILITIES
from trivet.images.archive import describe
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Invocation
from trivet.testing.archives import busybox_archive

BOUND = 1.25
SLOTS = 2
SIZES = (1, 20)


def rows(quick: bool, runtime: str | None = None, count: int | None = None) -> Iterator[Row]:
    """One row for each size; a single one without a ratio where no container engine answers."""
    try:
        api, version, release = open_api(runtime)
    except EngineError as error:
        yield Row("containers", "container units", "bare API", note=str(error).partition(":")[0])
        return
    try:
        with tempfile.TemporaryDirectory() as place:
            image = ContainerImage("", archive=str(busybox_archive(Path(place, "busybox.tar"))))
            engine = LocalEngine(Path(place, "engine"), SLOTS, version.name)
            try:
                engine.prepare([image])
                for size in SIZES:
                    rounds = count or (3 if quick else 7) if size > 1 else count or (5 if quick else 15)
                    yield measured(api, engine, image, size, rounds)
            finally:
                engine.close()
                digest = describe(str(image.archive)).digest
                api.call("DELETE", f"/images/{digest.removeprefix('sha256:')}", {"force": 1})
    finally:
        release()


def measured(api: Api, engine: LocalEngine, image: ContainerImage, size: int, rounds: int) -> Row:
    digest = describe(str(image.archive)).digest
    ratios, floors = [], []
    bare(api, digest, size)
    for number in range(rounds):
        if number % 2:
            ours, floor = units(engine, image, size), bare(api, digest, size)
        else:
            floor, ours = bare(api, digest, size), units(engine, image, size)
        ratios.append(ours / floor)
        floors.append(floor / size)
    what = f"{size} container unit{'s' if size > 1 else ''}"
    note = f"bare API: {statistics.median(floors) * 1000:.0f} ms a container, {SLOTS} at a time; {rounds} rounds"
    return Row("containers", what, "bare API", statistics.median(ratios), BOUND, note)


def units(engine: LocalEngine, image: ContainerImage, size: int) -> float:
    """Seconds from submit to the end of ``size`` units."""
    run = uuid.uuid4().hex[:8]
    attempts = [Attempt(f"{run}/{n}/1", Invocation(image, ("true",), network=False)) for n in range(size)]
    begin = time.perf_counter()
    engine.submit(attempts)
    left = size
    while left:
        for event in engine.events.get():
            if isinstance(event, Ended):
                assert event.outcome.exit_code == 0, event
                left -= 1
    return time.perf_counter() - begin


def bare(api: Api, image: str, size: int) -> float:
    """Seconds of ``size`` times create, start, wait, remove and nothing else, SLOTS at a time."""
    host = {
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 4096,
    }

    def one(_: int) -> None:
        name = f"trivet-bare-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        api.create(name, {"Image": image, "Cmd": ["true"], "HostConfig": host})
        api.start(name)
        api.wait(name)
        api.remove(name)

    with ThreadPoolExecutor(SLOTS) as pool:
        begin = time.perf_counter()
        list(pool.map(one, range(size)))
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure container units against the bare API.")
    parser.add_argument("--runtime", choices=["docker", "podman"])
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args()
    print(table(list(rows(False, chosen.runtime, chosen.rounds))))


if __name__ == "__main__":
    main()
