"""The five kinds of tasks, as an author lists them in ``dev/task_list.py`` (manifest tools, 1.1)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CompoundTask", "ConverterCompoundTask", "ConverterNonParallelTask", "NonParallelTask", "ParallelTask"]


class _BaseTask(BaseModel):
    """What all tasks have. Unknown fields are refused; the order of the fields is that of the manifest.

    ``executable`` and ``meta`` belong to the parallel part where there is one, else to the non-parallel part.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    name: str
    executable: str
    meta: Optional[dict[str, Any]] = None  # noqa: UP045 - half as long to build as `X | None` is on Python 3.11
    input_types: Optional[dict[str, bool]] = None  # noqa: UP045
    output_types: Optional[dict[str, bool]] = None  # noqa: UP045
    category: Optional[str] = None  # noqa: UP045
    modality: Optional[str] = None  # noqa: UP045
    tags: list[str] = Field(default_factory=list)
    docs_info: Optional[str] = None  # noqa: UP045
    type: str

    _fields_of_parts: ClassVar[tuple[str | None, str | None] | None] = None
    """For the non-parallel and the parallel part the ending of its fields' names; None where there is no such part."""

    @property
    def executable_non_parallel(self) -> str | None:
        """The script of the part that runs once; None where there is none."""
        return self._of_part("executable", 0)  # type: ignore[no-any-return]

    @property
    def meta_non_parallel(self) -> dict[str, Any] | None:
        """What the part that runs once needs."""
        return self._of_part("meta", 0)  # type: ignore[no-any-return]

    @property
    def executable_parallel(self) -> str | None:
        """The script of the part that runs for every image; None where there is none."""
        return self._of_part("executable", 1)  # type: ignore[no-any-return]

    @property
    def meta_parallel(self) -> dict[str, Any] | None:
        """What the part that runs for every image needs."""
        return self._of_part("meta", 1)  # type: ignore[no-any-return]

    def _of_part(self, field: str, part: int) -> Any:
        if self._fields_of_parts is None:
            raise NotImplementedError
        ending = self._fields_of_parts[part]
        return None if ending is None else getattr(self, field + ending)


class CompoundTask(_BaseTask):
    """An initialisation that runs once and says what to do, and a part that runs for every item of that."""

    executable_init: str
    meta_init: Optional[dict[str, Any]] = None  # noqa: UP045
    type: Literal["compound"] = "compound"
    _fields_of_parts: ClassVar[tuple[str | None, str | None] | None] = ("_init", "")


class ConverterCompoundTask(_BaseTask):
    """A compound task that makes images from something else; it is given none."""

    executable_init: str
    meta_init: Optional[dict[str, Any]] = None  # noqa: UP045
    type: Literal["converter_compound"] = "converter_compound"
    _fields_of_parts: ClassVar[tuple[str | None, str | None] | None] = ("_init", "")


class NonParallelTask(_BaseTask):
    """A task that runs once, on all images."""

    type: Literal["non_parallel"] = "non_parallel"
    _fields_of_parts: ClassVar[tuple[str | None, str | None] | None] = ("", None)


class ConverterNonParallelTask(_BaseTask):
    """A task that runs once and makes images from something else; it is given none."""

    type: Literal["converter_non_parallel"] = "converter_non_parallel"
    _fields_of_parts: ClassVar[tuple[str | None, str | None] | None] = ("", None)


class ParallelTask(_BaseTask):
    """A task that runs for every image on its own."""

    type: Literal["parallel"] = "parallel"
    _fields_of_parts: ClassVar[tuple[str | None, str | None] | None] = (None, "")
