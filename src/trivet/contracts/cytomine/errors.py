"""The public engine's error code for each of our problem codes (App Engine, error model), for its clients."""

from __future__ import annotations

_SCHEMA = "APPE-internal-bundle-schema-validation-error"
_BUNDLE = "APPE-internal-bundle-validation-error"
_VALUE = "APPE-internal-request-validation-error"
_SPECIAL = {
    "C200": "APPE-internal-missing-output-files",
    "C201": "APPE-internal-is-directory",
    "C204": "APPE-internal-extra-output-files",
    "C205": "APPE-internal-missing-metadata",
    "C206": "APPE-internal-invalid-dimensions",
    "C214": "APPE-internal-not-matching",
    "C217": "APPE-internal-is-blank",
}


def public_code(code: str) -> str:
    """The code the public engine gives for a problem of this contract: of a descriptor, a bundle or a value."""
    return _SPECIAL.get(code) or {"C0": _SCHEMA, "C1": _BUNDLE}.get(code[:2], _VALUE)
