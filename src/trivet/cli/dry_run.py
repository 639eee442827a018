"""`trivet run --dry-run`: what would be started, printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import yaml

from trivet.cli.reporting import problem_lines
from trivet.runs import rehearsal
from trivet.runs.options import Options
from trivet.runs.start import KUBERNETES
from trivet.tasks.call import Call


class _Dumper(yaml.SafeDumper):
    """Scripts are shown as they stand in their files."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if text.endswith("\n") and text.startswith("#!") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def print_documents(documents: Sequence[rehearsal.Document]) -> None:
    """Print plain data as YAML documents."""
    yaml.dump_all(documents, sys.stdout, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def show(call: Call, options: Options, as_json: bool, show_secrets: bool) -> int:
    """Print what would be started for every unit: YAML documents, or one JSON list (for Kubernetes, a ``List``).

    What is to be said of it goes to stderr.
    """
    documents: list[rehearsal.Document] = []
    for unit in rehearsal.rehearse(call, options, show_secrets):
        for note in unit.notes:
            print(*problem_lines(note), sep="\n", file=sys.stderr)
        documents += [one for one in unit.documents if one["kind"] != "Secret" or one not in documents[:1]]
    if as_json and options.engine == KUBERNETES:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}, indent=2, ensure_ascii=False))
    elif as_json:
        print(json.dumps(documents, indent=2, ensure_ascii=False))
    else:
        print_documents(documents)
    if any(document["kind"] == "Secret" for document in documents) and not show_secrets:
        print("passwords are shown as ***; --show-secrets shows them", file=sys.stderr)
    return 0
