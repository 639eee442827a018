"""A cluster that is elsewhere, from the command line: nothing is here but a file of two lines."""

from __future__ import annotations

import json
import shutil
import venv
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.conftest import CommandLine

from trivet.engines.slurm.remote.connection import Connection
from trivet.testing.far import FarCluster

pytestmark = pytest.mark.slurm

SQUARE: dict[str, Any] = {
    "command": ["sh", "-c", "expr {n} '*' {n} > {square}; echo did {n} as $(id -un)"],
    "inputs": {"n": "integer"},
    "outputs": {"square": "integer"},
}


@pytest.fixture(autouse=True)
def _nothing_of_slurm_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)


@pytest.fixture
def site(tmp_path: Path, far: FarCluster) -> list[str]:
    (tmp_path / "site.toml").write_text('host = "cluster"\nfolder = "project"\n')
    return ["--engine", "slurm", "--site", str(tmp_path / "site.toml")]


def test_from_doctor_to_rm(trivet: CommandLine, far: FarCluster, site: list[str]) -> None:
    Connection("cluster").end()
    before = far.logins
    told = json.loads(trivet("doctor", *site, "--json").stdout)
    assert (told["login"]["host"], told["login"]["folder"]) == ("cluster", str(far.folder))
    assert told["login"]["free"] > 0
    assert told["login"]["python"]["version"].startswith("3.")
    assert told["problems"] == []
    assert "by rsync" in trivet("doctor", *site).stdout
    done = trivet("run", trivet.task(**SQUARE), "n=[1,2,3]", "--each", "n", "--json", *site)
    assert json.loads(done.stdout)["outputs"] == {"square": [1, 4, 9]}
    assert f"did 2 as {far.user}\n" in trivet("logs", "last").stdout
    [run] = trivet.runs()
    assert (far.folder / run.name / "slurm").is_dir()
    assert far.logins == before + 1
    far.cut()
    try:
        refused = trivet("rm", "last", code=1)
        assert "can't be removed: cluster can't be reached" in refused.stderr
        assert trivet.runs() == [run]
    finally:
        far.listen()
    trivet("rm", "last")
    assert trivet.runs() == []
    assert not (far.folder / run.name).exists()


def test_what_is_not_there(trivet: CommandLine, site: list[str]) -> None:
    told = trivet("run", trivet.task(command=["/no/such/program"]), *site, code=1)
    assert "S012 there is no /no/such/program on cluster" in told.stderr
    assert "`paths`" in told.stderr
    assert trivet.runs() == []


def test_who_can_not_log_in_is_told_at_once(trivet: CommandLine, tmp_path: Path, site: list[str]) -> None:
    (tmp_path / "site.toml").write_text('host = "no-such-host.invalid"\n')
    told = trivet("run", trivet.task(command=["true"]), *site, code=1)
    assert "S010 no-such-host.invalid can't be reached" in told.stderr
    assert "~/.ssh/config" in told.stderr
    assert trivet.runs() == []
    (tmp_path / "site.toml").write_text('host = "cluster"\nfolder = "/usr/share"\n')
    told = trivet("doctor", *site, code=1)
    assert "S011 cluster: the folder /usr/share can't be used" in told.stdout


def test_another_driver_goes_on(trivet: CommandLine, site: list[str]) -> None:
    task = trivet.task(command=["sh", "-c", "sleep 4; echo 7 > {n}"], outputs={"n": "integer"})
    driver = trivet.start("run", task, *site)
    assert driver.stderr is not None
    assert any("RUNNING" in line for line in driver.stderr)
    driver.kill()
    driver.wait()
    trivet("runs")
    trivet("logs", "last", "--follow")
    result = trivet.record()["result"]
    assert (result["state"], result["outputs"]) == ("FINISHED", {"n": 7})


def test_fractal_tasks_with_data_and_packages_there(
    trivet: CommandLine, far: FarCluster, site: list[str], tmp_path: Path
) -> None:
    """The package is here under another path than there, the data are there only."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    manifest = {
        "manifest_version": "2",
        "task_list": [{"name": "Mark", "type": "parallel", "executable_parallel": "mark.py"}],
        "has_args_schemas": False,
    }
    (package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(manifest))
    program = """
