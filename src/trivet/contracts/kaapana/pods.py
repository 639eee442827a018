"""What a task.json's ``config`` and its amounts mean for a pod (Kaapana Task API, K8sConfig)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trivet.contracts.kaapana.config import OWN_LABELS
from trivet.contracts.kaapana.model import Amounts, TaskFile
from trivet.contracts.kaapana.resources import is_foreign, quantity
from trivet.tasks.problem import Problem
from trivet.tasks.task import Task
from trivet.tasks.work import PodSettings

_OWN_RESOURCES = re.compile(r"cpu|memory|ephemeral-storage|hugepages-.+|.+/.+")


def pod_settings(task: Task, amounts: Amounts) -> PodSettings:
    """The pod's settings for a task with the limits and requests it was found to need.

    A task.json that says nothing of it has its image pulled always, as in the public implementation.
    """
    content = task.document.model.content
    resources = {half: _quantities(values) for half, values in amounts.items()}
    if not isinstance(content, TaskFile):
        return PodSettings(resources=resources)
    config = content.config if content.config.get("type") != "docker" else {}
    return PodSettings(
        namespace=config.get("namespace") or None,
        annotations=_texts(config.get("annotations")),
        pull_policy=config.get("imagePullPolicy", "Always"),
        pull_secrets=tuple(config.get("imagePullSecrets") or ()),
        resources=resources,
        environment=tuple(config.get("env_vars") or ()),
        volumes=tuple(config.get("volumes") or ()),
        mounts=tuple(config.get("volume_mounts") or ()),
    )


def overruled(task: Task, environment: Mapping[str, str]) -> Iterator[Problem]:
    """A word about every variable of a unit that ``env_vars`` of the configuration gives another value on a cluster."""
    for variable in pod_settings(task, {}).environment:
        name = str(variable.get("name"))
        if name in environment and variable.get("value") != environment[name]:
            message = f"on Kubernetes, `env_vars` of `config` gives variable `{name}` another value, which counts there"
            hint = "keep one of them, so that the task does the same everywhere"
            yield Problem("K076", message, "warning", hint, path=("config", "env_vars"))


def labels_of(task: Task) -> dict[str, str]:
    """The labels a task.json wants to see on its container, without those that are kept for Trivet."""
    content = task.document.model.content
    labels = _texts(content.config.get("labels")) if isinstance(content, TaskFile) else {}
    return {key: value for key, value in labels.items() if not key.startswith(OWN_LABELS)}


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else "" if value is None else json.dumps(value)
        for key, value in (values or {}).items()
    }


def _quantities(values: Mapping[str, Any]) -> dict[str, str]:
    """Amounts as Kubernetes takes them; what is no resource of it is left out, as the check says."""
    return {
        key: str(math.ceil(quantity(amount)) if is_foreign(amount) else amount)
        for key, amount in values.items()
        if _OWN_RESOURCES.fullmatch(key)
    }
