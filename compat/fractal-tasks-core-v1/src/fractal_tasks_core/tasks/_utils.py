"""What the script of a task of version 1 ends with."""

from trivet.fractal.task_wrapper import run_fractal_task

__all__ = ["run_fractal_task"]
