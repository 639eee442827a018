"""What the commands for datasets share: how datasets, images and filters are named, and how refusals are told."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trivet.cli.reporting import problem_lines
from trivet.datasets.exchange import Content
from trivet.datasets.filters import FILTER, matching, read_attribute_filters, read_type_filters
from trivet.datasets.imagelist import ImageList
from trivet.datasets.images import URL, Image
from trivet.datasets.urls import normalize_url
from trivet.records import home
from trivet.records.datasets import DamagedError, DatasetDirectory, Version, find, neighbours
from trivet.tasks.problem import Problem, ProblemsError, closest

if TYPE_CHECKING:
    from trivet.datasets.scalars import Scalar

T = TypeVar("T")
SHARED, UNKNOWN, EXISTS, UNUSABLE, REFUSED = "D004", "D005", "D006", "D010", "D011"
"""Codes of problems: a shared directory, no such dataset or version, a name that is taken, files that can't be used,
a change that can't be made."""

Command = TypeVar("Command", bound=Callable[..., Any])


def filter_options(command: Command) -> Command:
    """Give a command ``--type`` and ``--attribute``."""
    types = click.option(
        "--type", "types", multiple=True, metavar="NAME=BOOLEAN", help="Only images of this type (false: without it)."
    )
    attributes = click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="NAME=VALUE[,VALUE]",
        help="Only images with one of these values; may be given several times.",
    )
    return types(attributes(command))


def version_option(command: Command) -> Command:
    """Give a command ``--version``, the number of a version."""
    return click.option("--version", "number", type=click.IntRange(min=1), help="Not the newest version, but this.")(
        command
    )


def opened(word: str, number: int | None = None) -> tuple[DatasetDirectory, Version]:
    """A dataset by its name or directory, and one of its versions. Raises ProblemsError."""
    try:
        dataset = find(home(), word)
    except LookupError as error:
        raise ProblemsError([Problem(UNKNOWN, str(error))]) from None
    guarded(dataset.header)
    try:
        return dataset, guarded(lambda: dataset.read(number))
    except KeyError:
        hint = f"trivet dataset show {word} --versions lists them"
        raise ProblemsError([Problem(UNKNOWN, f"dataset {word} has no version {number}", hint=hint)]) from None


def guarded(work: Callable[[], T]) -> T:
    """What some work on a dataset gives; refusals and files that can't be used become a ProblemsError."""
    try:
        return work()
    except FileExistsError as error:
        message = f"there is a dataset {os.path.basename(error.filename)} already"  # noqa: PTH119
        raise ProblemsError([Problem(EXISTS, message, hint="take another name")]) from None
    except OSError as error:
        raise ProblemsError([Problem(UNUSABLE, f"{error.filename}: {error.strerror}")]) from None
    except DamagedError as error:
        raise ProblemsError([Problem(UNUSABLE, str(error))]) from None
    except ProblemsError:
        raise
    except ValueError as error:
        raise ProblemsError([Problem(REFUSED, str(error))]) from None


def selected(images: ImageList, types: Sequence[str], attributes: Sequence[str]) -> list[Image]:
    """The images that options choose. Raises ProblemsError."""
    wanted_types, wanted_values = filters(images, types, attributes)
    tell(strange(images, wanted_types, wanted_values))
    return matching(images.values(), wanted_types, wanted_values)


def filters(
    images: ImageList, types: Sequence[str], attributes: Sequence[str]
) -> tuple[dict[str, bool], dict[str, tuple[Scalar, ...]]]:
    """The filters that options mean, by type and by attribute. Raises ProblemsError.

    What looks like a number is text where the images have texts for that attribute.
    """
    problems: list[Problem] = []
    wanted_types = read_type_filters(dict(pair(word) for word in types), problems)
    given: dict[str, list[str]] = {}
    for word in attributes:
        name, text = pair(word)
        given.setdefault(name, []).extend(_several(text))
    texts = {name for image in images.values() for name in given if isinstance(image.attributes.get(name), str)}
    values = {name: words if name in texts else [scalar(word) for word in words] for name, words in given.items()}
    wanted_values = read_attribute_filters(values, problems)
    if wanted_types is None or wanted_values is None:
        raise ProblemsError(problems)
    return wanted_types, wanted_values


def strange(images: ImageList, types: Iterable[str], attributes: Iterable[str]) -> Iterator[Problem]:
    """A warning for each name in a filter that no image has: probably a misspelt one."""
    known_types = dict.fromkeys(name for image in images.values() for name in image.types)
    known = dict.fromkeys(name for image in images.values() for name in image.attributes)
    for kind, names, there in (("type", types, known_types), ("attribute", attributes, known)):
        for name in names:
            if name not in there:
                yield Problem(FILTER, f"no image has the {kind} `{name}`", "warning", hint=closest(name, there))


def pair(word: str) -> tuple[str, str]:
    """Name and value of ``NAME=VALUE``. Raises ProblemsError."""
    name, sign, value = word.partition("=")
    if not sign or not name.strip():
        raise ProblemsError([Problem(FILTER, f"{word!r} is not of the form NAME=VALUE")])
    return name.strip(), value


def scalar(text: str) -> Scalar:
    """A number, true or false where a text is one in JSON, otherwise the text."""
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def url_of(text: str) -> str:
    """A URL as the command line takes it: relative paths count from here. Raises ProblemsError."""
    try:
        if not text.strip() or "://" in text:
            return normalize_url(text)
        return normalize_url(os.path.abspath(text))  # noqa: PTH100 (links stay links)
    except ValueError as error:
        raise ProblemsError([Problem(URL, str(error))]) from None


def made(content: Content, by: str) -> DatasetDirectory:
    """A new dataset; tells where it is and who shares its directory. Raises ProblemsError."""
    others = neighbours(home(), content.zarr_dir)
    dataset = guarded(lambda: DatasetDirectory.create(home(), content, time.time(), {"command": by}))
    for other in others:
        message = f"dataset {other.path.name} has its images in {other.zarr_dir}, too"
        hint = "tasks on one may change or overwrite the images of the other"
        tell([Problem(SHARED, message, "warning", hint=hint)])
    print(f"{content.name}: {counted(content.images)} below {content.zarr_dir}", file=sys.stderr)
    return dataset


def counted(images: Collection[object]) -> str:
    """How many images these are."""
    return f"{len(images)} image{'' if len(images) == 1 else 's'}"


def tell(problems: Iterable[Problem]) -> None:
    """Write findings to stderr."""
    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)


def _several(text: str) -> list[Any]:
    """The values of ``A,B``, or of a JSON list, in which commas may stand."""
    if text.startswith("["):
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if isinstance(values, list):
            return values
    return text.split(",")
