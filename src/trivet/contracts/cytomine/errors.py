"""The public engine's error codes for our problem codes, where it has one (App Engine, error model)."""

from __future__ import annotations

_VALUE = "APPE-internal-request-validation-error"
_SCHEMA = "APPE-internal-bundle-schema-validation-error"
_BUNDLE = "APPE-internal-bundle-validation-error"

APPE: dict[str, str] = {
    **{f"C0{number:02}": _SCHEMA for number in range(100)},
    "C100": _BUNDLE,
    "C101": _BUNDLE,
    "C106": _BUNDLE,
    "C108": _BUNDLE,
    "C200": "APPE-internal-missing-output-files",
    "C201": "APPE-internal-is-directory",
    "C202": _VALUE,
    "C203": _VALUE,
    "C204": "APPE-internal-extra-output-files",
    "C205": "APPE-internal-missing-metadata",
    "C206": "APPE-internal-invalid-dimensions",
    "C207": _VALUE,
    "C209": _VALUE,
    "C210": _VALUE,
    "C211": _VALUE,
    "C212": _VALUE,
    "C213": _VALUE,
    "C214": "APPE-internal-not-matching",
    "C217": "APPE-internal-is-blank",
}
