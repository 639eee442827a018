"""Task for each image: fill it from the files of its field."""

import logging
from pathlib import Path

from fractal_tasks_core.tasks._utils import run_fractal_task

from old_plate_tasks.ome_zarr import write_image

logger = logging.getLogger(__name__)


def convert_image(*, input_paths, output_path, metadata, component, pixel_size=1.0):
    """Write the focal planes of one field; `pixel_size` in micrometres."""
    _, row, column, image = component.split("/")
    pattern = f"{row}{column}_F{int(image) + 1:03d}_Z*.{metadata['image_extension']}"
    files = sorted(path for folder in metadata["original_paths"] for path in Path(folder).glob(pattern))
    planes = [read_pgm(path) for path in files]
    write_image(Path(output_path, component), [pixels for pixels, _ in planes], planes[0][1], pixel_size)
    logger.info("%s: %d planes", component, len(planes))


def read_pgm(path):
    """The bytes of a binary 8-bit PGM file without comments, and its width."""
    magic, size, depth, pixels = path.read_bytes().split(b"\n", 3)
    if (magic, depth) != (b"P5", b"255"):
        raise ValueError(f"{path} is no binary PGM file of 8 bits")
    return pixels, int(size.split()[0])


if __name__ == "__main__":
    run_fractal_task(task_function=convert_image)
