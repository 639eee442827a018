"""``trivet fractal collect``: a package with an environment of its own, or tasks that need none."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivet.cli.reporting import problem_lines, say

if TYPE_CHECKING:
    from trivet.packages.collecting import Collected

TYPES = ("parallel", "non_parallel", "compound", "converter_non_parallel", "converter_compound")

_OF_COMMANDS = (
    "name", "type_", "init", "meta", "meta_init", "schema", "schema_init", "inputs", "outputs", "category", "modality",
    "tags", "docs", "source", "v1",
)  # fmt: skip
_OF_CUSTOM = ("root", "package_name")
_OF_PACKAGES = ("extras", "pins", "late_pins", "editable")


class Pin(click.ParamType[tuple[str, str]]):
    """``NAME==VERSION``."""

    name = "NAME==VERSION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, _, version = str(value).partition("==")
        if not name.strip() or not version.strip():
            self.fail(f"{value!r} is not of the form NAME==VERSION", param, ctx)
        return name.strip(), version.strip()


@click.command(
    "collect",
    epilog="""\b
Examples:
  trivet fractal collect 'fractal-tasks-core>=2' --python 3.12
  trivet fractal collect my-tasks/ --extra gpu --pin numpy==2.2.0
  trivet fractal collect --custom manifest.json --python /opt/py/bin/python --package-root scripts --label my-scripts
  trivet fractal collect --command 'python my_task.py' --name 'My Task' --type parallel
