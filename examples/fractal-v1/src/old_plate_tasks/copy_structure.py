"""Task that is run once: lay out copies of plates for projections."""

from pathlib import Path

from fractal_tasks_core.tasks._utils import run_fractal_task

from old_plate_tasks.ome_zarr import read_wells, write_plate


def copy_structure(*, input_paths, output_path, metadata, suffix="mip"):
    """Lay out `<plate>_<suffix>.zarr` for every plate; the images are written by another task."""
    update = {"plate": [], "well": [], "image": [], "copy_ome_zarr": {"suffix": suffix, "sources": {}}}
    for plate in metadata["plate"]:
        old = Path(input_paths[0], plate)
        new = Path(output_path, f"{old.stem}_{suffix}.zarr")
        wells = read_wells(old)
        write_plate(new, wells)
        update["copy_ome_zarr"]["sources"][new.stem] = str(old)
        update["plate"].append(new.name)
        for (row, column), images in wells.items():
            update["well"].append(f"{new.name}/{row}/{column}")
            update["image"] += [f"{new.name}/{row}/{column}/{image}" for image in images]
    return update


if __name__ == "__main__":
    run_fractal_task(task_function=copy_structure)
