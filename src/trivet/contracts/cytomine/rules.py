"""The rules of a descriptor: the v0 schema in all its historical forms, and what the schema should have said.

One walk reads and checks: it gives the descriptor with every default applied, and every problem.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from trivet.contracts.cytomine.dependencies import Dependencies
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.parameters import parameter
from trivet.contracts.cytomine.sizes import parse_size
from trivet.contracts.fields import Fields
from trivet.contracts.parsing import duplicate_keys
from trivet.tasks.problem import Problem
from trivet.tasks.task import Port, Resources

CODES = {"missing": "C001", "type": "C002", "unknown": "C003"}
DEFAULT_MEMORY = 4 * 1024**3
"""RAM of a task that asks for none: what the public engine gives it (its documents say 1Gi)."""

_NAME = re.compile(r"[a-zA-Z0-9_\s\-]{3,30}")
_NAMESPACE = re.compile(r"[a-zA-Z0-9_]*(?:\.[a-zA-Z0-9_-]+)+", re.ASCII)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*", re.ASCII)
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+", re.ASCII)
_FOLDER = re.compile(r"/[A-Za-z0-9_./-]*", re.ASCII)
_SYSTEM_TREE = re.compile(r"/(?:bin|boot|dev|etc|lib|lib32|lib64|proc|run|sbin|sys|usr/(?:bin|lib|sbin))(?:/.*)?")
_SYSTEM_ROOTS = ("/", "/home", "/opt", "/root", "/tmp", "/usr", "/usr/local", "/var")  # noqa: S108 - names, not used


def examine(data: Any) -> Descriptor:
    """Read plain data as a descriptor; never raises. Every problem is in ``problems``."""
    problems: list[Problem] = list(duplicate_keys(data))
    top = Fields(data, problems, CODES)
    if not top.valid:
        return Descriptor(tuple(problems))
    top.get("$schema", str, required=True)
    name = top.get("name", str, "", required=True)
    if "name" in top.data and isinstance(top.data["name"], str) and not _NAME.fullmatch(name):
        hint = "use 3 to 30 letters, digits, spaces, _ and -"
        top.note("C010", f"the name has {len(name)} characters or characters that are not allowed", "name", hint=hint)
    short_name = top.get("name_short", str, "")
    namespace, version = _namespace(top), _version(top)
    description = top.get("description", str, "")
    if len(description) > 2048:
        top.note("C014", f"the description has {len(description)} characters; at most 2048 are allowed", "description")
    authors = _authors(top)
    source_code, dois = _external(top)
    configuration = top.child("configuration", required=True) or Fields({}, problems, CODES, ("configuration",))
    input_folder, output_folder = _folders(configuration)
    image_file = _image_file(configuration)
    resources, internet = _resources(configuration)
    configuration.unknown()
    dependencies = Dependencies()
    inputs = _parameters(top, "inputs", input_folder, dependencies)
    outputs = _parameters(top, "outputs", output_folder, dependencies)
    sides = [(side, top.data.get(side)) for side in ("inputs", "outputs")]
    declared = [(side, name) for side, section in sides if isinstance(section, dict) for name in section]
    dependencies.check(inputs, outputs, declared)
    top.unknown()
    return Descriptor(
        tuple(problems),
        name,
        short_name or name,
        namespace,
        version,
        description,
        authors,
        source_code,
        dois,
        input_folder,
        output_folder,
        image_file,
        resources,
        internet,
        inputs,
        outputs,
        dependencies.links(),
        dependencies.derived_from,
    )


def _namespace(top: Fields) -> str:
    namespace: str = top.get("namespace", str, "", required=True)
    if not isinstance(top.data.get("namespace"), str):
        return ""
    if not _NAMESPACE.fullmatch(namespace):
        hint = "write it like com.example.my-lab: parts of letters, digits, _ and - (no - in the first), with a dot"
        top.note("C011", f"`{namespace}` is no namespace", "namespace", hint=hint)
    elif not all(_COMPONENT.fullmatch(part) for part in namespace.split(".")) or len(namespace) > 255:
        message = f"`{namespace}` can't become an image's name"
        hint = "use lower case; every part starts and ends with a letter or digit"
        top.note("C012", message, "namespace", hint=hint)
    return namespace


def _version(top: Fields) -> str:
    if top.data.get("version", "") is None:
        top.has("version")
        top.note("C013", "`version` is empty", "version", hint="write for example version: 1.0.0")
        return ""
    if isinstance(top.data.get("version"), int | float) and not isinstance(top.data["version"], bool):
        top.has("version")
        hint = f"write {top.data['version']}.0" if isinstance(top.data["version"], float) else "write for example 1.0.0"
        top.note("C013", "a version has three parts (Semantic Versioning)", "version", hint=hint)
        return ""
    version: str = top.get("version", str, "", required=True)
    if isinstance(top.data.get("version"), str) and (not _VERSION.fullmatch(version) or len(version) > 128):
        hint = "write three numbers such as 1.0.0, optionally -rc.1 and +build"
        top.note("C013", f"`{version}` is no version (Semantic Versioning)", "version", hint=hint)
    return version


def _authors(top: Fields) -> tuple[dict[str, Any], ...]:
    if top.data.get("authors") == []:
        top.note("C015", "at least one author is needed", "authors")
    authors = []
    for author in top.objects("authors", required=True):
        names = {key: author.get(key, str, "", required=True) for key in ("first_name", "last_name", "organization")}
        email = author.get("email", str, "", required=True)
        if isinstance(author.data.get("email"), str) and not _EMAIL.fullmatch(email):
            author.note("C016", f"`{email}` is no e-mail address", "email")
        contact = author.get("is_contact", bool, False)
        author.unknown()
        authors.append({**names, "email": email, "is_contact": contact})
    return tuple(authors)


def _external(top: Fields) -> tuple[str, tuple[str, ...]]:
    external = top.child("external")
    if external is None:
        return "", ()
    source_code = external.get("source_code", str, "")
    if source_code and not _URI.fullmatch(source_code):
        external.note("C017", f"`{source_code}` is no URL", "source_code", severity="warning")
    dois: list[str] = []
    for key in ("doi", "dois"):
        for index, doi in enumerate(external.strings(key) or ()):
            if not _URI.fullmatch(doi):
                hint = "write https://doi.org/…"
                external.note("C017", f"`{doi}` is no URL", key, index, severity="warning", hint=hint)
            dois.append(doi)
    external.unknown()
    return source_code, tuple(dict.fromkeys(dois))


def _folders(configuration: Fields) -> tuple[str, str]:
    given = {key: _folder(configuration, key, f"/{key.split('_')[0]}s") for key in ("input_folder", "output_folder")}
    first, second = given.values()
    if first == second or first.startswith(second + "/") or second.startswith(first + "/"):
        message = f"input folder {first} and output folder {second} overlap"
        configuration.note("C021", message, "output_folder", hint="use two separate folders, such as /inputs, /outputs")
    return first, second


def _folder(configuration: Fields, key: str, default: str) -> str:
    text: str = configuration.get(key, str, default)
    folder = posixpath.normpath("/" + text.strip().lstrip("/"))
    fault = ""
    if not text.startswith("/"):
        fault = "must be an absolute path"
    elif not _FOLDER.fullmatch(text.strip()):
        fault = "may hold only letters, digits and _ . / -"
    elif ".." in text.split("/"):
        fault = "must not hold `..`"
    elif folder in _SYSTEM_ROOTS or _SYSTEM_TREE.fullmatch(folder):
        fault = "would hide a part of the system in the image"
    elif len(folder) > 1024:
        fault = "is longer than 1024 characters"
    if fault:
        configuration.note("C020", f"`{key}` {text[:60]!r} {fault}", key, hint=f"use {default}, the default")
        return default
    return folder


def _image_file(configuration: Fields) -> str:
    image = configuration.child("image")
    if image is None:
        return ""
    text: str = image.get("file", str, "")
    image.unknown()
    path = text.strip().lstrip("/")
    if "\\" in path or ".." in path.split("/") or (text and not path):
        image.note("C027", f"`{text}` is no place in a bundle", "file", hint="write the tar's path, such as /image.tar")
        return ""
    return posixpath.normpath(path) if path else ""


def _resources(configuration: Fields) -> tuple[Resources, bool]:
    default = Resources(cpus=1.0, memory=DEFAULT_MEMORY, gpus=0)
    fields = configuration.child("resources")
    if fields is None:
        return default, False
    memory = _memory(fields)
    cpus, gpus = fields.get("cpus", int, 1), fields.get("gpus", int, 0)
    if cpus < 1:
        fields.note("C024", f"a task needs at least one CPU, not {cpus}", "cpus")
    if gpus < 0:
        fields.note("C025", f"`gpus` is negative ({gpus})", "gpus")
    internet = fields.get("internet", bool, False)
    if fields.has("vram"):
        message = "`vram` was removed from the contract and is ignored"
        fields.note("C026", message, "vram", severity="warning", hint="say `gpus: 1` and describe the memory in words")
    fields.unknown()
    return Resources(float(min(max(cpus, 1), 1_000_000)), memory, max(gpus, 0)), internet


def _memory(fields: Fields) -> int:
    if isinstance(fields.data.get("ram"), int | float) and not isinstance(fields.data["ram"], bool):
        fields.has("ram")
        fields.note("C022", f"`ram` {fields.data['ram']} has no unit", "ram", hint="write for example 500Mi or 2Gi")
        return DEFAULT_MEMORY
    text = fields.get("ram", str)
    if text is None:
        return DEFAULT_MEMORY
    try:
        memory, plain = parse_size(text)
    except ValueError as error:
        fields.note("C022", f"`ram`: {error}", "ram")
        return DEFAULT_MEMORY
    if memory < 1:
        fields.note("C022", "`ram` is nothing at all", "ram")
    if plain != text:
        message = f"the public engine can't start a task with ram `{text}`; it is read as {plain}"
        fields.note("C023", message, "ram", severity="warning", hint=f"write {plain}")
    return memory


def _parameters(top: Fields, side: Any, folder: str, dependencies: Dependencies) -> tuple[Port, ...]:
    section = top.child(side, required=True)
    if section is None:
        return ()
    ports = []
    folded: dict[str, str] = {}
    for name in section.data:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            hint = "the public engine takes them for one; rename one"
            section.note("C031", f"`{name}` and `{other}` differ only in upper and lower case", name, hint=hint)
        port = parameter(section, name, side, folder)
        raw = section.data[name]
        if isinstance(raw, dict) and "dependencies" in raw:
            fields = Fields(raw, section.problems, CODES, (*section.path, name))
            dependencies.read((side, name), fields)
        if port is not None:
            ports.append(port)
    return tuple(ports)
