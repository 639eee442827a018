"""Tasks written for another platform: what the new documents say, what is told to be lost, and the wrappers alone.

The wrappers run here with every shell of this machine, their folders moved into a scratch directory; with the real
images they run in end_to_end/test_conversions.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivet.contracts import cytomine, examine, kaapana
from trivet.contracts.source import Source, load
from trivet.contracts.written import Written
from trivet.conversions import Original, Wishes, convert
from trivet.conversions.original import Author
from trivet.tasks import types
from trivet.tasks.problem import ProblemsError, has_errors
from trivet.tasks.task import MISSING, Task

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WHO = Author("Ada", "Lovelace", "Analytical Engines", "ada@example.org")
SHELLS = [words for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(words[0])]

HEAD: dict[str, Any] = {
    "$schema": "https://cytomine.com/schema-store/tasks/task.v0.json",
    "name": "Small task",
    "namespace": "org.example.small",
    "version": "2.1.0",
    "authors": [{"first_name": "A", "last_name": "B", "organization": "C", "email": "a@example.org"}],
}


def cytomine_task(inputs: Mapping[str, Any], outputs: Mapping[str, Any], **configuration: Any) -> Task:
    def parameter(kind: Any) -> Any:
        return kind if isinstance(kind, dict) and "type" in kind else {"type": kind}

    sides = {
        side: {name: {"description": name, **parameter(kind)} for name, kind in given.items()}
        for side, given in (("inputs", inputs), ("outputs", outputs))
    }
    return only(
        Source(
            "descriptor.yml", yaml.safe_dump({**HEAD, "configuration": configuration, **sides}, sort_keys=False), Path()
        )
    )


def kaapana_task(**template: Any) -> Task:
    empty: dict[str, Any] = {"identifier": "t", "description": "d", "inputs": [], "outputs": [], "env": []}
    data = {"name": "tools", "description": "d", "templates": [{**empty, **template}]}
    return only(Source(kaapana.CONTAINER_FILE, json.dumps(data), Path()))


def only(source: Source, name: str = "") -> Task:
    document, problems = examine(source)
    assert document is not None
    assert not has_errors(problems), problems
    room = {"cytomine": cytomine, "kaapana": kaapana}[document.contract]
    [task] = [task for task in room.tasks(document) if name in ("", task.name)]
    return task


def channel(name: str, side: str = "in", **more: Any) -> dict[str, Any]:
    return {"name": name, "mounted_path": f"/{side}/{name}", **more}


def to_kaapana(task: Task, *argv: str, form: str = "current", **wishes: Any) -> Written:
    return convert(task, "kaapana", form, Original("small:2", argv or ("prog",)), Wishes(**wishes))


def to_cytomine(task: Task, *argv: str, image: str = "tools:1.2.3", **wishes: Any) -> Written:
    return convert(task, "cytomine", "v0", Original(image, argv or ("prog",)), Wishes(**wishes))


def template_of(written: Written) -> dict[str, Any]:
    [template] = json.loads(written.files[kaapana.CONTAINER_FILE])["templates"]
    return template


def descriptor_of(written: Written) -> dict[str, Any]:
    return yaml.safe_load(written.files["descriptor.yml"])


def wrapper_of(written: Written) -> tuple[str, str]:
    [found] = [(name, text) for name, text in written.files.items() if name.endswith(".sh")]
    return found


def lost(written: Written) -> list[tuple[str, Any]]:
    return [(problem.code, problem.path) for problem in written.lost]


def result_task(written: Written, name: str) -> Task:
    return only(Source(name, written.files[name], Path()))


# Cytomine to Kaapana


def test_the_example_as_a_container() -> None:
    written = to_kaapana(only(load(EXAMPLES / "cytomine/count-nuclei/descriptor.yml")), "python3", "/app/count.py")
    task = result_task(written, kaapana.CONTAINER_FILE)
    assert [(port.name, type(port.type), port.default) for port in task.inputs] == [
        ("image", types.Directory, MISSING),
        ("region", types.Directory, MISSING),
        ("min_area", types.Integer, 30),
        ("method", types.Enumeration, "otsu"),
    ]
    assert [port.name for port in task.outputs] == ["count", "areas", "outlines", "overlay"]
    assert (task.resources.memory, task.resources.cpus, task.resources.gpus) == (2 * 1024**3, 1.0, None)
    name, _ = wrapper_of(written)
    assert task.command == ("/bin/sh", f"/trivet/{name}")
    channels = {one["name"]: one for one in template_of(written)["outputs"]}
    assert {one["items"]["each"] for one in channels.values()} == {"image"}
    assert lost(written) == [
        ("X010", ("inputs", "image")),
        ("X013", ("inputs", "region")),
        ("X014", ("outputs",)),
        ("X014", ("outputs",)),
        ("X015", ("outputs", "outlines", "dependencies")),
        ("X015", ("outputs", "overlay", "dependencies")),
    ]
    assert (
        'LABEL org.opencontainers.image.authors="Trivet Maintainers <maintainers@trivet.example.org>"'
        in (written.files["Dockerfile"])
    )
    for problem in written.lost:
        assert problem.message in written.files["README.md"]


def test_the_guides_form_has_no_version_and_the_same_template() -> None:
    task = cytomine_task({"n": "integer"}, {"m": "integer"})
    current, guide = (to_kaapana(task, form=form) for form in ("current", "guide"))
    assert "api_version" in json.loads(current.files[kaapana.CONTAINER_FILE])
    assert "api_version" not in json.loads(guide.files[kaapana.CONTAINER_FILE])
    assert template_of(current) == template_of(guide)


def test_scalars_become_variables_and_everything_else_channels() -> None:
    kinds = {
        "flag": {"type": "boolean", "default": True},
        "n": {"id": "integer", "gt": 2},
        "x": {"type": {"id": "number", "leq": 2.5}, "default": 0.5},
        "word": {"type": "string", "optional": True},
        "must": {"id": "string", "min_length": 1},
        "pick": {"type": {"id": "enumeration", "values": ["a", "b c"]}, "optional": True, "default": "a"},
        "when": {"type": "datetime", "default": "2024-02-23T18:00:00+02:00"},
        "shape": "geometry",
        "slide": "image",
        "notes": "file",
        "many": {"id": "array", "subtype": "integer"},
        "PATH": {"type": "integer", "default": 1},
    }
    written = to_kaapana(cytomine_task(kinds, {}))
    template = template_of(written)
    assert [one["name"] for one in template["inputs"]] == ["shape", "slide", "notes", "many"]
    found = {one["name"]: (one["value"], one["type"], one.get("choices")) for one in template["env"]}
    assert found == {
        "flag": ("true", "boolean", None),
        "n": ("", "int", None),
        "x": ("0.5", "string", None),
        "word": ("", "string", None),
        "must": ("", "string", None),
        "pick": ("a", "string", ["a", "b c", ""]),
        "when": ("2024-02-23T16:00:00Z", "string", None),
        "PARAM_PATH": ("1", "int", None),
    }
    codes = [(code, path[1]) for code, path in lost(written)]
    assert ("X012", "PATH") in codes
    assert ("X010", "n") not in codes  # the wrapper looks at bounds of whole numbers
    assert {("X010", "x"), ("X010", "must"), ("X010", "when"), ("X010", "many"), ("X011", "word")} <= set(codes)


def test_a_task_that_needs_the_internet_says_what_kaapana_wants() -> None:
    written = to_kaapana(cytomine_task({}, {}, resources={"internet": True, "ram": "1500k", "gpus": 2, "cpus": 3}))
    [problem] = written.lost
    assert (problem.code, problem.path) == ("X016", ("configuration", "resources", "internet"))
    assert "network-access-" in problem.hint
    limits = template_of(written)["resources"]["limits"]
    assert limits == {"memory": "1500000", "cpu": "3", "nvidia.com/gpu": "2"}


def test_folders_of_a_task_are_never_those_of_the_channels() -> None:
    task = cytomine_task({"a": "file"}, {"b": "file"}, input_folder="/kaapana/in", output_folder="/out")
    template = template_of(to_kaapana(task))
    assert template["inputs"][0]["mounted_path"] == "/kaapana1/inputs/a"


@pytest.mark.parametrize(("shell", "start"), [("", ["/bin/sh"]), ("busybox:1", ["/trivet/busybox", "sh"])])
def test_an_image_without_a_shell_gets_one(shell: str, start: list[str]) -> None:
    written = convert(
        cytomine_task({}, {}), "kaapana", "current", Original("small:2", ("p",), "1000:5"), Wishes(shell_from=shell)
    )
    name, text = wrapper_of(written)
    lines = written.files["Dockerfile"].splitlines()
    assert f"ENTRYPOINT {json.dumps([*start, f'/trivet/{name}'])}" in lines
    assert ("COPY --from=shell /bin/busybox /trivet/busybox" in lines) == bool(shell)
    assert lines.index("USER 0") < next(i for i, line in enumerate(lines) if line.startswith("RUN"))
    assert lines.index("USER 1000:5") > next(i for i, line in enumerate(lines) if line.startswith("RUN"))
    assert f"t_tool={'/trivet/busybox' if shell else ''}\n" in text


def test_words_of_authors_stay_words_in_the_dockerfile() -> None:
    data = {**HEAD, "description": 'a "quoted" $HOME\n\nUSER x', "configuration": {}, "inputs": {}, "outputs": {}}
    written = to_kaapana(only(Source("descriptor.yml", yaml.safe_dump(data), Path())))
    labels = [line for line in written.files["Dockerfile"].splitlines() if line.startswith("LABEL")]
    assert 'LABEL org.opencontainers.image.description="a \\"quoted\\" \\$HOME USER x"' in labels
    assert not any(line == "USER x" for line in written.files["Dockerfile"].splitlines())


@pytest.mark.parametrize(
    ("original", "shell"),
    [
        (Original("small:2\nRUN evil", ("p",)), ""),
        (Original("small:2", ("p",), "me\nRUN evil"), ""),
        (Original("small:2", ("p",)), "busy box"),
    ],
)
def test_names_that_would_say_more_in_a_dockerfile_are_refused(original: Original, shell: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        convert(cytomine_task({}, {}), "kaapana", "current", original, Wishes(shell_from=shell))
    assert [problem.code for problem in caught.value.problems] == ["X004"]


# Kaapana to Cytomine


def test_the_example_as_a_cytomine_task() -> None:
    source = load(EXAMPLES / "kaapana/dicom-tools/processing-container.json")
    written = to_cytomine(only(source, "window-statistics"), "run")
    task = result_task(written, "descriptor.yml")
    nested = types.Array(types.Array(types.File()))
    assert [(port.name, port.type, port.default) for port in task.inputs] == [
        ("dicom", nested, MISSING),
        ("dicom_names", types.Array(types.Array(types.String())), MISSING),
        ("WINDOW_CENTRE", types.Integer(), 40),
        ("WINDOW_WIDTH", types.Integer(), 400),
        ("INVERT", types.Boolean(), False),
        ("COLOUR_MAP", types.Enumeration(("grey", "hot", "ice")), "grey"),
    ]
    assert [port.name for port in task.outputs] == ["statistics", "statistics_names"]
    assert (task.resources.memory, task.resources.cpus, task.network) == (512 * 1024**2, 1.0, False)
    assert (task.namespace, task.version) == ("org.example.dicom_tools.window_statistics", "1.2.3")
    assert {one for link in task.document.model.links for one in link} == {
        ("inputs", "dicom"),
        ("inputs", "dicom_names"),
        ("outputs", "statistics"),
        ("outputs", "statistics_names"),
    }
    assert [code for code, _ in lost(written)] == ["X021", "X021", "X023", "X026"]
    assert [problem.hint.split(",")[0] for problem in written.lost[:2]] == ["give --author", "give --namespace"]
    placed = source.place(written.lost)
    assert placed[2].line == next(
        number
        for number, line in enumerate(source.text.splitlines(), 1)
        if number > source.text[: source.text.index("window-statistics")].count("\n") and "scale_rule" in line
    )


def test_what_the_caller_says_leaves_no_placeholder() -> None:
    task = kaapana_task(identifier="task", resources={"limits": {"memory": "64Mi", "cpu": "1"}})
    written = to_cytomine(task, namespace="net.ada.tools", version="3.0.0-rc.1", authors=(WHO,))
    assert lost(written) == []
    descriptor = descriptor_of(written)
    assert (descriptor["namespace"], descriptor["version"]) == ("net.ada.tools", "3.0.0-rc.1")
    assert [one["email"] for one in descriptor["authors"]] == ["ada@example.org"]
    assert descriptor["configuration"]["image"]["file"] == "/net.ada.tools-3.0.0-rc.1.tar"
    with pytest.raises(ProblemsError) as caught:
        to_cytomine(task, namespace="nodots")
    assert [(one.code, one.file) for one in caught.value.problems] == [("C011", "descriptor.yml")]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ({"value": "5", "type": "int"}, {"type": "integer", "default": 5}),
        ({"value": "", "type": "int"}, {"type": "integer", "optional": True}),
        ({"value": "Yes", "type": "boolean"}, {"type": "boolean", "default": True}),
        ({"value": ""}, {"type": "string", "default": ""}),
        ({"value": "a", "choices": ["a", "b"]}, {"type": {"id": "enumeration", "values": ["a", "b"]}, "default": "a"}),
        ({"value": "", "choices": ["a", ""]}, {"type": {"id": "enumeration", "values": ["a"]}, "optional": True}),
        ({"value": "x", "choices": []}, {"type": "string", "default": "x"}),
    ],
)
def test_variables_become_typed_inputs(variable: dict[str, Any], expected: dict[str, Any]) -> None:
    found = descriptor_of(to_cytomine(kaapana_task(env=[{"name": "V", **variable}])))["inputs"]["V"]
    assert {key: found[key] for key in found if key not in ("display_name", "description")} == expected


def test_names_that_cytomine_can_not_have_are_changed_and_told() -> None:
    task = kaapana_task(
        inputs=[channel("ct-scans")],
        env=[{"name": "CT_SCANS", "value": "1"}, {"name": "a.b", "value": "2"}],
    )
    written = to_cytomine(task)
    assert list(descriptor_of(written)["inputs"]) == ["ct_scans", "ct_scans_names", "CT_SCANS_2", "a_b"]
    assert [problem.message for problem in written.lost if problem.code == "X022"] == [
        "the name `t` becomes `t task`",
        "the variable `CT_SCANS` is the input `CT_SCANS_2`",
        "the variable `a.b` is the input `a_b`",
    ]


def test_choices_and_amounts_that_can_not_be_said_are_told() -> None:
    task = kaapana_task(
        env=[{"name": "V", "value": "a", "choices": ["a", "", "b\nc"]}],
        resources={"limits": {"cpu": "500m"}, "requests": {"cpu": "1m"}},
        inputs=[channel("x"), channel("y", items={"match": "x"})],
        outputs=[channel("z", "out", items={"combine": "x"})],
    )
    written = to_cytomine(task)
    codes = [code for code, _ in lost(written) if code != "X021"]
    assert codes == ["X022", "X024", "X025", "X026", "X026", "X026"]
    descriptor = descriptor_of(written)
    assert descriptor["inputs"]["y"]["dependencies"] == {"matching": ["inputs/x"]}
    assert "ram" not in descriptor["configuration"]["resources"]


def test_channels_may_hold_one_image_each() -> None:
    task = kaapana_task(inputs=[channel("x"), channel("y")], outputs=[channel("z", "out")])
    inputs = descriptor_of(to_cytomine(task, channels={"x": "image", "z": "file"}))["inputs"]
    assert inputs["x"]["type"] == {"id": "array", "subtype": "image"}
    assert inputs["x_names"]["type"] == {"id": "array", "subtype": "string"}
    with pytest.raises(ProblemsError) as caught:
        to_cytomine(task, channels={"xx": "image"})
    assert "did you mean `x`?" in caught.value.problems[0].hint


# both ways


def test_ports_and_values_survive_the_way_there_and_back() -> None:
    kinds = {
        "photo": "image",
        "n": {"type": "integer", "default": 3},
        "flag": {"type": "boolean", "default": False},
        "pick": {"type": {"id": "enumeration", "values": ["a", "b"]}, "default": "b"},
        "word": {"type": "string", "default": "hello"},
    }
    there = to_kaapana(cytomine_task(kinds, {"count": "integer"}), "prog")
    container = result_task(there, kaapana.CONTAINER_FILE)
    back = convert(container, "cytomine", "v0", Original("c:1.0.0", container.command), Wishes(authors=(WHO,)))
    task = result_task(back, "descriptor.yml")
    values = {port.name: (port.type, port.default) for port in task.inputs if port.default is not MISSING}
    assert values == {
        "n": (types.Integer(), 3),
        "flag": (types.Boolean(), False),
        "pick": (types.Enumeration(("a", "b")), "b"),
        "word": (types.String(), "hello"),
    }
    assert {port.name for port in task.inputs} - values.keys() == {"photo", "photo_names"}
    assert [port.name for port in task.outputs] == ["count", "count_names"]
    folders = {descriptor_of(back)["configuration"][f"{side}_folder"] for side in ("input", "output")}
    assert not folders & {"/inputs", "/outputs"}, "the inner task has these for itself"
    assert wrapper_of(there)[0] != wrapper_of(back)[0]


def test_every_document_of_the_corpus_can_be_converted(corpus: Path) -> None:
    seen = {"cytomine": 0, "kaapana": 0}
    for path in [*sorted(corpus.glob("cytomine/**/*.yml")), *sorted(corpus.glob("kaapana/*/pc_*.json"))]:
        document, problems = examine(load(path))
        if document is None or document.contract not in seen or has_errors(problems):
            continue
        for task in {"cytomine": cytomine, "kaapana": kaapana}[document.contract].tasks(document):
            written = to_kaapana(task) if task.contract == "cytomine" else to_cytomine(task)
            name = kaapana.CONTAINER_FILE if task.contract == "cytomine" else "descriptor.yml"
            result_task(written, name)
            for words in SHELLS[:1]:
                subprocess.run([*words, "-n"], input=wrapper_of(written)[1], text=True, check=True)
            seen[task.contract] += 1
    assert seen["cytomine"] >= 20
    assert seen["kaapana"] >= 10


@pytest.fixture
def corpus() -> Path:
    place = Path(__file__).resolve().parents[2] / "../shared/corpus"
    if not place.is_dir():
        pytest.skip("the corpus is not here")
    return place


# the wrappers

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Start a wrapper with its folders below the scratch directory, which is laid out before."""

    def started(written: Written, **environment: str) -> subprocess.CompletedProcess[str]:
        _, text = wrapper_of(written)
        for folder in ("/kaapana/", "/cytomine/", "/in/", "/out/"):
            text = text.replace(f"={folder}", f"={tmp_path}{folder}").replace(f" {folder}", f" {tmp_path}{folder}")
            text = text.replace(f'"{folder}', f'"{tmp_path}{folder}')
        (tmp_path / "wrapper.sh").write_text(text)
        command = [*request.param, str(tmp_path / "wrapper.sh")]
        plain = {key: os.environ[key] for key in ("PATH",)}
        return subprocess.run(
            command, env={**plain, **environment}, capture_output=True, text=True, timeout=60, check=False
        )

    return started


