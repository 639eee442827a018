"""What is refused, before anything starts: bad files, records that are none, calls that do not fit."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_api import records, validating
from trivet.tasks.problem import ProblemsError

from .conftest import CONTAINER, IMAGE, TaskApi

TASK = {
    "name": "t",
    "image": IMAGE,
    "taskTemplate": "downstream",
    "inputs": [{"name": f"channel{n}", "volume_source": {"host_path": f"in{n}"}} for n in (1, 2)],
}


class Bomb:
    """Pickled, it makes a directory when it is read."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_command_reads_a_pickle(task_api: TaskApi, protocol: int) -> None:
    place = task_api.cwd / "exploded"
    path = task_api.cwd / "task_run-1.pkl"
    path.write_bytes(pickle.dumps({"task": Bomb(place)}, protocol))
    words = ["validate", "run", "logs", "check-task-run"]
    for word in words if protocol in (0, pickle.DEFAULT_PROTOCOL) else words[2:3]:
        done = task_api(word, path, code=1)
        assert "this is a pickle" in done.stdout + done.stderr
    assert not place.exists()


BAD: list[tuple[str, str]] = [
    ('{"name": "x",', "not valid JSON"),
    ("[1, 2]", "must be an object"),
    ("5", "must be an object"),
    ("null", "must be an object"),
    ('{"name": "x"}', "`image`"),
    ('{"name": "{{ env.X", "image": "i", "taskTemplate": "t"}', "can't be read"),
    ('{"name": "{% for x in env %}a{% endfor %}", "image": "i", "taskTemplate": "t"}', "not allowed"),
    ('{"name": "{{ env.__class__.__mro__() }}", "image": "i", "taskTemplate": "t"}', "not allowed"),
    (json.dumps(CONTAINER), "--schema pc"),
    ("", "empty"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_bad_files_are_told_and_not_run(task_api: TaskApi, text: str, said: str) -> None:
    task_api.write("task.json", text)
    done = task_api("validate", "task.json", code=1)
    assert done.stdout.startswith("❌ task.json")
    assert said in done.stdout
    done = task_api("run", "task.json", code=1)
    assert said.replace("--schema pc", "container description") in done.stderr
    assert list(task_api.cwd.iterdir()) == [task_api.cwd / "task.json"]


def test_a_missing_file_is_told_by_every_command(task_api: TaskApi) -> None:
    for word in ("validate", "run", "logs", "check-task-run"):
        done = task_api(word, "gone", code=1)
        assert "gone: error T001 the file does not exist" in done.stdout + done.stderr


def test_a_task_is_no_container_and_tells_how_to_validate_it(task_api: TaskApi) -> None:
    task_api.write("x.json", TASK)
    assert "--schema task" in task_api("validate", "x.json", "--schema", "pc", code=1).stdout


def test_every_problem_is_told_at_once_and_for_programs_too(task_api: TaskApi) -> None:
    wrong = {**TASK, "image": 5, "env": [{"name": "A"}], "outputs": "none"}
    task_api.write("x.json", wrong)
    found = json.loads(task_api("validate", "x.json", "--format", "json", code=1).stdout)
    paths = {tuple(problem["path"]) for problem in found if problem["severity"] == "error"}
    assert paths == {("image",), ("env", 0), ("outputs",)}
    assert all(problem["line"] for problem in found)


def test_missing_variables_are_empty_and_warned_of(task_api: TaskApi) -> None:
    task_api.write("x.json", {**TASK, "image": "{{ env.registryUrl }}/dummy"})
    done = task_api("validate", "x.json")
    assert done.stdout == "✅ x.json: a valid task description\n"
    assert "`registryUrl` is not set" in done.stderr


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"taskTemplate": "downsteam"}, "did you mean `downstream`?"),
        ({"inputs": TASK["inputs"][:1]}, "input channel `channel2` is not bound"),  # type: ignore[index]
        ({"taskTemplate": "upstream", "inputs": []}, "output channel `channel1` is not bound"),
        ({"inputs": [{"name": "chanel1", "volume_source": {"host_path": "in1"}}]}, "no input channel `chanel1`"),
        ({"inputs": [*TASK["inputs"], *TASK["inputs"]]}, "more than one input channel `channel1`"),  # type: ignore[misc]
        ({"inputs": [{"name": f"channel{n}", "volume_source": {"host_path": "gone"}} for n in (1, 2)]}, "gone"),
    ],
)
def test_what_does_not_fit_its_template_is_refused_before_anything_starts(
    task_api: TaskApi, fields: dict[str, Any], said: str
) -> None:
    for n in (1, 2):
        (task_api.cwd / f"in{n}").mkdir()
    task_api.write("processing-container.json", CONTAINER)
    task_api.write("task.json", TASK | fields)
    done = task_api("run", "task.json", code=1)
    assert said in done.stderr
    assert "--input" not in done.stderr, "this command line has no such option"
    assert task_api.runs() == []
    assert not (task_api.cwd / "gone").exists()
    assert not list(task_api.cwd.glob("*.pkl"))


