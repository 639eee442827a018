"""From a call to the input folder, and from the output folder to values: without a container, as if one had run."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trivet.contracts import cytomine
from trivet.contracts.cytomine import staging
from trivet.runs.inputs import bound
from trivet.tasks.call import Call, bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import ContainerImage, Resources
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Mount, Outcome, Unit, UnitResult

CallWith = Callable[..., Call]
UNIT = Unit("0")
WELL = Outcome(0)
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]]]}


def array(kind: Any, **constraints: Any) -> dict[str, Any]:
    return {"id": "array", "subtype": kind, **constraints}


@pytest.fixture
def where(tmp_path: Path) -> AttemptDirectory:
    return AttemptDirectory("run/0/1", tmp_path / "attempt")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (64, 32)).save(path)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_input_folder(call_with: CallWith, where: AttemptDirectory, photo: Path) -> None:
    call = call_with(
        {"image": FileRef(str(photo)), "region": SQUARE, "ids": [1, 2], "name": " two\nlines "},
        {
            "image": "image",
            "region": "geometry",
            "ids": array("integer"),
            "name": "string",
            "limit": {"type": "number", "default": 0.5},
            "note": {"type": "string", "optional": True},
        },
        configuration={
            "output_folder": "/data/out",
            "resources": {"ram": "2Gi", "cpus": 3, "gpus": 1, "internet": True},
        },
    )
    [unit] = cytomine.plan(call, 0, ()) or ()
    invocation = cytomine.stage(call, unit, where)
    inputs = where.root / "inputs"
    files = tree(inputs)
    assert json.loads(files.pop("region")) == SQUARE
    assert files == {
        "image": photo.read_bytes(),
        "ids/array.yml": b"size: 2",
        "ids/0": b"1",
        "ids/1": b"2",
        "name": b" two\nlines ",
        "limit": b"0.5",
    }
    assert invocation.program == ContainerImage("com/example/test:1.0.0")
    assert invocation.command is None
    assert invocation.args == ()
    assert invocation.environment == {}
    assert invocation.mounts == (
        Mount(str(inputs), "/inputs"),
        Mount(str(where.root / "outputs"), "/data/out", writable=True),
    )
    assert invocation.resources == Resources(3.0, 2 * 1024**3, 1)
    assert invocation.network is True
    assert cytomine.plan(call, 1, ()) is None


def test_staging_again_gives_the_same_and_touches_nothing(
    call_with: CallWith, where: AttemptDirectory, photo: Path
) -> None:
    call = call_with({"image": FileRef(str(photo)), "n": 3}, {"image": "image", "n": "integer"})
    where.make(".inputs", "left over by a driver that was killed")
    first = cytomine.stage(call, UNIT, where)
    seen_by_the_unit = os.open(where.root / "inputs", os.O_RDONLY | os.O_DIRECTORY)
    assert cytomine.stage(call, UNIT, where) == first
    assert sorted(os.listdir(seen_by_the_unit))  # noqa: PTH208 (a descriptor) == ["image", "n"]
    os.close(seen_by_the_unit)
    assert sorted(path.name for path in where.root.iterdir()) == ["inputs", "outputs"]


def test_the_input_folder_can_be_read_by_anybody(call_with: CallWith, where: AttemptDirectory) -> None:
    mask = os.umask(0o077)
    try:
        cytomine.stage(call_with({"ids": [1]}, {"ids": array("integer")}), UNIT, where)
    finally:
        os.umask(mask)
    assert (where.root / "inputs").stat().st_mode & 0o777 == 0o755
    assert (where.root / "inputs/ids").stat().st_mode & 0o777 == 0o755
    assert (where.root / "inputs/ids/0").stat().st_mode & 0o777 == 0o644
    assert (where.root / "outputs").stat().st_mode & 0o777 == 0o777


def test_a_referenced_file_is_linked_else_copied_else_mounted(
    call_with: CallWith, where: AttemptDirectory, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link.png").symlink_to(photo)
    call = call_with({"images": [FileRef(str(tmp_path / "link.png"))]}, {"images": array("image")})
    cytomine.stage(call, UNIT, where)
    target = where.root / "inputs/images/0"
    assert target.samefile(photo)
    assert not target.is_symlink()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    shutil.rmtree(where.root)
    assert len(cytomine.stage(call, UNIT, where).mounts) == 2
    assert target.read_bytes() == photo.read_bytes()
    assert not target.samefile(photo)

    monkeypatch.setattr(staging, "COPIED", 10)
    shutil.rmtree(where.root)
    mounts = cytomine.stage(call, UNIT, where).mounts
    assert mounts[2:] == (Mount(str(photo), "/inputs/images/0", directory=False),)
    assert target.read_bytes() == b""
    assert photo.stat().st_size > 0


def test_a_zipped_slide_becomes_a_directory(call_with: CallWith, where: AttemptDirectory, corpus: Path) -> None:
    slide, plain = corpus / "images/wsidicom-4-files.zip", FileRef(str(corpus / "images/wsidicom-4-files.zip"))
    call = call_with({"slide": plain, "raw": plain}, {"slide": "image", "raw": "file"})
    cytomine.stage(call, UNIT, where)
    sizes = sorted(path.stat().st_size for path in (where.root / "inputs/slide").rglob("*.dcm"))
    assert sizes == [32414, 51338, 88432, 941352]
    assert (where.root / "inputs/raw").stat().st_size == slide.stat().st_size


def test_inputs_are_judged_before_anything_starts(call_with: CallWith, photo: Path) -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}
    call = call_with(
        {"image": FileRef(str(photo)), "other": FileRef(str(photo) + "x"), "region": bow_tie, "text": "\ud800"},
        {
            "image": {"id": "image", "formats": ["jpeg"], "max_width": 3},
            "other": "file",
            "region": "geometry",
            "text": "string",
        },
    )
    assert [problem.code for problem in cytomine.refusals(call)] == ["C210", "C201", "C231", "C202"]


def test_faults_of_types_and_of_contents_are_told_at_once(task_with: Callable[..., Any], photo: Path) -> None:
    task = task_with({"count": "integer", "image": {"id": "image", "formats": ["jpeg"]}, "region": "geometry"}, {})
    wrong = {"image": f"@{photo}", "region": '{"type": "Sphere"}'}
    for count in ("x", "0x1"):
        with pytest.raises(ProblemsError) as caught:
            bound(task, {**wrong, "count": count, "unknown": "1"}.items(), photo.parent)
        codes = [problem.code for problem in caught.value.problems]
        assert codes == ["B003"] * (count == "x") + ["B001", "C210", "C232"]


def test_pipes_and_directories_are_no_files(call_with: CallWith, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    inputs = {"a": "file", "b": "image", "c": "file"}
    given = {"a": tmp_path / "pipe", "b": tmp_path / "pipe", "c": tmp_path}
    call = call_with({name: FileRef(str(path)) for name, path in given.items()}, inputs)
    assert [problem.code for problem in cytomine.refusals(call)] == ["C201", "C201", "C201"]


OUTLINE = {"type": "Point", "coordinates": [1, 2]}


def test_side_cars_are_written_beside_their_images(call_with: CallWith, where: AttemptDirectory, photo: Path) -> None:
    image = FileRef(str(photo))
    values = {"one": image, "one.geojson": OUTLINE, "many": [image, image], "many.geojson": [None, OUTLINE]}
    call = call_with(values, {"one": "image", "many": array("image")})
    assert cytomine.refusals(call) == []
    cytomine.stage(call, UNIT, where)
    files = tree(where.root / "inputs")
    assert json.loads(files["one.geojson"]) == json.loads(files["many/1.geojson"]) == OUTLINE
    assert sorted(files) == ["many/0", "many/1", "many/1.geojson", "many/array.yml", "one", "one.geojson"]


def test_side_cars_belong_to_images(call_with: CallWith, photo: Path) -> None:
    image = FileRef(str(photo))
    inputs = {"one": {"type": "image", "optional": True}, "many": array("image")}
    call = call_with({"one.geojson": OUTLINE, "many": [image], "many.geojson": [None, OUTLINE]}, inputs)
    assert [problem.code for problem in cytomine.refusals(call)] == ["C219", "C214"]
    wrong = call_with({"one": image, "one.geojson": {"type": "Ellipse"}, "many": []}, inputs)
    assert [problem.code for problem in cytomine.refusals(wrong)] == ["C232"]
    with pytest.raises(ProblemsError, match=r"no input `a\.geojson`"):
        call_with({"a": image, "a.geojson": OUTLINE}, {"a": "file"})


def test_without_shapely_staging_says_what_was_not_checked(
    call_with: CallWith, where: AttemptDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_with({"region": SQUARE}, {"region": "geometry"})
    assert cytomine.stage(call, UNIT, where).notes == ()
    monkeypatch.setattr(staging, "can_judge", lambda: False)
    [note] = cytomine.stage(call, UNIT, where).notes
    assert (note.code, note.severity) == ("C208", "warning")


def test_inputs_laid_out_in_a_directory(
    call_with: CallWith, task_with: Callable[..., Any], where: AttemptDirectory, photo: Path, tmp_path: Path
) -> None:
    inputs = {
        "image": "image",
        "images": array("image"),
        "region": "geometry",
        "ids": array(array("integer")),
        "note": {"type": "string", "optional": True},
        "limit": {"type": "number", "default": 0.5},
    }
    values = {
        "image": FileRef(str(photo)),
        "images": [FileRef(str(photo)), FileRef(str(photo))],
        "images.geojson": [None, OUTLINE],
        "region": SQUARE,
        "ids": [[1], []],
        "limit": 2.0,
    }
    cytomine.stage(call_with(values, inputs), UNIT, where)
    folder = where.root / "inputs"
    found, problems = cytomine.read_inputs(task_with(inputs), folder)
    assert problems == []
    assert Path(found["image"].path) == folder / "image"
    assert [Path(item.path) for item in found["images"]] == [folder / "images/0", folder / "images/1"]
    plain = ("images.geojson", "region", "ids", "limit")
    assert {name: found[name] for name in found if name in plain} == {name: values[name] for name in plain}
    assert found.keys() == values.keys()
    (folder / "image").unlink()
    (folder / "image").symlink_to(photo)
    (folder / "ids/0/0").write_text("one")
    (folder / "region.txt").touch()
    found, problems = cytomine.read_inputs(task_with(inputs), folder)
    assert [problem.code for problem in problems] == ["C202", "C204"]


def test_a_task_repeated_over_an_input(task_with: Callable[..., Any], where: AttemptDirectory) -> None:
    call = bind(task_with({"a": "integer", "b": "string"}, {"o": "integer"}), {"a": [3, 4], "b": "x"}, each="a")
    units = cytomine.plan(call, 0, ()) or ()
    staged = []
    for unit in units:
        attempt = AttemptDirectory(f"run/{unit.name}/1", where.root / unit.name)
        cytomine.stage(call, unit, attempt)
        staged.append(tree(attempt.root / "inputs"))
        (attempt.root / "outputs/o").write_text(unit.name)
    assert staged == [{"a": b"3", "b": b"x"}, {"a": b"4", "b": b"x"}]
    results = [cytomine.collect(call, unit, AttemptDirectory("", where.root / unit.name), WELL) for unit in units]
    assert cytomine.conclude(call, results).outputs == {"o": [0, 1]}


def test_inputs_that_must_match_are_compared_before_anything_starts(call_with: CallWith) -> None:
    inputs = {
        "a": array("integer"),
        "b": {"type": array("integer"), "dependencies": {"matching": ["inputs/a"]}},
        "c": {"type": array("integer"), "dependencies": {"matching": ["inputs/b"]}, "optional": True},
    }
    assert cytomine.refusals(call_with({"a": [1], "b": [1], "c": [1]}, inputs)) == []
    [problem] = cytomine.refusals(call_with({"a": [1, 2], "b": [1, 2], "c": [1]}, inputs))
    assert (problem.code, problem.message.partition(";")[0]) == ("C214", "input `b` has 2 items and input `c` 1")
    # An optional array that is absent is not compared, and links no others.
    assert cytomine.refusals(call_with({"a": [1], "b": [1]}, inputs)) == []
    assert [problem.code for problem in cytomine.refusals(call_with({"a": [1], "b": [1, 2]}, inputs))] == ["C214"]
    inputs["b"]["optional"] = True
    assert cytomine.refusals(call_with({"a": [1, 2], "c": [1]}, inputs)) == []
    # Units of a repeated call are compared one by one.
    repeated = bind(call_with({"a": [], "b": []}, inputs).task, {"a": [[1], [1, 2]], "b": [1], "c": [1]}, each="a")
    assert [problem.code for problem in cytomine.refusals(repeated)] == ["C214"]


def finished(call: Call, where: AttemptDirectory, files: dict[str, str | bytes]) -> UnitResult:
    for name, content in files.items():
        path = where.make("outputs") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return cytomine.collect(call, UNIT, where, WELL)


def codes(result: UnitResult, severity: str = "error") -> list[str]:
    return [problem.code for problem in result.problems if problem.severity == severity]


def test_outputs_become_values(call_with: CallWith, where: AttemptDirectory, photo: Path) -> None:
    call = call_with(
        {},
        None,
        {
            "count": "integer",
            "areas": array("number"),
            "outlines": {"type": array("geometry"), "dependencies": {"matching": ["outputs/areas"]}},
            "overlay": "image",
            "tiles": array("image"),
            "note": {"type": "string", "optional": True},
        },
    )
    result = finished(
        call,
        where,
        {
            "count": "2\n",
            "areas/array.yml": "size: 2\n",
            "areas/0": "1.5",
            "areas/1": "2",
            "outlines/array.yml": "size: 2",
            "outlines/0": json.dumps(SQUARE),
            "outlines/1": json.dumps(SQUARE),
            "overlay": photo.read_bytes(),
            "tiles/array.yml": "size: 1",
            "tiles/0": photo.read_bytes(),
        },
    )
    size, outputs = photo.stat().st_size, where.root / "outputs"
    assert (result.ok, result.problems, result.exit_code) == (True, (), 0)
    assert result.outputs == {
        "count": 2,
        "areas": [1.5, 2.0],
        "outlines": [SQUARE, SQUARE],
        "overlay": FileRef(str(outputs / "overlay"), size, name="overlay.png"),
        "tiles": [FileRef(str(outputs / "tiles/0"), size, name="tiles-0.png")],
    }
    assert cytomine.conclude(call, [result]).state is RunState.FINISHED


def test_every_fault_of_the_outputs_is_told_at_once(call_with: CallWith, where: AttemptDirectory) -> None:
    outputs = {"a": {"id": "integer", "lt": 9}, "b": "boolean", "c": "geometry", "d": "image", "e": "integer"}
    result = finished(call_with({}, None, outputs), where, {"a": "10", "b": "yes", "c": "{}", "d.png": "", "E": "1"})
    assert result.reason is Reason.MISSING_OUTPUT
    assert result.message == "not written: `d`, `e`"
    assert codes(result) == ["C223", "C202", "C207", "C200", "C200"]
    assert codes(result, "warning") == ["C204"]
    hints = [problem.hint for problem in result.problems if problem.code == "C200"]
    assert hints == [
        "`d.png` is there; the name must be `d` exactly, without an extension",
        "`E` is there; the name must be `e` exactly, without an extension",
    ]


def test_an_invalid_output(call_with: CallWith, where: AttemptDirectory) -> None:
    result = finished(call_with({}, None, {"a": "integer", "b": "integer"}), where, {"a": "1", "b": "b"})
    assert (result.reason, result.message) == (Reason.INVALID_OUTPUT, "not valid: `b`")
    assert result.outputs == {"a": 1}


def test_outputs_that_do_not_match_inputs(call_with: CallWith, where: AttemptDirectory) -> None:
    outputs = {"o": {"type": array("integer"), "dependencies": {"matching": ["inputs/i"]}}}
    call = call_with({"i": [1, 2]}, {"i": array("integer")}, outputs)
    result = finished(call, where, {"o/array.yml": "size: 1", "o/0": "1"})
    assert result.reason is Reason.UNMATCHED_OUTPUT
    assert codes(result) == ["C214"]
    assert "input `i`" in result.message
    assert "output `o`" in result.message


def test_an_absent_array_does_not_stop_others_from_matching(call_with: CallWith, where: AttemptDirectory) -> None:
    inputs = {
        "i": array("integer"),
        "absent": {"type": array("string"), "optional": True, "dependencies": {"matching": ["inputs/i"]}},
    }
    outputs = {"o": {"type": array("integer"), "dependencies": {"matching": ["inputs/i"]}}}
    result = finished(call_with({"i": [1, 2]}, inputs, outputs), where, {"o/array.yml": "size: 1", "o/0": "1"})
    assert (result.reason, codes(result)) == (Reason.UNMATCHED_OUTPUT, ["C214"])


def test_inputs_that_match_one_output_match_each_other(call_with: CallWith) -> None:
    outputs = {"o": {"type": array("integer"), "dependencies": {"matching": ["inputs/a", "inputs/b"]}}}
    call = call_with({"a": [1, 2], "b": [1]}, {"a": array("integer"), "b": array("integer")}, outputs)
    assert [problem.code for problem in cytomine.refusals(call)] == ["C214"]


def test_nested_arrays_match_at_every_depth_they_share(call_with: CallWith, where: AttemptDirectory) -> None:
    outputs = {"o": {"type": array(array("integer")), "dependencies": {"matching": ["inputs/i", "inputs/j"]}}}
    inputs = {"i": array(array("integer")), "j": array("integer")}
    call = call_with({"i": [[1, 2], [3]], "j": [1, 2]}, inputs, outputs)
    files = {"o/array.yml": "size: 2", "o/0/array.yml": "size: 2", "o/0/0": "1", "o/0/1": "1"}
    assert finished(call, where, {**files, "o/1/array.yml": "size: 1", "o/1/0": "1"}).ok
    assert codes(finished(call, where, {"o/1/array.yml": "size: 2", "o/1/1": "1"})) == ["C214"]


def test_a_program_that_fails_has_failed_whatever_it_wrote(call_with: CallWith, where: AttemptDirectory) -> None:
    (where.make("outputs") / "a").write_text("1")
    result = cytomine.collect(call_with({}, None, {"a": "integer"}), UNIT, where, Outcome(3))
    assert (result.reason, result.exit_code, result.outputs) == (Reason.EXIT_CODE, 3, {})


def test_nothing_written_at_all(call_with: CallWith, where: AttemptDirectory) -> None:
    call = call_with({}, None, {"a": "integer", "b": {"type": "file", "optional": True}})
    result = cytomine.collect(call, UNIT, where, WELL)
    assert (result.reason, codes(result)) == (Reason.MISSING_OUTPUT, ["C200"])


def test_outputs_of_the_corpus(call_with: CallWith, where: AttemptDirectory, corpus: Path) -> None:
    import zipfile

    for stem, value in (("123e4567-e89b-12d3-a456-426614174001", 28), ("acde070d-8c4c-4f0d-9d8a-162843c10333", 15)):
        with zipfile.ZipFile(corpus / f"bundles/outputs__{stem}-sum.zip") as archive:
            archive.extractall(where.make("outputs"))
        assert cytomine.collect(call_with({}, None, {"sum": "integer"}), UNIT, where, WELL).outputs == {"sum": value}


def test_many_items_are_read_in_their_order(call_with: CallWith, where: AttemptDirectory) -> None:
    numbers = random.Random(1).sample(range(10_000), 1200)
    files: dict[str, str | bytes] = {f"a/{index}": str(number) for index, number in enumerate(numbers)}
    result = finished(call_with({}, None, {"a": array("integer")}), where, files | {"a/array.yml": "size: 1200"})
    assert result.outputs == {"a": numbers}