def lay(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    """A program of the task as a script that finds its folders as $IN and $OUT."""
    (tmp_path / "prog.sh").write_text(f"IN={tmp_path}/in/folder OUT={tmp_path}/out/folder\n{text}")
    return ("sh", str(tmp_path / "prog.sh"))


FOLDERS = {"input_folder": "/in/folder", "output_folder": "/out/folder"}


def prepared(tmp_path: Path) -> None:
    for folder in ("in/folder", "out/folder", "cytomine/inputs", "cytomine/outputs"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)


def test_items_are_run_one_by_one_whatever_their_names(run: Run, tmp_path: Path) -> None:
    task = cytomine_task({"doc": "file", "n": {"type": "integer", "default": 1}}, {"copy": "file"}, **FOLDERS)
    argv = program(tmp_path, 'ls "$IN" | tr "\\n" " "; cat "$IN/doc" "$IN/n" >"$OUT/copy"')
    prepared(tmp_path)
    names = ["a", "two words", "*", "-r", ".hidden", "$(x)", "quo'te", "ä"]
    lay(tmp_path / "kaapana/inputs/doc", {f"{name}/x.bin": f"<{name}>" for name in names})
    done = run(to_kaapana(task, *argv), n="007")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "doc n " * len(names)
    assert tree(tmp_path / "kaapana/outputs/copy") == {f"{name}/copy": f"<{name}>7" for name in names}
    assert list((tmp_path / "in/folder").iterdir()) == []


def test_an_item_that_fails_does_not_stop_the_others(run: Run, tmp_path: Path) -> None:
    task = cytomine_task({"doc": "file"}, {"copy": "file"}, **FOLDERS)
    argv = program(tmp_path, 'case $(cat "$IN/doc") in bad) exit 7;; none) exit 0;; esac; cp "$IN/doc" "$OUT/copy"')
    prepared(tmp_path)
    lay(tmp_path / "kaapana/inputs/doc", {"1/x": "none", "2/x": "bad", "3/x": "good", "4/x": "a", "4/y": "b"})
    done = run(to_kaapana(task, *argv))
    assert done.returncode == 1
    assert tree(tmp_path / "kaapana/outputs/copy") == {"3/copy": "good"}
    for words in ("1: output copy was not written", "2: failed", "4: doc: one file is expected", "1 items done, 3"):
        assert words in done.stderr
    shutil.rmtree(tmp_path / "kaapana/inputs/doc/1")
    shutil.rmtree(tmp_path / "kaapana/outputs")
    assert run(to_kaapana(task, *argv)).returncode == 7


def test_no_items_are_a_failure_where_one_is_needed(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    task = cytomine_task({"doc": "file"}, {"copy": "file"}, **FOLDERS)
    (tmp_path / "kaapana/inputs/doc").mkdir(parents=True)
    done = run(to_kaapana(task, *program(tmp_path, "exit 0")))
    assert (done.returncode, "no items in" in done.stderr) == (1, True)


def test_a_task_without_files_gives_one_result(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    task = cytomine_task({"n": "integer", "word": "string"}, {"twice": "integer", "rest": "string"}, **FOLDERS)
    argv = program(tmp_path, 'echo $(($(cat "$IN/n") * 2)) >"$OUT/twice"; cp "$IN/word" "$OUT/rest"; echo x >"$OUT/y"')
    done = run(to_kaapana(task, *argv), n="21", word=" two\nlines ")
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "kaapana/outputs") == {
        "twice/result/twice.txt": "42\n",
        "rest/result/rest.txt": " two\nlines ",
    }
    assert "left out, since it is no output: y" in done.stderr


@pytest.mark.parametrize(
    ("kind", "given", "written"),
    [
        ("boolean", "TRUE", "true"),
        ("boolean", "0", "false"),
        ("boolean", "maybe", None),
        ("integer", "-0012", "-12"),
        ("integer", "+5", "5"),
        ("integer", "123456789012345678901234567890", "123456789012345678901234567890"),
        ("integer", "1e3", None),
        ("integer", "", None),
        ({"id": "integer", "geq": 1, "lt": 10}, "9", "9"),
        ({"id": "integer", "geq": 1, "lt": 10}, "10", None),
        ({"id": "integer", "gt": 1}, "1", None),
        ({"id": "enumeration", "values": ["a b", "*"]}, "*", "*"),
        ({"id": "enumeration", "values": ["a b", "*"]}, "a", None),
        ("string", "", ""),
        ({"id": "string", "min_length": 1}, "", None),
        ("number", "1e-3", "1e-3"),
    ],
)
def test_variables_arrive_as_cytomine_writes_them(
    run: Run, tmp_path: Path, kind: Any, given: str, written: str | None
) -> None:
    prepared(tmp_path)
    argv = program(tmp_path, 'cp "$IN/v" "$OUT/v"')
    done = run(to_kaapana(cytomine_task({"v": kind}, {"v": "string"}, **FOLDERS), *argv), v=given)
    if written is None:
        assert done.returncode == 1
        assert "result: " in done.stderr
    else:
        assert (done.returncode, tree(tmp_path / "kaapana/outputs")) == (0, {"v/result/v.txt": written}), done.stderr


def test_optional_inputs_are_left_out_and_channels_may_lack_items(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    inputs = {
        "doc": "file",
        "extra": {"type": "file", "optional": True},
        "word": {"type": "string", "optional": True},
    }
    task = cytomine_task(inputs, {"seen": "string", "maybe": {"type": "file", "optional": True}}, **FOLDERS)
    argv = program(tmp_path, 'ls "$IN" >"$OUT/seen"; test -e "$IN/extra" && cp "$IN/extra" "$OUT/maybe"; exit 0')
    lay(tmp_path / "kaapana/inputs", {"doc/1/x": "", "doc/2/x": "", "extra/2/y": "more"})
    done = run(to_kaapana(task, *argv), word="")
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "kaapana/outputs") == {
        "maybe/2/maybe": "more",
        "seen/1/seen.txt": "doc\n",
        "seen/2/seen.txt": "doc\nextra\n",
    }
    assert (tmp_path / "kaapana/outputs/maybe/1").is_dir()


def test_items_of_optional_channels_are_taken_together(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    inputs = {name: {"type": "file", "optional": True} for name in ("a", "b")}
    task = cytomine_task(inputs, {"seen": "string"}, **FOLDERS)
    lay(tmp_path / "kaapana/inputs", {"a/1/x": "", "a/2/x": "", "b/2/x": "", "b/3/x": ""})
    done = run(to_kaapana(task, *program(tmp_path, 'ls "$IN" >"$OUT/seen"')))
    assert done.returncode == 0, done.stderr
    assert list(tree(tmp_path / "kaapana/outputs/seen").values()) == ["a\n", "a\nb\n", "b\n"]


def test_arrays_are_the_files_of_an_item_in_order(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    inputs = {
        "many": {"id": "array", "subtype": "image"},
        "deep": {"id": "array", "subtype": {"id": "array", "subtype": "file"}},
    }
    task = cytomine_task(inputs, {"all": {"id": "array", "subtype": "string"}}, **FOLDERS)
    argv = program(tmp_path, 'cd "$IN"; cp -RL many "$OUT/all"; find deep -follow -type f | sort | xargs tail -n 1 >&2')
    ready = {"array.yml": "size: 1", "0": "kept", "0.geojson": "{}"}
    lay(tmp_path / "kaapana/inputs/many", {"x/b.png": "B", "x/a.png": "A", "x/a.geojson": "{}", "x/.DS_Store": ""})
    lay(tmp_path / "kaapana/inputs/many/y", ready)
    lay(
        tmp_path / "kaapana/inputs/deep",
        {"x/p/2.txt": "p2", "x/p/1.txt": "p1", "x/q/1.txt": "q1", "y/array.yml": "size: 0"},
    )
    done = run(to_kaapana(task, *argv))
    assert done.returncode == 0, done.stderr
    expected = {"x/0": "A", "x/0.geojson": "{}", "x/1": "B", "x/array.yml": "size: 2"}
    assert tree(tmp_path / "kaapana/outputs/all") == expected | {f"y/{name}": text for name, text in ready.items()}
    for words in ("deep/0/0 <==\np1", "deep/0/1 <==\np2", "deep/1/0 <==\nq1", "deep/array.yml <==\nsize: 2"):
        assert words in done.stderr


def test_an_image_may_have_its_outline_and_a_slide_be_a_folder(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    inputs = {"slide": "image", "shape": "geometry"}
    task = cytomine_task(inputs, {"seen": "string"}, **FOLDERS)
    argv = program(tmp_path, 'cd "$IN"; find . -follow -type f | sort >"$OUT/seen"')
    lay(tmp_path / "kaapana/inputs/slide", {"1/s.png": "", "1/o.geojson": "", "2/a.dcm": "", "2/b.dcm": ""})
    lay(tmp_path / "kaapana/inputs/shape", {"1/s.geojson": "", "2/s.geojson": ""})
    done = run(to_kaapana(task, *argv))
    assert done.returncode == 0, done.stderr
    assert list(tree(tmp_path / "kaapana/outputs/seen").values()) == [
        "./shape\n./slide\n./slide.geojson\n",
        "./shape\n./slide/a.dcm\n./slide/b.dcm\n",
    ]


def test_channels_and_variables_are_laid_out_for_a_kaapana_program(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    env = [
        {"name": "N", "value": "007", "type": "int"},
        {"name": "FLAG", "value": "False", "type": "boolean"},
        {"name": "FIXED", "value": "it's $HOME", "adjustable": False},
        {"name": "TEXT", "value": "dflt"},
    ]
    script = f'cd {tmp_path}/in/c && find . -type f | sort; printf "%s|" "$N" "$FLAG" "$FIXED" "$TEXT"'
    written = to_cytomine(kaapana_task(inputs=[channel("c")], env=env), "sh", "-c", script)
    lay(
        tmp_path / "cytomine/inputs",
        {
            "c/array.yml": "size: 2",
            "c/0/array.yml": "size: 2",
            "c/0/0": "zero",
            "c/0/1": "one",
            "c/1/array.yml": "size: 1",
            "c/1/0": "\x89PNG....",
            "N": "7",
            "FLAG": "true",
            "TEXT": "two\nlines\n\n",
        },
    )
    done = run(written)
    assert done.returncode == 0, done.stderr
    files = "./000000/000000\n./000000/000001\n./000001/000000\n"
    assert done.stdout == f"{files}007|True|it's $HOME|two\nlines\n\n|"
    shutil.rmtree(tmp_path / "in/c")
    names = {"c_names/0/0": "ct 1/a/x.dcm", "c_names/0/1": "ct 1/-y", "c_names/1/0": "loose.txt", "N": "8"}
    lay(tmp_path / "cytomine/inputs", names)
    done = run(written)
    assert done.stdout.startswith("./ct 1/-y\n./ct 1/a/x.dcm\n./loose.txt\n8|"), done.stderr


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "", "a//b", "./a"])
def test_names_that_lead_out_of_the_channel_are_refused(run: Run, tmp_path: Path, name: str) -> None:
    prepared(tmp_path)
    lay(tmp_path / "cytomine/inputs", {"c/0": "x", "c_names/0": name})
    done = run(to_cytomine(kaapana_task(inputs=[channel("c")]), "true", channels={"c": "file"}))
    assert done.returncode == 1
    assert "can't be the name of a file" in done.stderr
    assert not (tmp_path / "in/x").exists()


def test_results_come_back_with_their_names(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    out = tmp_path / "out/r"
    out.mkdir(parents=True)
    script = (
        f"cd {out} && mkdir -p b/deep 'a a' empty && echo 1 >b/deep/x && echo 2 >b/y && echo 3 >'a a/z' && echo 4 >top"
    )
    done = run(to_cytomine(kaapana_task(outputs=[channel("r", "out")]), "sh", "-c", script))
    assert done.returncode == 0, done.stderr
    found = tree(tmp_path / "cytomine/outputs")
    arrays = {name: text for name, text in found.items() if name.endswith("array.yml")}
    assert arrays["r/array.yml"] == arrays["r_names/array.yml"] == "size: 4"
    assert {text: found[name.replace("r/", "r_names/", 1)] for name, text in found.items() if text[0] in "1234"} == {
        "1\n": "b/deep/x",
        "2\n": "b/y",
        "3\n": "a a/z",
        "4\n": "top",
    }
    assert arrays["r/2/array.yml"] == "size: 0"


def test_one_file_for_each_item_is_demanded_where_it_was_wished(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    (tmp_path / "out/r").mkdir(parents=True)
    script = f"cd {tmp_path}/out/r && mkdir a b && echo 1 >a/x.png && echo 2 >b/y.png"
    task = kaapana_task(outputs=[channel("r", "out")])
    done = run(to_cytomine(task, "sh", "-c", script, channels={"r": "image"}))
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "cytomine/outputs") == {
        "r/0": "1\n",
        "r/1": "2\n",
        "r/array.yml": "size: 2",
        "r_names/0": "a/x.png",
        "r_names/1": "b/y.png",
        "r_names/array.yml": "size: 2",
    }
    shutil.rmtree(tmp_path / "cytomine/outputs")
    shutil.rmtree(tmp_path / "out/r")
    prepared(tmp_path)
    (tmp_path / "out/r").mkdir(parents=True)
    done = run(to_cytomine(task, "sh", "-c", f"{script}; touch a/second", channels={"r": "image"}))
    assert (done.returncode, "exactly one file is expected" in done.stderr) == (1, True)


def test_the_exit_code_is_that_of_the_program(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    assert run(to_cytomine(kaapana_task(), "sh", "-c", "exit 42")).returncode == 42


def test_variables_may_have_names_that_no_shell_knows(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    env = [{"name": "a.b-c", "value": "dotted"}, {"name": "t_value", "value": "mine"}]
    done = run(to_cytomine(kaapana_task(env=env), "env"))
    assert {"a.b-c=dotted", "t_value=mine"} <= set(done.stdout.splitlines())


def test_a_signal_reaches_the_program(run: Run, tmp_path: Path) -> None:
    prepared(tmp_path)
    told = f"trap 'echo told >{tmp_path}/told; kill $!; exit 0' TERM"
    script = f"{told}; sleep 60 >/dev/null 2>&1 & kill -TERM $PPID; wait"
    done = run(to_cytomine(kaapana_task(), "sh", "-c", script))
    assert done.returncode == 143
    assert (tmp_path / "told").read_text() == "told\n"
