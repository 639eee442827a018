"""Compound task, first part: the plate of the projections is laid out, and its wells are listed."""

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, validate_call

from tiny_tasks.ome_zarr import write_plate


@validate_call
def init_project_wells(
    *,
    zarr_urls: list[str],
    zarr_dir: str,
    suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "projected",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Lay out a plate for projections, and list the wells.

    Args:
        zarr_urls: Images to be projected, as `<plate>.zarr/<row>/<column>/<field>`.
        zarr_dir: Directory in which the new plates are made.
        suffix: The new plate is `<plate>_<suffix>.zarr`.
        overwrite: Replace a plate of that name.
    """
    plates: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for url in zarr_urls:
        plate, row, column, _ = url.rsplit("/", 3)
        plates[plate][row, column].append(url)
    items = []
    for plate, wells in plates.items():
        target = Path(zarr_dir, f"{Path(plate).name.removesuffix('.zarr')}_{suffix}.zarr")
        if target.exists():
            if not overwrite:
                raise FileExistsError(f"{target} exists; choose another suffix, or set overwrite")
            shutil.rmtree(target)
        write_plate(target, dict.fromkeys(wells, 1))
        for (row, column), urls in wells.items():
            items.append({"zarr_url": f"{target}/{row}/{column}/0", "init_args": {"fields": urls}})
    return {"parallelization_list": items}


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=init_project_wells)
