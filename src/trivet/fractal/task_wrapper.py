"""What the script of a task ends with."""

from trivet.contracts.fractal.authoring.task_wrapper import run_fractal_task

__all__ = ["run_fractal_task"]
