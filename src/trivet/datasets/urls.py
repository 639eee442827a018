"""Where an image is: URLs (absolute paths or ``s3://…``) in one normal form, compared by their components."""

from __future__ import annotations

import posixpath
from typing import Any

_S3 = "s3://"


def normalize_url(url: Any) -> str:
    """The normal form of a URL, in which equal places are equal texts.

    Blanks around it and slashes at its end are dropped; of a path also doubled slashes and ``.``. Raises ValueError
    for what is no text, empty, neither absolute nor ``s3://…``, has a component ``..``, or a last one that ends with a
    blank (which would be lost when it is read again).
    """
    if not isinstance(url, str):
        raise ValueError(f"{url!r} is not a URL as text")
    text = url.strip()
    if not text:
        raise ValueError("a URL can't be empty")
    if "\x00" in text:
        raise ValueError(f"{text!r} holds a NUL character")
    if ".." in text.split("/"):
        raise ValueError(f"{text!r} has a component `..`; write the path without it")
    if text.startswith("/"):
        normal = "/" + posixpath.normpath(text).lstrip("/")
    elif text.startswith(_S3) and text.rstrip("/") != "s3:":
        normal = text.rstrip("/")
    else:
        raise ValueError(f"{text!r} is neither an absolute path nor an s3:// URL")
    if normal != normal.strip():
        raise ValueError(f"{text!r} has a blank at the end of its last component")
    return normal


def is_within(url: str, base: str) -> bool:
    """True when a URL is ``base`` or lies below it, by components: ``/data/ds10`` is not within ``/data/ds1``.

    Raises ValueError as `normalize_url` does.
    """
    inner, outer = normalize_url(url), normalize_url(base)
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def join_url(base: str, *parts: str) -> str:
    """A URL below ``base``. Raises ValueError as `normalize_url` does."""
    return normalize_url("/".join([normalize_url(base), *parts]))
