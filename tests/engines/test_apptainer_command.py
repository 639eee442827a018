"""What a container's invocation becomes for Apptainer, and what the end of its command means."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import Any

import pytest

from trivet.engines.runtimes.apptainer.command import Caller, Sif, as_command, faults, starts
from trivet.engines.runtimes.apptainer.outcomes import explained
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Environment, Resources
from trivet.tasks.work import Invocation, Login, Mount, Outcome

IMAGE = ContainerImage("lab/seg:1")
USER, ROOT = Caller(1000, 1001), Caller(0, 0, ("/proc/sys", "/sys"))


def invocation(command: tuple[str, ...] | None = None, *args: str, **more: Any) -> Invocation:
    return Invocation(IMAGE, command, args, **more)


def sif(**config: Any) -> Sif:
    return Sif("/cache/abc.sif", "sha256:abc", config)


def options(made: Invocation) -> list[str]:
    """The words of the command before the SIF."""
    assert made.command is not None
    return list(made.command[: made.command.index("/cache/abc.sif")])


def after(made: Invocation, word: str) -> list[str]:
    words = options(made)
    return [words[place + 1] for place, one in enumerate(words) if one == word]


@pytest.mark.parametrize(
    ("command", "args", "started"),
    [
        (None, (), ("run", "--fast", "all")),
        (None, ("one",), ("run", "--fast", "one")),
        (("other",), (), ("other",)),
        (("other", "x"), ("one",), ("other", "x", "one")),
    ],
)
def test_a_command_replaces_the_entrypoint_with_its_arguments_and_arguments_only_these(
    command: tuple[str, ...] | None, args: tuple[str, ...], started: tuple[str, ...]
) -> None:
    image = sif(Entrypoint=["run", "--fast"], Cmd=["all"])
    assert as_command(invocation(command, *args), image, USER).args == started


def test_an_image_without_entrypoint_starts_its_command_or_nothing() -> None:
    assert starts(invocation(), sif(Entrypoint=None, Cmd=["sh"])) == ("sh",)
    assert starts(invocation(), sif()) == ()


def test_the_program_is_a_process_that_sees_only_what_it_is_given() -> None:
    made = as_command(invocation(("x",), network=False), sif(), USER)
    assert made.program == Environment()
    assert {"--containall", "--no-eval", "--writable-tmpfs"} <= set(options(made))
    assert after(made, "--no-mount") == ["bind-paths"]
    assert after(made, "--network") == ["none"]
    assert "--nv" not in options(made)
    assert made.forwards
    assert made.labels["trivet.image"] == "sha256:abc"


def test_the_network_is_shared_where_it_may_be_used() -> None:
    assert not {"--net", "--network"} & set(options(as_command(invocation(("x",), network=True), sif(), USER)))


def test_gpus_are_asked_for() -> None:
    """Untested on hardware: this is the command that Apptainer documents for NVIDIA."""
    assert "--nv" in options(as_command(invocation(("x",), resources=Resources(gpus=1)), sif(), USER))
    assert "--nv" not in options(as_command(invocation(("x",), resources=Resources(gpus=0)), sif(), USER))


def test_root_has_no_more_rights_than_with_docker() -> None:
    made = as_command(invocation(("x",)), sif(), ROOT)
    assert "--no-privs" in options(made)
    assert after(made, "--add-caps") == ["CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER,CAP_KILL,CAP_SETGID,CAP_SETUID"]
    assert [line.rpartition(",")[2] for line in after(made, "--mount")] == ["ro", "ro"]
    assert "--no-privs" not in options(as_command(invocation(("x",)), sif(), USER))


def test_mounts_may_have_any_path_and_inner_ones_come_last() -> None:
    mounts = (Mount('/data/a, b:c "d"', "/in/deep"), Mount("/out", "/in", writable=True))
    lines = after(as_command(invocation(("x",), mounts=mounts), sif(), USER), "--mount")
    assert [next(csv.reader([line])) for line in lines] == [
        ["type=bind", "src=/out", "dst=/in"],
        ["type=bind", 'src=/data/a, b:c "d"', "dst=/in/deep", "ro"],
    ]


def test_variables_of_the_image_count_less_and_none_is_on_the_command_line() -> None:
    image = sif(Env=["PATH=/opt/bin", "A=image", "B=kept = $HOME", "odd.name=x"])
    made = as_command(invocation(("x",), environment={"A": "it's\n`me`"}), image, USER)
    passed = {name: value for name, value in made.environment.items() if name.startswith("APPTAINERENV_")}
    assert passed == {
        "APPTAINERENV_PATH": "/opt/bin",
        "APPTAINERENV_A": "it's\n`me`",
        "APPTAINERENV_B": "kept = $HOME",
    }
    assert made.environment["APPTAINER_BIND"] == ""
    assert "me" not in "".join(made.command or ())


def test_a_home_that_is_named_hides_nothing_of_the_image() -> None:
    made = as_command(invocation(("x",), environment={"HOME": "/app"}), sif(), USER)
    assert after(made, "--home") == ["/app"]
    assert "--no-home" in options(made)
    assert "APPTAINERENV_HOME" not in made.environment
    assert "--no-home" not in options(as_command(invocation(("x",)), sif(), USER))


def test_the_working_directory_is_the_callers_else_the_images_else_the_root() -> None:
    for workdir, stated, expected in (("/w", "/image", "/w"), (None, "/image", "/image"), (None, "", "/")):
        made = as_command(invocation(("x",), workdir=workdir), sif(WorkingDir=stated), USER)
        assert after(made, "--pwd") == [expected]
        assert made.workdir is None


def test_temporary_files_go_to_the_scratch_directory() -> None:
    assert after(as_command(invocation(("x",)), sif(), USER, "/run/scratch/1"), "--workdir") == ["/run/scratch/1"]
    assert after(as_command(invocation(("x",)), sif(), USER), "--workdir") == []


def test_limits_stay_and_the_login_does_not() -> None:
    login = Login("registry.example", "me", "secret")
    before = invocation(("x",), resources=Resources(memory=2**30), time_limit=3.0, grace=1.0, log="x.log", login=login)
    made = as_command(before, sif(), USER)
    assert (made.resources, made.time_limit, made.grace, made.log) == (Resources(memory=2**30), 3.0, 1.0, "x.log")
    assert made.login is None
    assert "secret" not in repr(made)


@pytest.mark.parametrize("user", [None, "1000", "1000:1001"])
def test_the_caller_is_who_runs(user: str | None) -> None:
    assert list(faults(invocation(("x",), user=user), USER)) == []


@pytest.mark.parametrize("user", ["0", "1000:5", "worker"])
def test_another_user_is_refused(user: str) -> None:
    (fault,) = faults(invocation(("x",), user=user), USER)
    assert f"not as {user}" in fault


@pytest.mark.parametrize(
    ("name", "value"), [("a.b", "x"), ("a-b", "x"), ("1a", "x"), ("A", "x\r\ny"), ("A", "\udcff"), ("A=B", "x")]
)
def test_variables_that_would_arrive_changed_are_refused(name: str, value: str) -> None:
    assert any(
        repr(name) in fault or f" {name} " in fault for fault in faults(invocation(environment={name: value}), USER)
    )


ENDED = Outcome(255, started=1.0, ended=2.0, host="node")
MISSING = b'FATAL:   "seg": executable file not found in $PATH\n'


def test_a_program_that_is_not_there_never_ran() -> None:
    told = explained(ENDED, b"WARNING: something\n" + MISSING)
    assert (told.exit_code, told.reason) == (None, Reason.SUBMIT_ERROR)
    assert '"seg": executable file not found' in told.message


@pytest.mark.parametrize("log", [b"", b"FATAL: mine\nand more\n", b"my own words\n" + MISSING, b"WARNING: x\n"])
def test_a_program_may_end_with_255(log: bytes) -> None:
    assert explained(ENDED, log) == ENDED


def test_another_code_is_the_programs_whatever_it_said() -> None:
    assert explained(replace(ENDED, exit_code=1), MISSING) == replace(ENDED, exit_code=1)


def test_what_was_ended_while_it_started_was_ended_by_term() -> None:
    told = explained(replace(ENDED, reason=Reason.TIMEOUT), b"FATAL:   container creation failed: unexpected EOF\n")
    assert (told.exit_code, told.signal, told.reason) == (143, 15, Reason.TIMEOUT)


@pytest.mark.parametrize(("code", "number"), [(137, 9), (143, 15), (139, 11), (128, None), (160, None), (1, None)])
def test_a_signal_is_told_by_the_exit_code(code: int, number: int | None) -> None:
    assert explained(replace(ENDED, exit_code=code), b"").signal == number