import json, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
url = json.load(open(words["--args-json"]))["zarr_url"]
open(url + "/marked", "w").write("yes")
json.dump({"image_list_updates": [{"zarr_url": url, "attributes": {"marked": 1}}]}, open(words["--out-json"], "w"))
"""
    (package / "mark.py").write_text(program)
    there = far.place / "software"
    shutil.copytree(package, there)
    data = far.place / "data.zarr"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    words = [f"{package}#Mark", "--python", "/usr", "--input", f"zarr_url={data}", *site]
    told = trivet("run", *words, code=1)
    assert f"S012 there is no {package}/mark.py on cluster" in told.stderr
    with (tmp_path / "site.toml").open("a") as file:
        file.write(f'[paths]\n"{package}" = "{there}"\n')
    told = trivet("run", *words[:-4], *site, "--input", "zarr_url=/no/such/image.zarr", code=1)
    assert "S012 there are no data at /no/such/image.zarr on cluster" in told.stderr
    done = trivet("run", *words, "--json")
    assert (data / "marked").read_text() == "yes"
    assert (data / "marked").owner() == far.user
    assert json.loads(done.stdout)["state"] == "FINISHED"


MAKE = """
import json, os, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
urls = [json.load(open(words["--args-json"]))["zarr_dir"] + "/plate.zarr/%d" % n for n in range(4)]
for url in urls:
    os.makedirs(url)
updates = [{"zarr_url": url, "attributes": {"field": n}} for n, url in enumerate(urls)]
json.dump({"image_list_updates": updates}, open(words["--out-json"], "w"))
"""
LOOK = """
import json, os, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("saw", os.path.isdir(json.load(open(words["--args-json"]))["zarr_url"]))
json.dump({}, open(words["--out-json"], "w"))
"""


def environment(prefix: Path) -> Path:
    """An environment with a package of two tasks."""
    venv.create(prefix)
    prefix.chmod(0o755)
    [packages] = prefix.glob("lib/python3*/site-packages")
    (packages / "looks").mkdir()
    manifest = {
        "manifest_version": "2",
        "has_args_schemas": False,
        "task_list": [
            {"name": "Make", "type": "converter_non_parallel", "executable_non_parallel": "make.py"},
            {"name": "Look", "type": "parallel", "executable_parallel": "look.py"},
        ],
    }
    texts = {"__init__.py": "", "__FRACTAL_MANIFEST__.json": json.dumps(manifest), "make.py": MAKE, "look.py": LOOK}
    for name, text in texts.items():
        (packages / "looks" / name).write_text(text)
    (packages / "looks-1.0.dist-info").mkdir()
    (packages / "looks-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: looks\nVersion: 1.0\n")
    (packages / "looks-1.0.dist-info/RECORD").write_text("".join(f"looks/{name},,\n" for name in texts))
    return prefix


def test_a_workflow_whose_images_are_there(
    trivet: CommandLine, far: FarCluster, site: list[str], tmp_path: Path
) -> None:
    here, there = environment(tmp_path / "environment"), environment(far.place / "environment")
    (there / "bin/python3").unlink()
    (there / "bin/python3").symlink_to("/usr/bin/python3")  # this interpreter need not be another user's
    with (tmp_path / "site.toml").open("a") as file:
        file.write(f'[paths]\n"{here}" = "{there}"\n')
    tasks = [{"task": {"pkg_name": "looks", "version": "1.0", "name": name}} for name in ("Make", "Look")]
    (trivet.cwd / "workflow.json").write_text(json.dumps({"name": "looking", "task_list": tasks}))
    data = far.home / "data"
    words = ["--zarr-dir", str(data), "--python", str(here)]
    script = there / "lib"
    script.rename(there / "away")
    told = trivet("job", "run", "workflow.json", *words, *site, code=1)
    assert f"S012 Make: there is no {there}/lib/" in told.stderr
    assert f"S012 Look: there is no {there}/lib/" in told.stderr
    (there / "away").rename(script)
    (trivet.cwd / "images.json").write_text(json.dumps([{"zarr_url": f"{data}/none.zarr"}]))
    told = trivet("job", "run", "workflow.json", *words, *site, "--images", "images.json", "--first", "1", "--dry-run")
    assert "1 of 1 images are not on the cluster" in told.stderr
    assert "#SBATCH --partition=main" in told.stdout
    done = trivet("job", "run", "workflow.json", *words, *site)
    assert "4 images in the dataset" in done.stderr
    assert sorted(path.name for path in (data / "plate.zarr").iterdir()) == ["0", "1", "2", "3"]
    assert trivet("job", "logs", "last", "--step", "1").stdout.count("saw True\n") == 4
    [job] = (trivet.home / "jobs").iterdir()
    assert (far.folder / job.name).is_dir()
    trivet("job", "rm", "last")
    assert not (far.folder / job.name).exists()
