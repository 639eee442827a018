"""`trivet convert` between contracts: what it writes, tells and refuses; no container engine is needed."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path

import pytest
import yaml

from .conftest import COMMAND, Trivet, written

START = ("--entrypoint", "python3 '/my app/add.py'")


def test_a_project_for_another_contract_is_written(trivet: Trivet, descriptor: Path, tmp_path: Path) -> None:
    done = trivet("convert", "descriptor.yml", "--to", "kaapana", *START, "-o", "out")
    assert done.returncode == 0
    names = [Path(line).name for line in done.stdout.splitlines()]
    [script] = [name for name in names if name.endswith(".sh")]
    assert names == ["processing-container.json", "Dockerfile", script, "README.md"]
    assert "t_start python3 '/my app/add.py'" in (tmp_path / "out" / script).read_text()
    assert "ARG IMAGE=org/example/add:1.0.0" in (tmp_path / "out/Dockerfile").read_text()
    assert "descriptor.yml:22:1: warning X014" in done.stderr
    assert trivet("check", "out", "--strict").returncode == 0
    again = trivet("convert", "descriptor.yml", "--to", "kaapana", *START, "-o", "out")
    assert (again.returncode, again.stdout) == (1, "")
    assert "is there already" in again.stderr


HUGE = 10**30


@pytest.mark.parametrize("lowest", [None, -HUGE, -300, 0, 5, HUGE - 7])
@pytest.mark.parametrize("highest", [None, -HUGE + 3, -1, 0, 300, HUGE + 5])
def test_the_wrapper_keeps_whole_numbers_within_their_bounds(lowest: int | None, highest: int | None) -> None:
    template = resources.files("trivet.conversions").joinpath("for_channels.sh.in").read_text()
    functions = template.partition("t_choice()")[0].replace("t_tool=@TOOL@", "t_tool= t_item=item")
    values = [-HUGE - 1, -HUGE, -HUGE + 3, -301, -300, -1, 0, 4, 5, 300, 301, HUGE - 8, HUGE - 7, HUGE + 5, HUGE + 6]
    ends = ["-" if end is None else str(end) for end in (lowest, highest)]
    calls = [f"(t_integer n {value} {' '.join(ends)}); echo $?" for value in values]
    program = "\n".join([functions, "t_text() { printf '%s ' \"$2\"; }", *calls])
    done = subprocess.run(["sh"], input=program, capture_output=True, text=True, check=True)
    fits = [(lowest is None or value >= lowest) and (highest is None or value <= highest) for value in values]
    assert done.stdout.splitlines() == [f"{value} 0" if fit else "1" for value, fit in zip(values, fits, strict=True)]
    assert all(line.startswith("item: n: ") for line in done.stderr.splitlines())


def test_the_wrapper_writes_what_links_of_a_result_lead_to(tmp_path: Path) -> None:
    for folder in ("in/slide", "out/array", "channel"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "in/photo").write_text("pixels")
    (tmp_path / "in/slide/0.dcm").write_text("more pixels")
    (tmp_path / "out/photo").symlink_to(tmp_path / "in/photo")
    (tmp_path / "out/array/0").symlink_to(tmp_path / "in/slide")
    (tmp_path / "out/array/1").write_text("own")
    template = resources.files("trivet.conversions").joinpath("for_channels.sh.in").read_text()
    head = template.partition("t_done=0")[0].replace("t_out=@OUTPUTS@ t_tool=@TOOL@", "t_out=out t_tool= t_item=p1")
    calls = ["t_result photo photos photo.png", "t_result array arrays array", "t_result absent absent absent"]
    program = "\n".join([head, *(f"{call} || exit" for call in calls)])
    subprocess.run(["sh"], input=program, text=True, check=True, cwd=tmp_path)
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*s/**/*") if path.is_file()}
    assert found == {
        "photos/p1/photo.png": "pixels",
        "arrays/p1/0/0.dcm": "more pixels",
        "arrays/p1/1": "own",
    }
    assert not any(path.is_symlink() for path in (tmp_path / "arrays").rglob("*"))
    assert list((tmp_path / "absent").iterdir()) == [tmp_path / "absent/p1"]
    assert list((tmp_path / "out").iterdir()) == []
    assert (tmp_path / "in/photo").read_text() == "pixels"


def test_nothing_is_written_where_nothing_may_be_lost(trivet: Trivet, descriptor: Path, tmp_path: Path) -> None:
    done = trivet("convert", "descriptor.yml", "--to", "kaapana", *START, "-o", "out", "--strict")
    assert (done.returncode, done.stdout) == (1, "")
    assert "X014" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_template_is_chosen_and_the_caller_says_who(trivet: Trivet, container: Path, tmp_path: Path) -> None:
    who = ["--author", "Ada King Lovelace <ada@example.org>, Analytical, Engines", "--author", "B C <b@c.de>, D"]
    more = ["--namespace", "com.ada.tools", "--task-version", "2.0.0", "--channel", "in=image", "--image", "tools:1"]
    target = "processing-container.json#convert"
    done = trivet("convert", target, "--to", "cytomine", *who, *more, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "X021" not in done.stderr
    data = yaml.safe_load((tmp_path / "out/descriptor.yml").read_text())
    assert (data["namespace"], data["version"]) == ("com.ada.tools", "2.0.0")
    people = [(one["first_name"], one["last_name"], one["email"], one["organization"]) for one in data["authors"]]
    assert people == [
        ("Ada", "King Lovelace", "ada@example.org", "Analytical, Engines"),
        ("B", "C", "b@c.de", "D"),
    ]
    assert data["inputs"]["in"]["type"] == {"id": "array", "subtype": "image"}
    assert "set -- python3 convert.py" in next((tmp_path / "out").glob("*.sh")).read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("--author", "nobody"),
        ("--channel", "in=pixels"),
        ("--channel", "in"),
        ("--entrypoint", "'open"),
    ],
)
def test_wishes_that_mean_nothing_are_wrong_usage(trivet: Trivet, container: Path, words: tuple[str, ...]) -> None:
    done = trivet("convert", "processing-container.json", "--to", "cytomine", "--image", "i:1", "-o", "out", *words)
    assert done.returncode == 2
    assert words[0] in done.stderr


def test_what_can_not_be_converted_is_told(trivet: Trivet, container: Path, descriptor: Path, tmp_path: Path) -> None:
    written(tmp_path / "blur.json", COMMAND)
    done = trivet("convert", "blur.json", "--to", "kaapana", "-o", "out")
    assert done.returncode == 1
    assert "X001 what is written in the contract command can't be written in kaapana" in done.stderr
    done = trivet("convert", "descriptor.yml", "--to", "cytomine", "-o", "out")
    assert "X001 this is a task of the contract cytomine already" in done.stderr
    done = trivet("convert", "processing-container.json", "--to", "cytomine", "-o", "out")
    assert "X003 convert names no image" in done.stderr
    done = trivet("convert", "processing-container.json#none", "--to", "cytomine", "-o", "out")
    assert "T016 there is no task `none`" in done.stderr
    two = json.loads(container.read_text())
    two["templates"].append({**two["templates"][0], "identifier": "second"})
    written(container, two)
    done = trivet("convert", "processing-container.json", "--to", "cytomine", "--image", "i", "-o", "out")
    assert "T017 2 tasks are here" in done.stderr
    assert not (tmp_path / "out").exists()


def test_several_files_need_a_directory(trivet: Trivet, descriptor: Path) -> None:
    done = trivet("convert", "descriptor.yml", "--to", "kaapana", *START)
    assert (done.returncode, done.stdout) == (2, "")
    assert "give --output DIR" in done.stderr
