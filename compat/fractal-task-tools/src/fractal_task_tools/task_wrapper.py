"""What the script of a task ends with."""

from trivet.fractal.task_wrapper import run_fractal_task

__all__ = ["run_fractal_task"]
