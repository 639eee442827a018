"""Write the pages of the reference that come from the code: the command line, and the codes of problems.

``make docs`` does so; a test fails while a page in the repository is not what this writes.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from trivet.cli.group import trivet
from trivet.contracts.fractal.lint.rules import OWN, RULES

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs/reference"
CODE = re.compile(r"[A-Z]\d{3}")
ROOMS = {
    "T": "Reading: files, documents, archives",
    "B": "Binding: the values that were given",
    "K": "Kaapana",
    "C": "Cytomine",
    "F": "Fractal",
    "P": "Task packages",
    "D": "Datasets",
    "W": "Workflow files, and what is looked at before a job",
    "S": "SLURM",
    "X": "Conversions between contracts",
    "R": "Trivet's own command",
}
SHARED = {
    "missing": "a field that must be there is missing",
    "type": "a field has a value of another type",
    "unknown": "an unknown field is ignored",
}


def pages() -> dict[Path, str]:
    """Every generated page with its content."""
    return {
        REFERENCE / "command-line.md": command_line(),
        REFERENCE / "problems.md": problems(),
        REFERENCE / "fractal-lint.md": lint_rules(),
    }


def command_line() -> str:
    lines = [
        "# Command line",
        "",
        "Generated from the commands themselves. What was asked for goes to standard output, everything else to",
        "standard error. Exit codes: 0 fine; 1 what was checked or run is bad; 2 wrong usage; 70 a fault in Trivet;",
        "130 interrupted; 141 the reader of the output went away. `trivet run` returns the task's own exit code where",
        "it has one.",
        "",
        "| variable | meaning |",
        "| --- | --- |",
        "| `TRIVET_HOME` | where runs are kept; else `$XDG_DATA_HOME/trivet`, else `~/.local/share/trivet` |",
        "| `TRIVET_INDEX` | the database that lists runs, as for `trivet runs --index` |",
        "| `TRIVET_DEBUG` | set to 1: a fault in Trivet shows its traceback |",
        "| `DOCKER_HOST`, `CONTAINER_HOST` | the socket of Docker, of Podman: `unix:///…` |",
        "",
    ]
    with click.Context(trivet, info_name="trivet", **trivet.context_settings) as context:
        for command, inner in commands(trivet, context):
            lines += [f"## {inner.command_path}", "", "<!-- not run: the command's own help -->", "```text"]
            lines += [line.rstrip() for line in command.get_help(inner).splitlines()]
            lines += ["```", ""]
    return "\n".join(lines)


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command of a group and of the groups in it, each with its context."""
    settings = {"terminal_width": 90, "max_content_width": 90}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        with click.Context(command, parent=context, info_name=name, **settings) as inner:
            yield command, inner
            if isinstance(command, click.Group):
                yield from commands(command, inner)


def problems() -> str:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "src/trivet").rglob("*.py")):
        for code, message in messages(ast.parse(path.read_text(encoding="utf-8"))):
            if message not in found[code] and (message or not found[code]):
                found[code].append(message)
    lines = [
        "# Problem codes",
        "",
        "Generated from the source. `…` stands for what is particular to the case; a code may be told in several ways.",
        "Every finding says where it is and, as far as it can be known, what to do.",
        "",
    ]
    for letter, room in ROOMS.items():
        lines += [f"## {letter}: {room}", "", "| code | what is said |", "| --- | --- |"]
        for code in sorted(code for code in found if code.startswith(letter)):
            said = [message.replace("|", "\\|").replace("\n", " ") for message in found[code] if " " in message]
            lines.append(f"| {code} | {'<br>'.join(said) or 'see the message'} |")
        lines.append("")
    return "\n".join(lines)


def lint_rules() -> str:
    """A section for every rule of the Fractal lint, of the rule's own data."""
    lines = [
        "# What Fractal's web form can't show",
        "",
        "Generated from the rules themselves. `trivet check` finds these in a manifest, at the line of Python that",
        "causes them where the package's sources stand beside it. The codes are those of the public tool, which stops",
        "at the first. In manifests of older generations (`pydantic_v1`, `pydantic_v2`), which that tool did not look",
        "at, they are warnings. Imports are left out of the examples.",
        "",
    ]
    for code, rule in RULES.items():
        lines += [f"## {code}: {rule.title}", "", f"An argument, or a part of one, {rule.what}. {rule.unseen}", ""]
        lines += ["```python", rule.wrong.strip(), "```", ""]
        lines += [f"Instead: {rule.rewrite}.", "", "```python", rule.right.strip(), "```", ""]
    lines += [
        "## I90, I91, I92: References",
        "",
        "The public tool ends with an error of its own where a union with null refers to a definition that it can't",
        "find. Schemas that pydantic 2 writes have no such references.",
        "",
        "## What the public tool lets pass",
        "",
        "Findings of our own, all of them warnings but F044.",
        "",
        "| code | what |",
        "| --- | --- |",
    ]
    lines += [f"| {code} | {what} |" for code, what in OWN.items()]
    return "\n".join(lines) + "\n"


def messages(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Codes in a module with their messages: of calls ``f(code, message)`` and of the codes all readers share."""
    names = dict(constants(tree))
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        texts = [] if scope is tree else list(assigned(scope))
        for node in ast.walk(scope):
            if isinstance(node, ast.Call):
                for position, argument in enumerate(node.args):
                    code = names.get(argument.id) if isinstance(argument, ast.Name) else text_of(argument)
                    if code and CODE.fullmatch(code):
                        later = (told(texts, argument) for argument in node.args[position + 1 :])
                        message = next(filter(None, later), "")
                        if message or scope is tree:
                            yield code, message
            elif isinstance(node, ast.Dict) and scope is tree:
                for key, value in zip(node.keys, node.values, strict=True):
                    code, meaning = text_of(value), text_of(key) if key else ""
                    if code and CODE.fullmatch(code):
                        yield code, SHARED.get(meaning or "", "")


def constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names of a module that stand for codes, tuples of them included."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = zip(target.elts, value.elts, strict=False) if _tuples(target, value) else [(target, value)]
            for name, constant in pairs:
                code = text_of(constant)
                if isinstance(name, ast.Name) and code and CODE.fullmatch(code):
                    yield name.id, code


def assigned(scope: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Lines in which a name gets a text, with both."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = text_of(node.value)
            if text:
                yield node.lineno, node.targets[0].id, text


def told(texts: list[tuple[int, str, str]], node: ast.expr) -> str | None:
    """The text an argument stands for: its own, or what its name was given last in the lines above."""
    if not isinstance(node, ast.Name):
        return text_of(node)
    given = [(line, text) for line, known, text in texts if known == node.id and line < node.lineno]
    return max(given)[1] if given else None


def text_of(node: ast.expr) -> str | None:
    """The text of a string or f-string, what is filled in as ``…``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def _tuples(*nodes: ast.expr) -> bool:
    return all(isinstance(node, ast.Tuple) for node in nodes)


if __name__ == "__main__":
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
        print(path.relative_to(ROOT))
    sys.exit(0)
