"""What no record may hold of a task.json, and how it comes back where it is needed: passwords, and the login of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trivet.tasks.problem import Problem

if TYPE_CHECKING:
    from trivet.contracts.kaapana.model import TaskFile
    from trivet.tasks.task import Task
    from trivet.tasks.work import Login

MASK = "***"
"""What a record keeps in place of a password."""

ATTACHMENT = "secrets.json"
"""The attachment of a source that brings back what is masked in its text; no record keeps it."""

_SECRET = re.compile(r"password|passwd|secret|token|credential", re.IGNORECASE)


def without_secrets(data: Any) -> Any:
    """A task's data with ``***`` in place of every password in it (not of variables: a run can't go without them)."""
    return _replaced(data, {path: MASK for path, _ in _found(data)})


def secrets_of(data: Any) -> dict[str, str]:
    """The attachments that bring back what `without_secrets` takes away; none when there is nothing."""
    found = [[list(path), value] for path, value in _found(data) if value != MASK]
    return {ATTACHMENT: json.dumps(found)} if found else {}


def filled(data: Any, attachments: Mapping[str, str]) -> Any:
    """The inverse of `without_secrets`, as far as the attachments go."""
    known = {tuple(path): value for path, value in json.loads(attachments.get(ATTACHMENT, "[]"))}
    masked = {path for path, value in _found(data) if value == MASK}
    return _replaced(data, {path: value for path, value in known.items() if path in masked})


def login_of(task: Task) -> tuple[Login | None, list[Problem]]:
    """The login a task gives for the registry of the image it runs, and why it has none where it gives one that can't
    be used: a password is shown to the registry it is for, and to no other."""
    from trivet.contracts.kaapana.model import TaskFile
    from trivet.tasks.task import ContainerImage

    content, program = task.document.model.content, task.program
    if not isinstance(content, TaskFile) or not isinstance(program, ContainerImage):
        return None, []
    return login_for(content, program.reference)


def login_for(task: TaskFile, image: str) -> tuple[Login | None, list[Problem]]:
    """As `login_of`, for an image."""
    from trivet.images import references
    from trivet.tasks.work import Login

    config = task.config
    server, user, password = (config.get(key) or "" for key in ("registryUrl", "registryUsername", "registryPassword"))
    if not (server and user and password):
        return None, []
    try:
        host = references.parse(image).host
    except ValueError:
        return None, []
    path = ("config", "registryUrl")
    if references.host_of(server) != host:
        message = f"the image {image} is not in the registry {server}, so its login is not used"
        return None, [Problem("K037", message, "warning", path=path)]
    if password == MASK:
        message = f"the password for {server} is not kept in the record of a run, and nobody gave it again"
        hint = f"`docker login {host}` makes it known, or start the task itself anew"
        return None, [Problem("K037", message, "warning", hint, path=path)]
    return Login(server, user, password), []


def _found(data: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every secret of a task with the place where it stands."""
    if not isinstance(data, dict):
        return
    config = data.get("config")
    config = config if isinstance(config, dict) else {}
    for section, path in ((data, ()), (config, ("config",))):
        for key, value in section.items():
            if isinstance(value, str) and value and _SECRET.search(key):
                yield (*path, key), value
    variables = config.get("env_vars")
    for index, item in enumerate(variables if isinstance(variables, list) else ()):
        if isinstance(item, dict) and _SECRET.search(str(item.get("name"))) and isinstance(item.get("value"), str):
            yield ("config", "env_vars", index, "value"), item["value"]


def _replaced(data: Any, values: Mapping[tuple[str | int, ...], str]) -> Any:
    for path, value in values.items():
        data = _put(data, path, value)
    return data


def _put(data: Any, path: tuple[str | int, ...], value: str) -> Any:
    """A copy of the data with one value in another place's stead."""
    if not path:
        return value
    copy: Any = list(data) if isinstance(data, list) else dict(data)
    copy[path[0]] = _put(copy[path[0]], path[1:], value)
    return copy
