"""Task that is run once: lay out a plate for the images of some folders."""

import logging
import shutil
from collections import defaultdict
from pathlib import Path

from fractal_tasks_core.tasks._utils import run_fractal_task

from old_plate_tasks.ome_zarr import write_plate

logger = logging.getLogger(__name__)


def create_structure(*, input_paths, output_path, metadata, plate_name="plate", overwrite=False):
    """Lay out a plate; its images are written by another task.

    Files are called `B03_F001_Z01.pgm`: well, field, focal plane.
    """
    fields = defaultdict(set)
    for folder in input_paths:
        for path in sorted(Path(folder).glob("*.pgm")):
            well, field, _ = path.stem.split("_")
            fields[well[0], well[1:]].add(int(field[1:]))
    if not fields:
        raise FileNotFoundError(f"there are no .pgm files in {', '.join(input_paths)}")
    plate = Path(output_path, f"{plate_name}.zarr")
    if plate.exists():
        if not overwrite:
            raise FileExistsError(f"{plate} exists; set overwrite, or choose another plate_name")
        shutil.rmtree(plate)
    wells = {well: [str(number) for number in range(len(found))] for well, found in sorted(fields.items())}
    write_plate(plate, wells)
    logger.info("%s: %d wells", plate, len(wells))
    components = {(row, column): f"{plate.name}/{row}/{column}" for row, column in wells}
    return {
        "plate": [plate.name],
        "well": list(components.values()),
        "image": [f"{components[well]}/{image}" for well, images in wells.items() for image in images],
        "num_levels": 1,
        "coarsening_xy": 2,
        "original_paths": input_paths,
        "image_extension": "pgm",
    }


if __name__ == "__main__":
    run_fractal_task(task_function=create_structure)
