"""The public engine's error for each of our problem codes (App Engine, error model), for its clients."""

from __future__ import annotations

from typing import NamedTuple


class PublicError(NamedTuple):
    """An error as clients of the public engine know it."""

    code: str
    message: str


_SCHEMA = PublicError("APPE-internal-bundle-schema-validation-error", "schema validation failed for descriptor.yml")
_FIELD = "APPE-internal-bundle-io-schema-validation-error"
_BUNDLE, _VALUE = "APPE-internal-bundle-validation-error", "APPE-internal-request-validation-error"
_IMAGE = "APPE-internal-bundle-image-validation-error"
_EXTRACTION = PublicError("APPE-internal-descriptor-extraction-error", "could not extract descriptor.yml")
_CONSTRAINT = PublicError(_VALUE, "value does not match defined constraint.")
_GEQ = PublicError(_VALUE, "value must be greater than or equal to define constraint")
_LEQ = PublicError(_VALUE, "value must be less than or equal to defined constraint")

_ERRORS = {
    "B001": PublicError("APPE-internal-parameter-not-found", "parameter not found"),
    "B002": PublicError("APPE-internal-task-run-provisions-not-found", "not provisioned"),
    "B003": PublicError(_VALUE, "invalid parameter type"),
    "T002": _EXTRACTION,
    "T003": _EXTRACTION,
    "T004": _EXTRACTION,
    "C100": PublicError(_BUNDLE, "unknown task bundle archive format"),
    "C101": PublicError(_BUNDLE, "descriptor is not in the default location"),
    "C108": PublicError(_BUNDLE, "image not found in configured place in descriptor and not in the root directory"),
    "C110": PublicError("APPE-internal-image-extraction-error", "failed to extract docker image tar"),
    "C111": PublicError(_IMAGE, "docker image is not valid: manifest is missing"),
    "C112": PublicError("APPE-internal-image-validation-error", "unknown image archive format"),
    "C200": PublicError("APPE-internal-missing-output-files", "output file is missing for parameter"),
    "C201": PublicError("APPE-internal-is-directory", "output file for parameter is a directory"),
    "C202": _CONSTRAINT,
    "C203": _CONSTRAINT,
    "C204": PublicError("APPE-internal-extra-output-files", "extra output files for parameter"),
    "C205": PublicError("APPE-internal-missing-metadata", "array.yml is missing or malformed"),
    "C206": PublicError("APPE-internal-invalid-dimensions", "invalid collection dimensions"),
    "C207": PublicError(_VALUE, "failed to parse the given GeoJSON object"),
    "C209": PublicError(_VALUE, "invalid file format"),
    "C210": PublicError(_VALUE, "invalid image format"),
    "C211": PublicError(_VALUE, "invalid image dimension"),
    "C212": PublicError(_VALUE, "invalid image width"),
    "C213": PublicError(_VALUE, "invalid size"),
    "C214": PublicError("APPE-internal-not-matching", "matched arrays differ in size"),
    "C217": PublicError("APPE-internal-is-blank", "file for parameter is blank"),
    "C218": PublicError(_VALUE, "invalid image height"),
    "C220": PublicError(_VALUE, "invalid parameter type"),
    "C221": PublicError(_VALUE, "value must be greater than defined constraint"),
    "C222": _GEQ,
    "C223": PublicError(_VALUE, "value must be less than defined constraint"),
    "C224": _LEQ,
    "C225": PublicError(_VALUE, "value cannot be infinity"),
    "C226": PublicError(_VALUE, "value cannot be nan"),
    "C227": PublicError(_VALUE, "date must be after the defined constraint"),
    "C228": PublicError(_VALUE, "date must be before the defined constraint"),
    "C229": _GEQ,
    "C230": _LEQ,
    "C231": PublicError(_VALUE, "invalid GeoJSON object"),
    "C232": PublicError(_VALUE, "unsupported geometry type"),
    "C233": PublicError(_VALUE, "unsupported geometry subtype"),
    "C234": PublicError(_VALUE, "missing radius parameter"),
    "C235": PublicError("APPE-internal-invalid-structure", "invalid provision structure"),
    "C236": PublicError("APPE-internal-null-provision", "provision is null"),
    "C237": PublicError("APPE-internal-invalid-collection", "invalid feature collection"),
}


def public_error(code: str) -> PublicError:
    """The error the public engine gives for a problem of this contract: of a descriptor, a bundle or a value."""
    if code in _ERRORS:
        return _ERRORS[code]
    rooms = {"C0": _SCHEMA, "C1": PublicError(_BUNDLE, "Invalid bundle format"), "C2": _CONSTRAINT}
    return rooms.get(code[:2], PublicError("APPE-internal-server-error", "Server error."))


def public_field_code(code: str) -> str:
    """The code of one fault inside a larger error: a descriptor's faults come one by one inside a schema error."""
    public = public_error(code).code
    return _FIELD if public == _SCHEMA.code else public
