"""What a docstring says: the text on the whole and on each argument, in four styles (manifest tools, 3.9.4).

Compatible reading is that of the public tool: one section that can't be read loses all descriptions. Our own reading
differs in that and little else: what can't be read is left out, or mended where the meaning is plain.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import NamedTuple

from docstring_parser import epydoc, google, numpydoc, rest
from docstring_parser.common import Docstring, DocstringParam, ParseError

_TITLES = "|".join(section.title for section in google.DEFAULT_SECTIONS)
_TITLE = re.compile(rf"^({_TITLES}):[ \t\r\f\v]*$", re.MULTILINE)
_STYLES = {
    rest: re.compile("^:", re.MULTILINE),
    google: _TITLE,
    numpydoc: re.compile(r"^(-{4,}[ \t]*$|\.\. deprecated)", re.MULTILINE),
    epydoc: re.compile("^@", re.MULTILINE),
}
"""The styles in the order of the public tool, each with what a text has that the style finds an item in."""
_DASH = re.compile(r"^(\*{0,2}\w+(?: *\([^)]*\))?) +[-–—]+ +(?=\S)")


class Described(NamedTuple):
    """The description of a function or class, and those of its arguments by name.

    ``fault`` says what makes the public tool give up on the arguments, in the compatible reading.
    """

    short: str | None
    text: str
    arguments: Mapping[str, str]
    fault: str = ""


NOTHING = Described(None, "", {})


def read(docstring: str | None, compatible: bool = False) -> Described:
    """What a docstring says. Raises ValueError where the compatible reading crashes: a field without a name."""
    if docstring is None:
        return NOTHING
    return _compatible(docstring) if compatible else _own(docstring)


def flat(text: str) -> str:
    """A text on one line, as descriptions of arguments are written; tabs and outer blanks stay."""
    return re.sub(" {2,}", " ", text.replace("\n", " "))


def summary(docstring: str, compatible: bool = False) -> str | None:
    """What a definition is described by: the first line in the compatible reading, else the first paragraph."""
    text = inspect.cleandoc(docstring)
    if any(mark.search(text) for mark in _STYLES.values()):
        described = read(docstring, compatible)
        if compatible or described.short is None:
            return described.short
        text = described.text.strip()
    elif compatible:
        return text.split("\n", 1)[0] or None
    return flat(re.split(r"\n[ \t]*\n", text, maxsplit=1)[0]) or None


def _compatible(docstring: str) -> Described:
    try:
        best = max(_parsed(docstring), key=lambda parsed: len(parsed.meta))  # the first of equals
    except IndexError as error:
        raise ValueError(f"the docstring can't be parsed: {error}") from error
    empty = [item.arg_name for item in best.params if item.description is None]
    fault = f"the docstring lists `{empty[0]}`, but says nothing of it" if empty else ""
    return Described(best.short_description, _text(best), _texts(best), fault)


def _parsed(docstring: str) -> Iterator[Docstring]:
    for style in _styles(inspect.cleandoc(docstring)):
        try:
            yield style.parse(docstring)
        except ParseError:
            continue


def _styles(text: str) -> list[ModuleType]:
    """The styles that may find an item in a text, and one that never fails: what has no items is for the first word."""
    marked = [style for style, mark in _STYLES.items() if mark.search(text)]
    return [*marked, numpydoc] if rest in marked else [rest, *marked]


def _text(parsed: Docstring) -> str:
    parts = [part for part in (parsed.short_description, parsed.long_description) if part]
    return ("\n\n" if parsed.blank_after_short_description else "\n").join(parts)


def _own(docstring: str) -> Described:
    text = inspect.cleandoc(docstring.replace("\r\n", "\n"))
    readings = [_reading(style, text) for style in _styles(text)]
    if _TITLE.match(text):  # a parser cleans once more, which takes the indentation of this section away
        described, count = _reading(google, "_\n\n" + _indented(text))
        readings.append((described._replace(short=None, text=described.text.removeprefix("_").lstrip("\n")), count))
    best = max(readings, key=lambda reading: reading[1])[0]
    texts: dict[str, str] = {}
    for described, _ in reversed(readings):  # what another style finds is better than nothing
        texts |= described.arguments
    return best._replace(arguments={**texts, **best.arguments})


def _indented(text: str) -> str:
    """The text with the indentation that a section on the very first line has lost by cleaning."""
    first, _, rest = text.partition("\n")
    lines = rest.split("\n")
    if not _TITLE.match(first) or not rest.strip() or lines[0][:1] in ("", " ", "\t"):
        return text
    return "\n".join([first, *(line if not line or _TITLE.match(line) else f"    {line}" for line in lines)])


def _reading(style: ModuleType, text: str) -> tuple[Described, int]:
    """What one style makes of a text, and the number of its items; piece by piece where it can't read the whole."""
    try:
        parsed = style.parse(text)
        return Described(parsed.short_description, _text(parsed), _texts(parsed)), len(parsed.meta)
    except Exception:  # a parser's own faults are no reason to lose a manifest
        parts = list(_google_items(text) if style is google else _fields(text, "@" if style is epydoc else ":"))
    described: dict[str, str] = {}
    count = 0
    for piece in parts[1:]:
        try:
            parsed = style.parse(piece)
        except Exception:  # noqa: S112 - this piece is what could not be read; the others count
            continue
        described |= _texts(parsed)
        count += len(parsed.meta)
    head: Docstring = numpydoc.parse(parts[0])  # which never fails
    return Described(head.short_description, _text(head), described), count


def _texts(parsed: Docstring) -> dict[str, str]:
    items: list[DocstringParam] = parsed.params
    return {item.arg_name: flat(item.description) for item in items if item.description is not None}


def _fields(text: str, mark: str) -> Iterator[str]:
    """The text before the first field, then each field."""
    yield from re.split(rf"^(?={mark})", text, flags=re.MULTILINE) or [""]


def _google_items(text: str) -> Iterator[str]:
    """The text before the first section, then each item as a section of its own."""
    head, *sections = _TITLE.split(text)
    yield head
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        body = re.split(r"\n(?=\S)", body.lstrip("\n"), maxsplit=1)[0].strip("\n")
        indent = re.match(r"[ \t]*", body)
        items: list[str] = []
        for item in re.split(rf"^{indent.group() if indent else ''}(?=\S)", body, flags=re.MULTILINE):
            item = _DASH.sub(r"\1: ", item)  # `name - text` is meant as `name: text`
            if items and ":" not in item.split("\n", 1)[0]:  # more of the item before, at its own indentation
                items[-1] = f"{items[-1].rstrip()}\n        {item}"
            elif item.strip():
                items.append(item)
        yield from (f"_\n\n{title}:\n    {item}" for item in items)
