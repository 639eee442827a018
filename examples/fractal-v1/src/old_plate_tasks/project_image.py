"""Task for each image: the brightest pixels along z of the image it was copied from."""

from pathlib import Path

from fractal_tasks_core.tasks._utils import run_fractal_task

from old_plate_tasks.ome_zarr import read_image, write_image


def project_image(*, input_paths, output_path, metadata, component):
    """Project one image of the plate that this one is a copy of."""
    plate, within = component.split("/", 1)
    source = metadata["copy_ome_zarr"]["sources"][Path(plate).stem]
    planes, width, pixel_size = read_image(Path(source, within))
    write_image(Path(output_path, component), [bytes(map(max, *planes, planes[0]))], width, pixel_size)


if __name__ == "__main__":
    run_fractal_task(task_function=project_image)
