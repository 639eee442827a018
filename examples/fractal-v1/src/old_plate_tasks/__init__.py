"""Fractal tasks of version 1, for OME-Zarr plates."""
