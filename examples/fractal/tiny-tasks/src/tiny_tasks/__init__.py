"""Four small Fractal tasks on OME-Zarr plates."""
