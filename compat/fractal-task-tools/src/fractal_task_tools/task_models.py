"""The five kinds of tasks that a package lists."""

from trivet.fractal.task_models import (
    CompoundTask,
    ConverterCompoundTask,
    ConverterNonParallelTask,
    NonParallelTask,
    ParallelTask,
)

__all__ = ["CompoundTask", "ConverterCompoundTask", "ConverterNonParallelTask", "NonParallelTask", "ParallelTask"]
