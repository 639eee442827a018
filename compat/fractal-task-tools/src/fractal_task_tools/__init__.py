"""The public task tools of Fractal, on Trivet."""

__version__ = "0.1.0"
__VERSION__ = __version__
