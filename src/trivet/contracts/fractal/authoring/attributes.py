"""Descriptions of model attributes from the text below them, read without changing pydantic's configuration.

The public tool switches ``use_attribute_docstrings`` on for every model of the process before the models are made. Here
the texts are read from the source when a schema is made, for the same models: those whose configuration says nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from trivet.contracts.fractal.authoring import sources

SETTING = "use_attribute_docstrings"
"""What a model's configuration says of its texts; a model that does not say it has them read here."""


class AttributeTexts:
    """The texts of classes, each module's source read once."""

    def __init__(self, files: sources.Sources | None = None) -> None:
        self._files = files or sources.Sources()
        self._known: dict[type, Mapping[str, str]] = {}

    def of(self, cls: type) -> Mapping[str, str]:
        """The text of every attribute.

        What a model inherits keeps its text, unless it is declared anew; other classes have their own texts only.
        """
        if not hasattr(cls, "model_config"):
            return self._own(cls)
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            if base.__module__.startswith("pydantic.") or not hasattr(base, "model_config"):
                continue
            for name in sources.declared(base):
                found.pop(name, None)
            if base.model_config.get(SETTING, True):
                found |= self._own(base)
        return found

    def _own(self, cls: type) -> Mapping[str, str]:
        if cls not in self._known:
            self._known[cls] = self._read(cls)
        return self._known[cls]

    def _read(self, cls: type) -> Mapping[str, str]:
        generic: dict[str, Any] = getattr(cls, "__pydantic_generic_metadata__", None) or {}
        if generic.get("origin") is not None:  # Box[int]: its base Box has the source
            return {}
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if not file or not file.endswith(".py"):
            return {}
        declared = set(sources.declared(cls))
        try:
            node = self._files[file].only_class(cls.__name__) if cls.__qualname__ == cls.__name__ else None
            if node is not None and declared <= sources.annotated_names(node):
                return sources.attribute_texts(node)
            candidates = self._files[file].classes(cls.__qualname__)
        except (OSError, SyntaxError, ValueError):
            return {}
        fitting = [node for node in candidates if declared == sources.annotated_names(node)] or candidates
        return sources.attribute_texts(fitting[-1]) if fitting else {}