def test_there_is_no_cluster(task_api: TaskApi) -> None:
    task_api.write("task.json", TASK)
    assert "--dry-run" in task_api("run", "task.json", "--mode", "k8s", code=1).stderr


@pytest.mark.parametrize(
    "name",
    ["validname", "valid-name-123", "evaluate-segmentations-250922070517319578-put-eval-metrics-to-", "a" * 64, "A_b"],
)
def test_what_would_be_started_is_shown_without_daemon_or_cluster(task_api: TaskApi, name: str) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere", "CONTAINER_HOST": "unix:///nowhere", "KUBECONFIG": "/nowhere"}
    tool = TaskApi(task_api.cwd, task_api.home, nowhere)
    task = tool.task(name="task.json", config={"type": "k8s", "namespace": "mine"})
    data = json.loads(task.read_text()) | {"name": name}
    tool.write("task.json", data)
    [pod] = json.loads(tool("run", task, "--dry-run", "--mode", "k8s").stdout)["items"]
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?", pod["metadata"]["name"])
    assert pod["metadata"]["namespace"] == "mine"
    [container] = json.loads(tool("run", task, "--dry-run").stdout)
    assert (container["kind"], container["Image"]) == ("Container", IMAGE)
    assert tool.runs() == []


@pytest.mark.parametrize(
    "words",
    [(), ("runn",), ("run",), ("run", "a", "b"), ("run", "a", "--mode", "podman"), ("validate", "a", "--sch", "pc")],
)
def test_wrong_usage(task_api: TaskApi, words: tuple[str, ...]) -> None:
    assert "usage:" in task_api(*words, code=2).stderr


GOOD = {"format": "task_api.task_run", "version": 1, "id": "20260101-000000-0000", "mode": "docker"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[]", "no record"),
        ("{}", "no record"),
        ('{"format": "task_api.task_run"', "not valid JSON"),
        ({**GOOD, "version": 2}, "version 2"),
        ({**GOOD, "version": None}, "version None"),
        ({**GOOD, "id": "../../../etc"}, "can't be that of a run"),
        ({**GOOD, "id": "/etc/passwd"}, "can't be that of a run"),
        ({**GOOD, "id": ["20260101-000000-0000"]}, "can't be that of a run"),
        (GOOD, "there is no run 20260101-000000-0000"),
        ({**GOOD, "home": "/elsewhere"}, "TRIVET_HOME=/elsewhere"),
        ("{" * 200_000, "no record"),
        (b"\xff\xfe{}", "UTF-16"),
    ],
)
def test_a_record_that_was_changed_leads_nowhere(task_api: TaskApi, data: Any, said: str) -> None:
    path = task_api.cwd / "r.pkl"
    path.write_bytes(
        data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    )
    done = task_api("logs", path, code=1)
    assert said in done.stderr
    if said == "can't be that of a run":
        assert said in task_api("check-task-run", path, code=1).stderr


def test_a_record_can_not_have_a_run_of_somebody_else_driven(task_api: TaskApi, tmp_path: Path) -> None:
    """A directory that a stranger prepared is not even looked into."""
    strange = tmp_path / "strange/runs/20260101-000000-0000"
    strange.mkdir(parents=True)
    (strange / "run.json").write_text("{}")
    path = task_api.write("r.pkl", {**GOOD, "home": str(tmp_path / "strange")})
    assert "there is no run" in task_api("check-task-run", path, code=1).stderr


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "image", "taskTemplate", "templates", "inputs", "outputs", "env", "format", "id", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json_data, st.sampled_from(["task", "pc"]))
@settings(max_examples=150, deadline=None)
def test_any_json_is_judged_as_whatever_it_is_meant_to_be(
    tmp_path_factory: pytest.TempPathFactory, data: Any, schema: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(data))
    for problem in validating.findings(str(path), schema):
        assert problem.code
        assert problem.message
    with pytest.raises(ProblemsError):
        records.read(str(path))


def test_importing_the_command_line_needs_no_daemon_and_little_else(tmp_path: Path) -> None:
    script = (
        "import sys, task_api.cli; "
        "print(sorted({'docker', 'kubernetes', 'pydantic', 'click', 'yaml', 'socket', 'trivet.runs.start'} "
        "& set(sys.modules)))"
    )
    nowhere = {**os.environ, "DOCKER_HOST": "unix:///nowhere", "CONTAINER_HOST": "unix:///nowhere"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=nowhere)
    assert done.stdout == "[]\n"


def test_without_a_container_engine_a_run_is_refused_with_what_to_do(task_api: TaskApi) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere", "CONTAINER_HOST": "unix:///nowhere", "PATH": "/nowhere"}
    tool = TaskApi(task_api.cwd, task_api.home, nowhere)
    assert "no container engine" in tool("run", tool.task(), code=1).stderr
    assert tool.runs() == []
