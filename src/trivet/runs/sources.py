"""Finding documents: what a user names (a file, a directory, an archive, a package, an image) becomes sources."""

# ruff: noqa: PTH100, PTH109, PTH110, PTH112, PTH113, PTH118, PTH119, PTH120 (names stay text here: os.path never raises where Path does)
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.contracts import LOOKED_FOR, detect
from trivet.contracts.source import Source, decode, load
from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions
    from trivet.tasks.work import Login

SUFFIXES = (".json", ".yml", ".yaml", ".zip")
"""Endings of the files that may hold a document, when a directory is walked."""

USUAL_NAMES = (
    "processing-container.json",
    "task.json",
    "descriptor.yml",
    "descriptor.yaml",
    "__FRACTAL_MANIFEST__.json",
)
"""Names that say what a file is meant to be, however broken it is."""

_SKIPPED = ("node_modules", "__pycache__", "venv", "site-packages")
_SAVED_IMAGES = (".tar", ".tar.gz", ".tgz")
_ARCHIVES = (".zip", ".whl", *_SAVED_IMAGES)


def find(target: str, python: str | None = None) -> list[Source]:
    """The documents a target names, at least one.

    ``target`` is a file, a directory, a Cytomine bundle, a wheel, a package (``NAME`` or ``NAME==VERSION``), a
    container image, or the archive of one; ``python`` names the environment a package is installed in (its prefix or
    its interpreter; None: those that were collected, then this one).
    Raises ProblemsError with everything that stands in the way.
    """
    sources, problems = search(target, python)
    if problems and not sources:
        raise ProblemsError(problems)
    return sources


def search(target: str, python: str | None = None) -> tuple[list[Source], list[Problem]]:
    """As `find`, but what can't be read is told beside what can: a directory may hold both."""
    try:
        if os.path.isdir(target):
            sources, problems = _directory(target)
            return _placed(sources, python), problems
        if os.path.lexists(target) or _is_path(target):
            return _placed(_wheel(target) if target.lower().endswith(".whl") else [_file(target)], python), []
        return _named(target, python), []
    except ProblemsError as error:
        return [], list(error.problems)


def split(target: str) -> tuple[str, str | None]:
    """A target ``PATH#task`` in its two parts; a file whose own name has a ``#`` is left whole."""
    path, mark, task = target.rpartition("#")
    if not mark or not path or os.path.lexists(target):
        return target, None
    return path, task


def complete(source: Source, from_image: bool = True, options: TemplateOptions | None = None) -> Source:
    """A Kaapana task.json that names a template gets its container file, and what `with_options` gives it.

    The file is that of the image, which is what runs; its registry is shown the task's own login. Where the image
    can't be had, it is the one beside the task or one directory further up (projects keep their tasks in ``tasks/``).
    Everything else is returned as it is. Raises ProblemsError when the file can't be had; without ``from_image`` only
    the directories are looked into, and a file that is missing stays missing.
    """
    from trivet.contracts import kaapana

    source = with_options(source, options)
    near = _container_file(source)
    known = kaapana.CONTAINER_FILE in source.attachments or source.name.endswith(kaapana.CONTAINER_FILE)
    if known or not (from_image or near) or detect(source) != "kaapana":
        return source
    document = kaapana.read(source)
    image = kaapana.image_of(document)
    if image is None:
        return source
    text = _container(image, kaapana.login_of(document), near, from_image).text
    return replace(source, attachments={**source.attachments, kaapana.CONTAINER_FILE: text})


def _container(image: str, login: Login | None, near: Path | None, from_image: bool) -> Source:
    if near is None:
        return in_image(image, login)
    if from_image:
        with suppress(ProblemsError):
            return in_image(image, login)
    return load(near)


def outdated(source: Source) -> Iterator[Problem]:
    """A word about the container file near a completed Kaapana task.json that says something else than its image."""
    from trivet.contracts.kaapana import CONTAINER_FILE

    used, near = source.attachments.get(CONTAINER_FILE), _container_file(source)
    if used is None or near is None:
        return
    try:
        same = load(near).parsed[0] == Source(CONTAINER_FILE, used, source.base).parsed[0]
    except ProblemsError:
        same = False
    if not same:
        message = f"{near} is not what is in the image; the image's own {CONTAINER_FILE} counts"
        yield Problem(
            "T019", message, "warning", "build the image again, if it is the one this file is for", source.name
        )


def _container_file(source: Source) -> Path | None:
    """The container file beside a task.json, or one directory further up."""
    from trivet.contracts.kaapana import CONTAINER_FILE

    places = (path / CONTAINER_FILE for path in (source.base, source.base.parent))
    return next((path for path in places if path.is_file()), None)


def with_options(source: Source, options: TemplateOptions | None) -> Source:
    """A Kaapana task.json with templates in its text gets the options they are filled by, unless it has them, with
    the next ``.env`` file from the working directory upward; everything else is returned as it is."""
    if "{{" not in source.text and "{%" not in source.text:
        return source
    from trivet.contracts.kaapana import template_options

    if template_options.ATTACHMENT in source.attachments or detect(source) != "kaapana":
        return source
    options = options or template_options.TemplateOptions()
    if options.env_file is None:
        options = options._replace(env_file=_env_file())
    return template_options.attach(source, options)