""",
)
@click.argument("package", required=False, metavar="[PACKAGE|WHEEL|DIRECTORY]")
@click.option("--python", metavar="X.Y|PATH", help="The Python of the environment (default: the one Trivet runs with).")
@click.option("--extra", "extras", multiple=True, metavar="NAME", help="An extra of the package.")
@click.option("--pin", "pins", multiple=True, type=Pin(), help="A version that all packages have to agree with.")
@click.option("--pin-after", "late_pins", multiple=True, type=Pin(), help="A version whatever packages say of it.")
@click.option("--editable", "-e", is_flag=True, help="A directory under development: its modules stay where they are.")
@click.option("--custom", metavar="MANIFEST", help="Register the scripts of a manifest with an interpreter of yours.")
@click.option("--package-root", "root", metavar="DIR", help="Custom: the directory its scripts are below.")
@click.option("--package-name", metavar="NAME", help="Custom: the importable package its scripts are in.")
@click.option("--command", "line", metavar="COMMAND", help="Register a single task that is this command.")
@click.option("--name", metavar="TEXT", help="Command: the name of the task.")
@click.option("--type", "type_", type=click.Choice(TYPES), help="Command: the type of the task (default: parallel).")
@click.option("--command-non-parallel", "init", metavar="COMMAND", help="Command: the first part of a compound task.")
@click.option("--meta", metavar="JSON", help="Command: meta data, as text or @FILE.")
@click.option("--meta-non-parallel", "meta_init", metavar="JSON", help="Command: those of the first part.")
@click.option("--args-schema", "schema", metavar="JSON", help="Command: the schema of its arguments, as text or @FILE.")
@click.option("--args-schema-non-parallel", "schema_init", metavar="JSON", help="Command: that of the first part.")
@click.option("--input-type", "inputs", multiple=True, metavar="TYPE=BOOLEAN", help="Command: images it is for.")
@click.option("--output-type", "outputs", multiple=True, metavar="TYPE=BOOLEAN", help="Command: images it makes.")
@click.option("--category", metavar="TEXT", help="Command: what the task is good for.")
@click.option("--modality", metavar="TEXT", help="Command: the kind of microscopy.")
@click.option("--tag", "tags", multiple=True, metavar="TEXT", help="Command: a word to find it by.")
@click.option("--docs", metavar="TEXT", help="Command: what it does.")
@click.option("--v1", is_flag=True, help="Command: a task of version 1; its types are single words, such as Any.")
@click.option("--source", metavar="TEXT", help="Command of version 1: what the task is known by.")
@click.option("--label", metavar="NAME", help="Custom, command: the name of the package (default: the task's).")
@click.option("--version", metavar="TEXT", help="Custom, command: the version of the package (default: 1).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool, **given: Any) -> int:
    """Get a package of Fractal tasks, in an environment of its own, and register its tasks.

    PACKAGE is a requirement of the package index (a name, perhaps with [extras] and versions), a wheel or the directory
    of a project. uv does the work, with its own settings. Every version has its own environment; one that is there
    already is left as it is.
    """
    from trivet.cli.fractal_packages import guarded, package_data
    from trivet.packages.registered import listing

    with guarded():
        found = _collected(given)
    for problem in found.problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    if as_json:
        print(json.dumps({"new": found.new, **package_data(found.package)}, indent=2, ensure_ascii=False))
        return 0
    package, tasks = found.package, listing(found.package)
    count = f"{len(tasks)} task" + "s" * (len(tasks) != 1)
    print(f"{package.name} {package.version} {'collected' if found.new else 'was there already'}: {count}")
    if not package.active:
        say(f"it is not active; `trivet fractal reactivate {package.name}=={package.version}` makes its environment")
    return 0


def _collected(given: Mapping[str, Any]) -> Collected:
    forms = {"a package": given["package"], "--custom": given["custom"], "--command": given["line"]}
    asked = [form for form, value in forms.items() if value is not None]
    if len(asked) != 1:
        raise click.UsageError(f"One of a package, --custom and --command is needed{', not several' * bool(asked)}.")
    foreign = {
        "a package": (*_OF_COMMANDS, *_OF_CUSTOM, "label", "version"),
        "--custom": (*_OF_COMMANDS, *_OF_PACKAGES),
        "--command": (*_OF_PACKAGES, *_OF_CUSTOM, "python"),
    }[asked[0]]
    wrong = [key for key in foreign if given[key] not in (None, False, ())]
    if wrong:
        options = {parameter.name: parameter.opts[0] for parameter in click.get_current_context().command.params}
        words = ", ".join(options[key] for key in wrong)
        raise click.UsageError(f"{words} can't be given for {asked[0]}.")
    if given["custom"] is not None:
        return _custom(given)
    return _command(given) if given["line"] is not None else _package(given)


def _package(given: Mapping[str, Any]) -> Collected:
    from trivet.packages.collecting import collect
    from trivet.packages.wanted import Wanted
    from trivet.records import home

    wanted = Wanted(
        given["package"],
        given["extras"],
        given["python"],
        dict(given["pins"]),
        dict(given["late_pins"]),
        given["editable"],
    )
    return collect(wanted, home(), say)


def _custom(given: Mapping[str, Any]) -> Collected:
    from trivet.packages.custom import collect_custom
    from trivet.records import home

    missing = [f"--{key}" for key in ("python", "label") if given[key] is None]
    if (given["root"] is None) is (given["package_name"] is None):
        missing.append("one of --package-root and --package-name")
    if missing:
        raise click.UsageError(f"--custom needs {', '.join(missing)}.")
    root = None if given["root"] is None else Path(given["root"])
    manifest, version = Path(given["custom"]), given["version"] or "1"
    return collect_custom(manifest, given["python"], root, given["package_name"], given["label"], version, home())


def _command(given: Mapping[str, Any]) -> Collected:
    from trivet.packages.custom import Single, collect_command, commands_for
    from trivet.records import home

    if given["name"] is None:
        raise click.UsageError("--command needs --name, the name of the task.")
    if given["v1"]:
        single = Single(given["name"], {"command": given["line"]}, _facts_v1(given), v1=True)
    else:
        if given["source"] is not None:
            raise click.UsageError("--source is for a task of version 1; give --v1, too.")
        commands = commands_for(given["type_"], given["line"], given["init"])
        single = Single(given["name"], commands, _facts(given, list(commands)))
    return collect_command(single, given["label"], given["version"] or "1", home())


def _facts(given: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    """What a manifest of version 2 says of a task beside its commands, whose ``keys`` are given."""
    last = keys[-1].removeprefix("command")
    values = {
        "type": given["type_"],
        f"meta{last}": _json(given["meta"], "--meta"),
        f"args_schema{last}": _json(given["schema"], "--args-schema"),
        "input_types": dict(_type(word, "--input-type") for word in given["inputs"]),
        "output_types": dict(_type(word, "--output-type") for word in given["outputs"]),
        "category": given["category"],
        "modality": given["modality"],
        "tags": list(given["tags"]),
        "docs_info": given["docs"],
    }
    first = {
        "meta_non_parallel": _json(given["meta_init"], "--meta-non-parallel"),
        "args_schema_non_parallel": _json(given["schema_init"], "--args-schema-non-parallel"),
    }
    if len(keys) == 1 and any(value is not None for value in first.values()):
        raise click.UsageError("--meta-non-parallel and --args-schema-non-parallel are for compound tasks.")
    return {key: value for key, value in {**first, **values}.items() if value not in (None, [], {})}


def _facts_v1(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest of version 1 says of a task (legacy guide, task metadata)."""
    later = ("type_", "init", "meta_init", "schema_init", "category", "modality", "tags")
    if any(given[key] not in (None, ()) for key in later):
        raise click.UsageError("A task of version 1 has no --type, parts, --category, --modality or --tag.")
    types = {}
    for key, words in (("input_type", given["inputs"]), ("output_type", given["outputs"])):
        if len(words) > 1:
            raise click.UsageError(f"A task of version 1 has one --{key.replace('_', '-')}.")
        types[key] = words[0] if words else "Any"
    values = {
        **types,
        "source": given["source"],
        "meta": _json(given["meta"], "--meta") or {},
        "args_schema": _json(given["schema"], "--args-schema"),
        "docs_info": given["docs"],
    }
    return {key: value for key, value in values.items() if value is not None}


def _json(text: str | None, option: str) -> dict[str, Any] | None:
    """A JSON object, written out or in a file that is named with @."""
    if text is None:
        return None
    try:
        data = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except OSError as error:
        raise click.UsageError(f"{option}: {text[1:]}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{option} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise click.UsageError(f"{option} must be a JSON object.")
    return data


def _type(word: str, option: str) -> tuple[str, bool]:
    name, _, value = word.partition("=")
    if not name or value.lower() not in ("true", "false"):
        raise click.UsageError(f"{option} {word!r} is not of the form TYPE=true or TYPE=false (--v1 for single words).")
    return name, value.lower() == "true"
