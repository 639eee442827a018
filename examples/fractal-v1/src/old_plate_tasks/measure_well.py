"""Task for each well: mean and largest intensity of its images, in a table beside the plate."""

import csv
from pathlib import Path

from fractal_tasks_core.tasks._utils import run_fractal_task

from old_plate_tasks.ome_zarr import read_image


def measure_well(*, input_paths, output_path, metadata, component, table_name="intensities"):
    """Measure the images of one well."""
    rows = []
    for image in sorted(path for path in Path(output_path, component).iterdir() if path.is_dir()):
        pixels = b"".join(read_image(image)[0])
        rows.append([f"{component}/{image.name}", round(sum(pixels) / len(pixels), 3), max(pixels)])
    table = Path(output_path, table_name, f"{component.replace('/', '_')}.csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["image", "mean", "max"], *rows])
    return {"measured_images": len(rows)}


if __name__ == "__main__":
    run_fractal_task(task_function=measure_well)