def _env_file() -> tuple[str, str] | None:
    """Name and text of the next ``.env`` file from the working directory upward; one that can't be read is no file."""
    directory = os.path.abspath(os.getcwd())
    while True:
        path = os.path.join(directory, ".env")
        if os.path.isfile(path):
            try:
                return path, load(Path(path)).text
            except ProblemsError:
                return None
        if directory == (above := os.path.dirname(directory)):
            return None
        directory = above


def _placed(sources: list[Source], python: str | None) -> list[Source]:
    """The sources of files, in the environment that was named for what they describe."""
    if python is None:
        return sources
    from trivet.packages.manifests import prefix_of

    return [replace(source, prefix=prefix_of(python)) for source in sources]


def _is_path(target: str) -> bool:
    return target.startswith(("/", ".", "~")) or target.lower().endswith((*SUFFIXES, *_ARCHIVES))


def _file(target: str) -> Source:
    if target.lower().endswith(".zip") and os.path.isfile(target):
        return _bundle(target)
    if target.lower().endswith(_SAVED_IMAGES) and os.path.isfile(target):
        return _saved_image(target)
    return load(Path(target))


def _bundle(target: str) -> Source:
    from trivet.contracts.cytomine.bundle import open_bundle

    return open_bundle(Path(target))


def _wheel(target: str) -> list[Source]:
    from trivet.packages.manifests import in_wheel

    return in_wheel(Path(target))


def _directory(target: str) -> tuple[list[Source], list[Problem]]:
    sources: list[Source] = []
    problems: list[Problem] = []
    for path in _candidates(target, problems):
        if path.lower().endswith(".zip") and not _is_bundle(path):
            continue
        usual = os.path.basename(path) in USUAL_NAMES or path.lower().endswith(".zip")
        try:
            source = _file(path)
        except ProblemsError as error:
            if usual:
                problems += error.problems
            else:
                # Nobody can say whether it is a document, only that it could not be looked at.
                problems += [replace(problem, severity="warning") for problem in error.problems if _unread(problem)]
            continue
        if detect(source) is not None or (usual and source.parsed[1] is not None):
            sources.append(source)
    if not sources and not problems:
        message = "no task document was found in this directory"
        problems.append(Problem("T011", message, hint=f"looked for {LOOKED_FOR}", file=target))
    return sources, problems


def _is_bundle(path: str) -> bool:
    """True for a zip that was meant to be a Cytomine bundle; other archives are none of our business."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            return any(name.lower().endswith(("descriptor.yml", "descriptor.yaml")) for name in archive.namelist())
    except (OSError, BadZipFile, NotImplementedError, ValueError):
        return False


def _unread(problem: Problem) -> bool:
    return problem.code == "T001"


def _candidates(target: str, problems: list[Problem]) -> Iterator[str]:
    """Files below a directory that may hold a document, in the order of their names."""

    def unreadable(error: OSError) -> None:
        message = f"the directory can't be read: {error.strerror or error}"
        problems.append(Problem("T001", message, file=str(error.filename)))

    for directory, directories, files in os.walk(target, onerror=unreadable):
        directories[:] = sorted(name for name in directories if not _skipped(directory, name))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.normpath(os.path.join(directory, name))


def _skipped(directory: str, name: str) -> bool:
    """Hidden directories, those of tools, environments, and image data, whose thousands of JSON files are no tasks."""
    if name.startswith(".") or name in _SKIPPED or name.endswith(".zarr"):
        return True
    return os.path.exists(os.path.join(directory, name, "pyvenv.cfg"))


def _named(target: str, python: str | None) -> list[Source]:
    """A collected package, an installed one, or a container image."""
    from trivet.packages import manifests

    tried = ["a file or directory"]
    if python is None:
        from trivet.packages import registered
        from trivet.records import home

        # What was collected on purpose comes before what happens to be installed beside Trivet.
        sources = registered.named(home(), target)
        if sources is not None:
            return sources
    if manifests.is_name(target):
        sources = manifests.installed(target, python)
        if sources is not None:
            return sources
        tried.append(f"a package installed in {manifests.prefix_of(python)}")
    try:
        # A single word is no image to be looked for in the whole world.
        return [in_image(target, remote=any(mark in target for mark in "/:@"))]
    except ProblemsError as error:
        message = f"this is neither {', nor '.join(tried)}, nor an image: "
        hint = "check the path; `trivet fractal collect` gets packages of tasks, --python names the environment of one"
        found = (replace(problem, message=message + problem.message, hint=hint) for problem in error.problems)
        raise ProblemsError(found) from None


def in_image(reference: str, login: Login | None = None, remote: bool = True) -> Source:
    """The processing-container.json at the root of an image (Kaapana Task API)."""
    from trivet.contracts.kaapana import CONTAINER_FILE
    from trivet.runs import image_files

    name = f"{reference}:/{CONTAINER_FILE}"
    text = decode(image_files.read_file(reference, f"/{CONTAINER_FILE}", login, remote), name)
    return Source(name, text, Path.cwd(), image=reference)


def _saved_image(target: str) -> Source:
    """The processing-container.json at the root of an image in an archive (Kaapana Task API)."""
    from trivet.contracts.kaapana import CONTAINER_FILE
    from trivet.runs import image_files

    raw, reference = image_files.in_archive(target, f"/{CONTAINER_FILE}")
    name = f"{target}:/{CONTAINER_FILE}"
    return Source(name, decode(raw, name), Path.cwd(), image=reference, archive=Path(target).absolute())
