"""What so many units said of an image each, brought into a dataset as a job does it; prints the seconds of CPU."""

import json
import sys
import time
from pathlib import Path

from trivet.contracts import contract, fractal
from trivet.contracts.source import load
from trivet.datasets.exchange import Content
from trivet.datasets.images import Image
from trivet.records.datasets import DatasetDirectory
from trivet.tasks.call import bind
from trivet.tasks.work import UnitResult


def main() -> None:
    units, home, manifest = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    room = contract("fractal")
    [task] = room.tasks(room.read(load(manifest)))
    urls = [f"/plate/{number}" for number in range(units)]
    images = {url: Image(url, attributes={"well": "B03"}) for url in urls}
    dataset = DatasetDirectory.create(home, Content("applied", "/plate", images), 1.0, {"by": "benchmark"})
    call = bind(task, {"zarr_url": urls})
    results = [
        UnitResult(str(number), exit_code=0, outputs={"changes": {"image_list_updates": [_update(url)]}})
        for number, url in enumerate(urls)
    ]
    before = time.process_time()
    version = dataset.apply_once(lambda now: fractal.apply(call, results, now, "/plate").images, "job", 0, 2.0)
    took = time.process_time() - before
    assert all(image.attributes == {"well": "B03", "seen": "yes"} for image in version.images.values())
    print(json.dumps(took))


def _update(url: str) -> dict[str, object]:
    return {"zarr_url": url, "attributes": {"seen": "yes"}}


if __name__ == "__main__":
    main()
