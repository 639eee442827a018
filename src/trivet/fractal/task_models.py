"""The five kinds of tasks that a package lists in its ``dev/task_list.py``."""

from trivet.contracts.fractal.authoring.task_models import (
    CompoundTask,
    ConverterCompoundTask,
    ConverterNonParallelTask,
    NonParallelTask,
    ParallelTask,
)

__all__ = ["CompoundTask", "ConverterCompoundTask", "ConverterNonParallelTask", "NonParallelTask", "ParallelTask"]
