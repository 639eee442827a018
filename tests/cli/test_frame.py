"""The frame of the command line: help, usage, exit codes, signals, streams."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from trivet import __version__
from trivet.cli import guarded
from trivet.cli.group import COMMANDS
from trivet.cli.group import trivet as group

from .conftest import Trivet


def test_version(trivet: Trivet) -> None:
    done = trivet("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"trivet {__version__}\n", "")


def test_help_lists_every_command(trivet: Trivet) -> None:
    done = trivet("--help")
    assert done.returncode == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert line in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    context = click.Context(group, **group.context_settings)
    command = group.get_command(context, name)
    assert command is not None
    text = command.get_help(click.Context(command, info_name=name, parent=context))
    assert "Example" in text
    assert f"trivet {name}" in text
    assert command.help is not None


def test_a_misspelt_command_gets_a_suggestion(trivet: Trivet) -> None:
    done = trivet("chekc", "x.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no command `chekc`. Did you mean `check`?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "Missing argument 'PATH...'"),
        (["check", "--nonsense", "x"], "No such option"),
        (["check", "--format", "xml", "x"], "'xml' is not one of 'text', 'json', 'github', 'sarif'"),
        (["--nonsense"], "No such option"),
        (["show"], "Missing argument 'TARGET'"),
        (["logs", "last", "--follow", "--unit", "0"], "leave one of --follow and --unit out"),
        (["doctor", "surplus"], "Got unexpected extra argument (surplus)"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_told_on_stderr(trivet: Trivet, arguments: list[str], words: str) -> None:
    done = trivet(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Usage: trivet" in done.stderr
    assert "--help" in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(container: Path) -> None:
    read, write = os.pipe()
    os.close(read)  # nobody will ever read
    command = [sys.executable, "-m", "trivet", "check", str(container)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_device_is_told(container: Path) -> None:
    command = [sys.executable, "-m", "trivet", "check", str(container)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "the output can't be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_stdout_may_be_closed(container: Path) -> None:
    command = ["/bin/sh", "-c", f"{sys.executable} -m trivet check '{container}' >&-"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


INTERRUPTED = """
import os, signal, sys
from trivet.cli import checking
def endless(*_):
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
checking.check = endless
if "{way}" == "click":
    import trivet.cli.check
    trivet.cli.check.check = endless
from trivet.cli import guarded, main
sys.exit(main({arguments}))
"""


@pytest.mark.parametrize(("way", "arguments"), [("plain", ["check", "x"]), ("click", ["check", "--strict", "x"])])
def test_an_interrupt_is_exit_code_130(way: str, arguments: list[str]) -> None:
    script = INTERRUPTED.format(way=way, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


BUG = """
import sys
from trivet.cli import checking
def broken(*_): raise KeyError("oh")
checking.check = broken
from trivet.cli import guarded, main
sys.exit(main(["check", "x"]))
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_fault_of_our_own_is_told_in_few_words_unless_asked(debug: str) -> None:
    environment = {**os.environ, "TRIVET_DEBUG": debug}
    done = subprocess.run(
        [sys.executable, "-c", BUG], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 70
    assert done.stdout == ""
    assert ("Traceback" in done.stderr) is bool(debug)
    if not debug:
        assert "trivet: internal error: KeyError: 'oh' at <string>:4" in done.stderr
        assert "Please report it" in done.stderr


@pytest.mark.parametrize("words", [("dataset", "list"), ("job", "list"), ("fractal", "packages"), ("tasks",)])
def test_a_home_that_is_a_file_holds_nothing(trivet: Trivet, tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    home.touch()
    assert trivet(*words, env={"TRIVET_HOME": str(home)}).returncode == 0
    made = trivet("dataset", "create", "x", "--zarr-dir", "z", env={"TRIVET_HOME": str(home)})
    assert made.returncode == 1
    assert f"{home}/datasets: Not a directory" in made.stderr


def test_a_place_that_may_not_be_used_is_no_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/some/place")

    assert guarded(work) == 1
    assert capsys.readouterr().err == "trivet: /some/place: Permission denied\n"


def test_any_name_can_be_told_on_any_terminal(trivet: Trivet, tmp_path: Path) -> None:
    for name in (b"caf\xc3\xa9.json", b"\xff\xfe.json", b"line\nbreak\x1b[31m.json"):
        (tmp_path / os.fsdecode(name)).write_text("{}")
    done = trivet("check", *sorted(tmp_path.glob("*.json")), env={"PYTHONIOENCODING": "ascii:strict"})
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 6  # a line and its hint for each of the three
    assert "\x1b" not in done.stdout
    assert r"line\nbreak\x1b[31m.json:1:1: error T010" in done.stdout


def test_a_shell_gets_its_completions(trivet: Trivet) -> None:
    words = {"_TRIVET_COMPLETE": "bash_complete", "COMP_WORDS": "trivet do", "COMP_CWORD": "1"}
    done = trivet(env=words)
    assert done.stdout.splitlines() == ["plain,doctor"]


def test_sigint_to_the_real_program_leaves_no_traceback(container: Path) -> None:
    """The signal may come at any time, even before the first line of ours runs."""
    command = [sys.executable, "-X", "importtime", "-m", "trivet", "check", str(container)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:  # wait for a certain import, not for a certain time
        if "trivet.contracts.source" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    process.stdout.close()  # type: ignore[union-attr]
    assert process.wait(60) in (0, 130)  # 0: it was faster
    assert "Traceback" not in rest
