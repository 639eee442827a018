"""Every problem code of the contract is documented, and has its place among the public engine's codes."""

from __future__ import annotations

import re
from pathlib import Path

from trivet.contracts import cytomine
from trivet.contracts.cytomine.errors import public_code

PAGE = Path(__file__).resolve().parents[3] / "docs/contracts/cytomine.md"


def test_every_code_is_in_the_documentation() -> None:
    rooms = Path(cytomine.__file__).parent.glob("*.py")
    used = {code for room in rooms if room.name != "errors.py" for code in re.findall(r'"(C\d{3})"', room.read_text())}
    table = PAGE.read_text().partition("## What is checked")[2].partition("\n## ")[0]
    assert set(re.findall(r"C\d{3}", table)) == used


def test_codes_of_the_public_engine() -> None:
    assert public_code("C013") == "APPE-internal-bundle-schema-validation-error"
    assert public_code("C108") == "APPE-internal-bundle-validation-error"
    assert public_code("C203") == "APPE-internal-request-validation-error"
    assert public_code("C214") == "APPE-internal-not-matching"
