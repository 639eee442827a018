"""The lock file: it holds what pyproject.toml asks for, and nothing of the place where it was made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked() -> dict[str, list[str]]:
    """Versions by name; one name may have several, each for other platforms."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", LOCK, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def test_everything_that_is_asked_for_is_locked_in_a_version_that_fits() -> None:
    groups = [PROJECT["dependency-groups"][name] for name in ("test", "lint", "docs")]
    extras = PROJECT["project"]["optional-dependencies"].values()
    asked = [text for texts in (PROJECT["project"]["dependencies"], *extras, *groups) for text in texts]
    versions = locked()
    for requirement in map(Requirement, asked):
        if requirement.name != "trivet":
            found = versions.get(canonicalize_name(requirement.name), [])
            assert found, f"{requirement.name} is not locked; run scripts/lock.py"
            assert all(version in requirement.specifier for version in found), f"{requirement}: {found}"


def test_every_file_is_known_by_its_hash() -> None:
    blocks = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) > 20
    assert all("--hash=sha256:" in block for block in blocks)


def test_no_address_is_in_it() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^-", LOCK, re.MULTILINE)
