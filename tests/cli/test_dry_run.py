"""``trivet run --dry-run`` on the real command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


def documents(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def test_a_pod_is_printed_and_nothing_is_left(trivet: Any, container: Path, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    (scans / "item").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    words = ["run", str(container), "--image", "lab/tools:1", "--input", f"in={scans}", "--dry-run"]
    nowhere = {"DOCKER_HOST": "unix:///nowhere.sock", "CONTAINER_HOST": "unix:///nowhere.sock"}
    shown = trivet(*words, "--engine", "kubernetes", "--namespace", "lab", env=nowhere)
    [pod] = documents(shown.stdout)
    assert (shown.returncode, pod["kind"], pod["metadata"]["namespace"]) == (0, "Pod", "lab")
    shown = trivet(*words, "--engine", "kubernetes", "--namespace", "lab", "--json", env=nowhere)
    assert json.loads(shown.stdout) == {"apiVersion": "v1", "kind": "List", "items": [pod]}
    [asked] = documents(trivet(*words, "--command-as-args", env=nowhere).stdout)
    assert (asked["kind"], asked["Cmd"]) == ("Container", ["python3", "convert.py"])
    assert json.loads(trivet(*words, "--command-as-args", "--json", env=nowhere).stdout) == [asked]
    assert [path for path in sorted(tmp_path.rglob("*")) if "home" not in path.parts] == before
    refused = trivet(*words, "--engine", "kubernetes", env=nowhere)
    assert (refused.returncode, "B019 no namespace is given" in refused.stderr) == (1, True)
    assert refused.stdout == ""
    wrong = trivet(*words, "--user", "bob")
    assert (wrong.returncode, "'bob' is neither `caller` nor numbers" in wrong.stderr) == (2, True)
