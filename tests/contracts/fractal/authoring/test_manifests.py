"""Manifests of whole packages in our own manner: all problems at once, nothing a server refuses, no side effects."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import BaseModel

from trivet.fractal import Built, build, write
from trivet.tasks.problem import Problem, ProblemsError

from .conftest import Make

PAR = 'def par(zarr_url: str, size: int = 3):\n    """Blur.\n\n    Args:\n        size: How much.\n    """\n'
LISTED = 'ParallelTask(name="P", executable="par.py")'


def errors(built: Built) -> list[Problem]:
    return [problem for problem in built.problems if problem.severity == "error"]


def test_a_manifest_is_made_and_written(make: Make) -> None:
    root = make({"par.py": PAR}, LISTED)
    built = build("made_tasks")
    assert built.problems == []
    write(built)
    text = (root / "__FRACTAL_MANIFEST__.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "manifest_version": "2",
        "task_list": [
            {
                "name": "P",
                "type": "parallel",
                "executable_parallel": "par.py",
                "args_schema_parallel": {
                    "additionalProperties": False,
                    "properties": {
                        "zarr_url": {"title": "Zarr Url", "type": "string", "description": "Missing description"},
                        "size": {"default": 3, "title": "Size", "type": "integer", "description": "How much."},
                    },
                    "required": ["zarr_url"],
                    "type": "object",
                    "title": "Par",
                },
                "docs_info": "## par\nBlur.\n",
                "docs_link": "https://example.org",
            }
        ],
        "has_args_schemas": True,
        "args_schema_version": "fractal_schema_v1",
        "authors": "An Author",
    }
    assert list(root.glob(".*")) == []


def test_all_problems_of_all_tasks_are_told_in_their_order(make: Make) -> None:
    files = {
        "first.py": "def first(zarr_url: str, flag: bool, hook: 'Nowhere'): pass\n",
        "second.py": "def second(\n    zarr_urls: list[str],\n    x=open,\n    zarr_url: str = '',\n): pass\n",
        "third.py": "import no_such_module_anywhere\n",
        "fourth.py": "def fifth(): pass\n",
        "sixth.py": "def sixth(zarr_url: str, flag: bool): pass\n",
    }
    listed = ", ".join(
        f'{kind}(name="{name}", executable="{name}.py")'
        for kind, name in [
            ("ParallelTask", "first"),
            ("NonParallelTask", "second"),
            ("ParallelTask", "third"),
            ("ParallelTask", "fourth"),
            ("ParallelTask", "sixth"),
        ]
    )
    root = make(files, listed)
    built = build("made_tasks")
    found = errors(built)
    told = [(one.code, one.message.partition(":")[0]) for one in found]
    assert told == [
        ("F067", "task `first`, first.py, argument `hook`"),
        ("F070", "task `second`, second.py"),
        ("F071", "task `second`, second.py, argument `zarr_url`"),
        ("E04", "task `second`, second.py"),
        ("E07", "task `second`, second.py"),
        ("F063", "task `third`, third.py"),
        ("F064", "task `fourth`, fourth.py"),
        ("E05", "task `sixth`, sixth.py"),
    ]
    assert not built.ok
    by_code = {one.code: one for one in found}
    assert (by_code["F071"].file, by_code["F071"].line) == (str(root / "second.py"), 4)
    assert (by_code["F067"].file, by_code["F067"].line) == (str(root / "first.py"), 1)
    assert (by_code["E05"].file, by_code["E05"].line) == (str(root / "sixth.py"), 1)
    assert "`flag`" in by_code["E05"].message
    assert "zarr_dir" in by_code["F070"].message
    assert "no_such_module_anywhere" in by_code["F063"].message
    with pytest.raises(ProblemsError):
        write(built)
    assert not (root / "__FRACTAL_MANIFEST__.json").exists()


@pytest.mark.parametrize(
    ("listed", "more", "code"),
    [
        ('ParallelTask(name="P", executable="par.py", input_types=None)', "", "F002"),
        (LISTED, "AUTHORS = ''", "F014"),
        (LISTED, "AUTHORS = ['A', 'B']", "F002"),
        (LISTED, "DOCS_LINK = 'here'", "F013"),
        (f"{LISTED}, {LISTED}", "", "F007"),
        ('ParallelTask(name="P", executable="par.py", meta={"mem": float("inf")})', "", "F077"),
        ('ParallelTask(name="P", executable="par.py", meta={"mem": object()})', "", "F077"),
        ('ParallelTask(name="P", executable="par.py", docs_info="file:no.md")', "", "F072"),
        ('ParallelTask(name="P", executable="/par.py")', "", "F062"),
        ('ParallelTask(name="P", executable="par")', "", "F062"),
        ('{"name": "P"}', "", "F061"),
    ],
)
def test_what_a_server_refuses_is_never_written(make: Make, listed: str, more: str, code: str) -> None:
    make({"par.py": PAR}, listed, more)
    found = errors(build("made_tasks"))
    assert code in [problem.code for problem in found]


def test_the_list_must_be_there(make: Make) -> None:
    make({"dev/task_list.py": "TASKS = []"})
    assert [problem.code for problem in build("made_tasks").problems] == ["F061"]
    assert [problem.code for problem in build("made_tasks", "dev/task_list.py").problems] == ["F061"]
    (missing,) = build("made_tasks", "dev.tasks").problems
    assert missing.code == "F061"
    assert "`made_tasks.dev.tasks` does not exist" in missing.message


@pytest.mark.parametrize("static", [False, True])
def test_a_package_that_is_not_there_is_told_from_one_without_a_list(static: bool) -> None:
    (missing,) = build("no_such_package_at_all", static=static).problems
    assert (missing.code, missing.message) == ("F060", "the package `no_such_package_at_all` was not found")


@pytest.mark.parametrize("static", [False, True])
def test_a_script_that_is_not_there_is_told_once(make: Make, static: bool) -> None:
    make({}, 'ParallelTask(name="P", executable="par.py")')
    (missing,) = errors(build("made_tasks", static=static))
    assert missing.code == "F063"
    assert "`par.py` does not exist" in missing.message
    assert "install" not in missing.hint


def test_all_that_is_wrong_with_a_listed_task_is_told_on_one_line(make: Make) -> None:
    make({"par.py": PAR}, 'ParallelTask(nam="P", executable="par.py", tags="a")')
    (wrong,) = build("made_tasks").problems
    for said in ("ParallelTask: `name`: Field required", "`nam`: Extra inputs", "`tags`: Input should be", "line 5"):
        assert said in wrong.message
    assert "\n" not in wrong.message
    assert "pydantic.dev" not in wrong.message


def test_functions_that_the_public_tool_can_not_take(make: Make) -> None:
    files = {
        "_impl.py": 'def shared(zarr_url: str):\n    """Shared text."""\n',
        "shared.py": "from ._impl import shared\n",
        "later.py": 'async def later(zarr_url: str):\n    """Later text."""\n',
    }
    make(files, 'ParallelTask(name="S", executable="shared.py"), ParallelTask(name="L", executable="later.py")')
    built = build("made_tasks")
    assert [task["docs_info"] for task in built.manifest["task_list"]] == [
        "## shared\nShared text.\n",
        "## later\nLater text.\n",
    ]
    assert [one.code for one in errors(build("made_tasks", compatible=True))] == ["F073", "F073"]


def test_a_package_may_be_called_with_capitals(make: Make) -> None:
    make({"par.py": PAR}, LISTED, name="MadeTasks")
    assert build("MadeTasks").ok
    assert not build("MadeTasks", compatible=True).ok


def test_texts_are_read_as_utf_8_beside_the_list(make: Make) -> None:
    listed = 'ParallelTask(name="P", executable="par.py", docs_info="file:text.md")'
    make({"par.py": PAR, "dev/text.md": "µm\r\n"}, listed)
    assert build("made_tasks").manifest["task_list"][0]["docs_info"] == "µm\n"


MODELS = dedent(
    '''
    from dataclasses import dataclass
    from pydantic import BaseModel, RootModel
    from typing_extensions import TypedDict

    class Base(BaseModel):
        low: int = 0
        """The lowest."""
        high: int = 9
        """The highest."""

    class Silent(Base):
        model_config = {"use_attribute_docstrings": False}
        low: int = 1
        """Not read."""

    class Mixed:
        name: str = "n"
        """Not of a model."""

    class Scale(TypedDict):
        factor: float
        """Of a dictionary."""

    @dataclass
    class Shift:
        by: int = 1
        """Of a dataclass."""

    class Sizes(RootModel):
        root: list[int]
        """Of the one value."""

    class Told(Mixed, Base):
        class Inner(BaseModel):
            low: int = 2
            """Of the class within."""

        low: int = 1
        wide: bool = False
        """
        How wide
        it is.
        """
        scale: Scale = {"factor": 1.0}
        sizes: Sizes = Sizes([])
        inner: Inner = Inner()

    def models(zarr_url: str, told: Told = Told(), silent: Silent = Silent(), shift: Shift = Shift()):
        pass
    '''
)


def test_texts_below_attributes_are_read_without_touching_pydantic(make: Make) -> None:
    make({"models.py": MODELS}, 'ParallelTask(name="M", executable="models.py")')
    before = dict(BaseModel.model_config), list(logging.root.handlers), logging.root.level
    built = build("made_tasks")
    assert (dict(BaseModel.model_config), list(logging.root.handlers), logging.root.level) == before
    definitions = built.manifest["task_list"][0]["args_schema_parallel"]["$defs"]
    texts = {
        name: {key: one["description"] for key, one in definition.get("properties", {}).items() if "description" in one}
        for name, definition in definitions.items()
    }
    assert texts == {  # as the public tool has it, which was seen with pydantic 2.11 to 2.14
        "Told": {"low": "Of the class within.", "high": "The highest.", "wide": "How wide\nit is."},
        "Silent": {"high": "The highest."},
        "Scale": {"factor": "Of a dictionary."},
        "Shift": {},
        "Sizes": {},
        "Inner": {"low": "Of the class within."},
    }
    assert definitions["Sizes"]["description"] == "Of the one value."


def test_it_works_when_the_models_were_imported_before_and_twice_in_a_process(make: Make) -> None:
    make({"models.py": MODELS}, 'ParallelTask(name="M", executable="models.py")')
    import importlib

    importlib.import_module("made_tasks.models")
    first, second = build("made_tasks"), build("made_tasks")
    assert first.manifest == second.manifest
    assert "The highest." in json.dumps(first.manifest)


def test_importing_the_wrapper_or_the_package_loads_no_pydantic() -> None:
    import subprocess

    code = "import sys, trivet.fractal, trivet.fractal.task_wrapper; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


HEAVY = dedent(
    '''
    from __future__ import annotations
    import no_such_framework as framework
    from no_such_framework.layers import Net
    from pydantic import validate_call
    from .models import Told
    from . import models as shapes

    NET = Net()
    LEVELS = 3

    @validate_call
    @framework.compiled
    def heavy(zarr_url: str, told: Told, other: shapes.Told | None = None, level: int = LEVELS):
        """Segment.

        Args:
            level: Of the pyramid.
        """
        return framework.run(NET)
    '''
)


def test_a_package_is_read_without_importing_what_it_computes_with(make: Make) -> None:
    files = {"heavy.py": HEAVY, "models.py": MODELS, "__init__.py": "import no_such_framework\n"}
    make(files, 'ParallelTask(name="H", executable="heavy.py")')
    before = set(sys.modules)
    assert "no_such_framework" in build("made_tasks").problems[0].message
    built = build("made_tasks", static=True)
    assert built.problems == []
    schema = built.manifest["task_list"][0]["args_schema_parallel"]
    assert schema["required"] == ["zarr_url", "told"]
    assert schema["properties"]["level"] == {
        "default": 3, "title": "Level", "type": "integer", "description": "Of the pyramid.",
    }  # fmt: skip
    assert schema["$defs"]["Told"]["properties"]["wide"]["description"] == "How wide\nit is."
    assert not [name for name in set(sys.modules) - before if name.startswith("made_tasks")]


def test_what_the_source_alone_does_not_tell_is_said_argument_by_argument(make: Make) -> None:
    text = (
        "import no_such_framework as f\n"
        "def odd(zarr_url: str, net: f.Net = f.NET, size: int = f.SIZE, level: int = 1): pass\n"
    )
    make({"odd.py": text}, 'ParallelTask(name="O", executable="odd.py")')
    found = build("made_tasks", static=True).problems
    assert [one.message.partition(":")[0] for one in found] == [
        "task `O`, odd.py, argument `net`",
        "task `O`, odd.py, argument `size`",
    ]
    assert all("No module named 'no_such_framework'" in one.message for one in found)


def test_all_that_the_older_generation_can_not_express_is_told_at_once(make: Make) -> None:
    text = "def par(zarr_url: str, a: int | str, b: int | None = 2, args: int = 1, c: int | None = None): pass\n"
    make({"par.py": text}, LISTED)
    found = build("made_tasks", schema_version="pydantic_v2").problems
    assert [(one.code, one.message.partition(":")[0].rpartition(" ")[2]) for one in found] == [
        ("F078", "`a`"),
        ("F078", "`b`"),
        ("F078", "`args`"),
    ]


def test_models_of_the_older_generation_take_texts_from_class_docstrings(make: Make) -> None:
    text = dedent(
        '''
        from pydantic import BaseModel

        class Window(BaseModel):
            """A window.

            Attributes:
                low: The lowest.
            """
            low: int | None = None

        def par(zarr_url: str, window: Window):
            """Blur."""
        '''
    )
    make({"par.py": text}, LISTED, 'INPUT_MODELS = [("made_tasks", "par.py", "Window")]')
    built = build("made_tasks", schema_version="pydantic_v2")
    assert built.ok
    assert built.manifest["args_schema_version"] == "pydantic_v2"
    assert built.manifest["task_list"][0]["args_schema_parallel"]["$defs"]["Window"]["properties"] == {
        "low": {"title": "Low", "type": "integer", "description": "The lowest."}
    }


def test_a_package_without_init_has_no_place_for_a_manifest(make: Make) -> None:
    root: Path = make({"par.py": PAR}, LISTED)
    (root / "__init__.py").unlink()
    found = build("made_tasks")
    assert [problem.code for problem in found.problems] == ["F060"]
