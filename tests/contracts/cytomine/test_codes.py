"""Every problem code of the contract is documented, and has its place among the public engine's codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import trivet
from trivet.contracts.cytomine.errors import public_error, public_field_code

PAGE = Path(__file__).resolve().parents[3] / "docs/contracts/cytomine.md"


def test_every_code_is_in_the_documentation() -> None:
    table = PAGE.read_text().partition("## What is checked")[2].partition("\n## ")[0]
    assert set(re.findall(r"C\d{3}", table)) == used_codes()


def used_codes() -> set[str]:
    rooms = Path(trivet.__file__).parent.rglob("*.py")
    return {code for room in rooms if room.name != "errors.py" for code in re.findall(r'"(C\d{3})"', room.read_text())}


@pytest.mark.parametrize(
    ("code", "public", "message"),
    [
        ("C013", "APPE-internal-bundle-schema-validation-error", ""),
        ("C100", "APPE-internal-bundle-validation-error", "unknown task bundle archive format"),
        ("C103", "APPE-internal-bundle-validation-error", "Invalid bundle format"),
        ("C203", "APPE-internal-request-validation-error", "value does not match defined constraint."),
        ("C214", "APPE-internal-not-matching", ""),
        ("C221", "APPE-internal-request-validation-error", "value must be greater than defined constraint"),
        ("C223", "APPE-internal-request-validation-error", "value must be less than defined constraint"),
        ("C232", "APPE-internal-request-validation-error", "unsupported geometry type"),
        ("C235", "APPE-internal-invalid-structure", ""),
        ("C236", "APPE-internal-null-provision", ""),
        ("B001", "APPE-internal-parameter-not-found", "parameter not found"),
    ],
)
def test_errors_of_the_public_engine(code: str, public: str, message: str) -> None:
    error = public_error(code)
    assert error.code == public
    assert message in error.message


def test_faults_of_a_descriptor_have_a_code_of_their_own_inside_the_error() -> None:
    assert public_field_code("C013") == "APPE-internal-bundle-io-schema-validation-error"
    assert public_field_code("C203") == "APPE-internal-request-validation-error"


def test_no_code_of_a_value_is_taken_for_a_descriptors() -> None:
    for code in used_codes():
        schema = public_error(code).code == "APPE-internal-bundle-schema-validation-error"
        assert schema == code.startswith("C0")
