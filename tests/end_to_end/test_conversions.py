"""Converted tasks are built and run on Docker, and give what the originals give."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivet.testing.archives import Link, docker_archive, layer

from .conftest import CommandLine

ROOT = Path(__file__).resolve().parents[2]
NUCLEI, DICOM = ROOT / "examples/cytomine/count-nuclei", ROOT / "examples/kaapana/dicom-tools"
APPLETS = "sh cat cp mv ln rm mkdir chmod ls printf test env tr dd wc find expr seq id"

pytestmark = pytest.mark.docker

Build = Callable[[Path], str]
Load = Callable[..., str]


def docker(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=check, env=environment)


@pytest.fixture(scope="module", autouse=True)
def daemon() -> None:
    if not shutil.which("docker") or docker("info", check=False).returncode:
        pytest.skip("no Docker daemon answers")


@pytest.fixture
def tags() -> Iterator[list[str]]:
    """Names of images that are removed afterwards."""
    made: list[str] = []
    yield made
    for tag in reversed(made):
        docker("image", "rm", "--force", tag, check=False)


@pytest.fixture
def build(tags: list[str]) -> Build:
    """Build the image of a project."""

    def built(directory: Path) -> str:
        tag = f"trivet-converted-{os.getpid()}:{len(tags)}"
        tags.append(tag)
        done = docker("build", "--tag", tag, str(directory), check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return tag

    return built


@pytest.fixture
def load(tmp_path: Path, tags: list[str]) -> Load:
    """An image of busybox and a few files, with a shell and its usual programs or without."""

    def loaded(files: Mapping[str, str], shell: bool = True, **config: Any) -> str:
        binary = shutil.which("busybox")
        if binary is None:
            pytest.skip("there is no busybox on this machine (Debian: apt-get install busybox-static)")
        tool = {"bin/busybox" if shell else "app/busybox": Path(binary).read_bytes()}
        links = {f"bin/{name}": Link("busybox") for name in APPLETS.split()} if shell else {}
        tag = f"trivet-original-{os.getpid()}:{len(tags)}"
        texts = {name: text.encode() for name, text in files.items()}
        path = docker_archive(
            tmp_path / "image.tar", [layer({**tool, **links, **texts})], (tag,), Env=["PATH=/bin"], **config
        )
        docker("load", "--input", str(path))
        tags.append(tag)
        return tag

    return loaded


def example(reference: str) -> str:
    if docker("image", "inspect", reference, check=False).returncode:
        pytest.skip(f"the image {reference} is not there: scripts/build-example-images.sh")
    return reference


def data_of(directory: Path, name: str) -> Any:
    runpy.run_path(str(directory / "make_data.py"))["make"](Path(name))


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def outputs(trivet: CommandLine, folder: str) -> dict[str, Any]:
    return json.loads((trivet.cwd / folder / "outputs.json").read_text())  # type: ignore[no-any-return]


def channel_of(outputs: Mapping[str, Any], name: str) -> dict[str, bytes]:
    """The content of a channel as a converted task gives it: every file by its name in the channel."""
    names, found = outputs[f"{name}_names"], outputs[name]
    pairs = [pair for group in zip(names, found, strict=True) for pair in zip(*group, strict=True)]
    return {text: Path(file["$file"]).read_bytes() for text, file in pairs}


def test_the_nuclei_counted_as_a_kaapana_container(trivet: CommandLine, build: Build) -> None:
    example("org/trivet/examples/count_nuclei:1.0.0")
    data_of(NUCLEI, str(trivet.cwd / "data"))
    done = trivet("convert", f"{NUCLEI}/descriptor.yml", "--to", "kaapana", "--output", "container")
    assert "X013 channel `region` is optional" in done.stderr
    trivet("check", "container", "--strict")
    image = build(trivet.cwd / "container")
    channels = {"images/whole/colon.png": "colon.png", "images/a part/colon.png": "colon.png"}
    for name, original in {**channels, "regions/a part/quarter.geojson": "quarter.geojson"}.items():
        (trivet.cwd / name).parent.mkdir(parents=True)
        shutil.copyfile(trivet.cwd / "data" / original, trivet.cwd / name)
    words = ["--image", image, "--input", "image=images", "--input", "region=regions", "--runtime", "docker"]
    trivet("run", "container", *words, "min_area=40", "method=li", "--output", "converted")
    for item, more in (("whole", []), ("a part", ["region=@data/quarter.geojson"])):
        words = ["image=@data/colon.png", "min_area=40", "method=li", *more, "--runtime", "docker", "--output", item]
        trivet("run", str(NUCLEI), *words)
        expected = outputs(trivet, item)
        here = trivet.cwd / "converted"
        assert (here / "count" / item / "count.txt").read_text() == str(expected["count"])
        assert (here / "overlay" / item / "overlay.png").read_bytes() == (
            trivet.cwd / item / "overlay.png"
        ).read_bytes()
        for name in ("areas", "outlines"):
            folder = here / name / item
            size = yaml.safe_load((folder / "array.yml").read_text())["size"]
            assert [json.loads((folder / str(index)).read_text()) for index in range(size)] == expected[name]
    assert expected["count"] > 20


@pytest.mark.parametrize("template", ["window-statistics", "dicom-to-nrrd"])
def test_the_dicom_tools_as_cytomine_tasks(trivet: CommandLine, build: Build, template: str) -> None:
    original = example("dicom-tools:latest")
    data_of(DICOM, str(trivet.cwd / "dicom"))
    target = f"{DICOM}/processing-container.json#{template}"
    author = ["--author", "Ada Lovelace <ada@example.org>, Analytical Engines"]
    done = trivet("convert", target, "--to", "cytomine", "--image", original, *author, "--output", "task")
    assert "X023 the scale rule of `dicom`" in done.stderr
    trivet("check", "task", "--strict")
    image = build(trivet.cwd / "task")
    items = sorted((trivet.cwd / "dicom").iterdir())
    values: dict[str, Any] = {
        "dicom": [[str(file) for file in sorted(item.iterdir())] for item in items],
        "dicom_names": [[f"{item.name}/{file.name}" for file in sorted(item.iterdir())] for item in items],
    }
    more: list[str] = []
    if template == "window-statistics":
        values |= {"WINDOW_WIDTH": 500, "INVERT": True, "COLOUR_MAP": "hot"}
        more = ["WINDOW_WIDTH=500", "INVERT=true", "COLOUR_MAP=hot"]
    (trivet.cwd / "values.json").write_text(json.dumps(values))
    trivet("run", "task", "--image", image, "--values", "values.json", "--runtime", "docker", "--output", "converted")
    trivet(
        "run", target, "--image", original, "--input", "dicom=dicom", "--runtime", "docker", "--output", "same", *more
    )
    [name] = [path.name for path in (trivet.cwd / "same").iterdir() if path.is_dir()]
    expected = files(trivet.cwd / "same" / name)
    assert len(expected) >= 4
    assert channel_of(outputs(trivet, "converted"), name) == expected


DESCRIPTOR = {
    "$schema": "https://cytomine.com/schema-store/tasks/task.v0.json",
    "name": "Repeat",
    "namespace": "org.example.repeat",
    "version": "1.0.0",
    "authors": [{"first_name": "A", "last_name": "B", "organization": "C", "email": "a@example.org"}],
    "configuration": {"resources": {"ram": "64Mi"}},
    "inputs": {
        "text": {"description": "A text", "type": "file"},
        "times": {"description": "How often", "type": {"id": "integer", "geq": 1}, "default": 2},
    },
    "outputs": {
        "lines": {"description": "The lines", "type": {"id": "array", "subtype": "string"}},
        "who": {"description": "Who did it", "type": "string"},
    },
}
REPEAT = """\
cd /outputs && mkdir lines
for n in $(seq 0 $(($(cat /inputs/times) - 1))); do cat /inputs/text >lines/$n; done
printf 'size: %s' $(cat /inputs/times) >lines/array.yml
id -u >who
"""


def described(trivet: CommandLine, descriptor: Mapping[str, Any]) -> None:
    (trivet.cwd / "descriptor.yml").write_text(yaml.safe_dump(dict(descriptor), sort_keys=False))


def test_there_and_back_gives_the_same(trivet: CommandLine, build: Build, load: Load) -> None:
    original = load({"prog.sh": REPEAT}, Entrypoint=["sh", "/prog.sh"], User="1234")
    described(trivet, DESCRIPTOR)
    trivet("convert", "descriptor.yml", "--to", "kaapana", "--image", original, "--output", "there")
    there = build(trivet.cwd / "there")
    trivet("convert", "there", "--to", "cytomine", "--image", there, "--output", "back")
    back = build(trivet.cwd / "back")
    (trivet.cwd / "hello").write_text("hello")
    values = {"text": [["hello"], ["hello"]], "text_names": [["one/a.txt"], ["two/b.txt"]], "times": 3}
    (trivet.cwd / "values.json").write_text(json.dumps(values))
    words = ["--image", back, "--values", "values.json", "--runtime", "docker", "--output", "result"]
    trivet("run", "back", *words)
    found = outputs(trivet, "result")
    lines = {f"{number}": b"hello" for number in range(3)} | {"array.yml": b"size: 3"}
    assert channel_of(found, "lines") == {
        f"{item}/{name}": text for item in ("one", "two") for name, text in lines.items()
    }
    assert channel_of(found, "who") == {"one/who.txt": b"1234\n", "two/who.txt": b"1234\n"}


def test_an_image_without_a_shell_gets_one(trivet: CommandLine, build: Build, load: Load) -> None:
    program = "/app/busybox cp /inputs/text /outputs/copy"
    start = ["/app/busybox", "sh", "-c", program]
    original = load({}, shell=False, Entrypoint=start)
    copy = {"copy": {"description": "The same", "type": "file"}}
    described(trivet, {**DESCRIPTOR, "outputs": copy})
    words = ["convert", "descriptor.yml", "--to", "kaapana", "--image", original]
    trivet(*words, "--output", "plain")
    refused = docker("build", str(trivet.cwd / "plain"), check=False)
    assert refused.returncode != 0
    assert "/bin/sh" in refused.stdout + refused.stderr
    trivet(*words, "--shell-from", load({}), "--output", "container")
    image = build(trivet.cwd / "container")
    (trivet.cwd / "texts/x").mkdir(parents=True)
    (trivet.cwd / "texts/x/t").write_text("hello")
    trivet("run", "container", "--image", image, "--input", "text=texts", "--runtime", "docker", "--output", "result")
    assert files(trivet.cwd / "result/copy") == {"x/copy": b"hello"}


def test_a_task_json_with_its_own_values_and_failing(trivet: CommandLine, build: Build, load: Load) -> None:
    each = 'o=/c/out/${i##*/}; mkdir "$o"; cp "$i"/* "$o"; echo $LEVEL$T >"$o/l"'
    script = f'test "$LEVEL" -lt 9 || exit 5; for i in /c/in/*; do {each}; done'
    template = {
        "identifier": "levels",
        "description": "d",
        "inputs": [{"name": "in", "mounted_path": "/c/in"}],
        "outputs": [{"name": "out", "mounted_path": "/c/out"}],
        "env": [{"name": "LEVEL", "value": "1", "type": "int"}, {"name": "T", "value": "a", "adjustable": False}],
        "command": ["sh", "-c", script],
    }
    task = {
        "name": "level-three",
        "image": load({}),
        "taskTemplate": template,
        "inputs": [{"name": "in", "volume_source": {"host_path": "in"}}],
        "outputs": [{"name": "out", "volume_source": {"host_path": "out"}}],
        "env": [{"name": "LEVEL", "value": "3"}],
        "config": {"type": "docker", "labels": {"network-access-external-ips": "true"}},
    }
    (trivet.cwd / "task.json").write_text(json.dumps(task))
    trivet("convert", "task.json", "--to", "cytomine", "--channel", "in=file", "--output", "task")
    image = build(trivet.cwd / "task")
    (trivet.cwd / "f").write_text("f")
    words = ["run", "task", "--image", image, "--runtime", "docker", 'in=["f"]', 'in_names=["my item/f.txt"]']
    trivet(*words, "--output", "result")
    assert channel_of(outputs(trivet, "result"), "out") == {"my item/f.txt": b"f", "my item/l": b"3a\n"}
    descriptor = yaml.safe_load((trivet.cwd / "task/descriptor.yml").read_text())
    assert descriptor["configuration"]["resources"]["internet"] is True
    assert descriptor["name"] == "level-three"
    trivet(*words, "LEVEL=9", code=5)
