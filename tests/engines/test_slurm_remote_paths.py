"""Paths of this machine and of a cluster that is elsewhere: one word for another, and nothing but paths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.engines.slurm.remote.paths import PathMap, below
from trivet.engines.slurm.remote.transfer import new_enough
from trivet.engines.slurm.site import read_site
from trivet.tasks.problem import Problem

RUN, THERE = "/home/me/runs/20260101-000000-0001", "/scratch/me/trivet/20260101-000000-0001"
MAP = PathMap(((RUN, THERE), ("/home/me", "/cluster/home"), ("/opt/envs/", "/sw/envs")))
NAME = st.from_regex(r"[A-Za-z0-9 _.,;'äö-]{1,12}", fullmatch=True).filter(lambda name: name not in (".", ".."))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (RUN, THERE),
        (f"{RUN}/work/1/args.json", f"{THERE}/work/1/args.json"),
        (f"--out={RUN}/out", f"--out={THERE}/out"),
        (f"{RUN}/a:{RUN}/b", f"{THERE}/a:{THERE}/b"),
        (f'type=bind,"src={RUN}/a"', f'type=bind,"src={THERE}/a"'),
        ("/home/me/x", "/cluster/home/x"),
        ("/opt/envs/one/bin/python", "/sw/envs/one/bin/python"),
        (f"{RUN}2/work", "/cluster/home/runs/20260101-000000-00012/work"),
        ("/home/meme/x", "/home/meme/x"),
        ("/mnt/home/me/x", "/mnt/home/me/x"),
        ("s3://bucket/home/me", "s3://bucket/home/me"),
        ("home/me", "home/me"),
        ("", ""),
    ],
)
def test_words(here: str, there: str) -> None:
    assert MAP.there(here) == there


@given(st.lists(NAME, min_size=1, max_size=4))
@settings(max_examples=100)
def test_there_and_back(names: list[str]) -> None:
    path = "/".join([RUN, *names])
    assert MAP.there(path) == "/".join([THERE, *names])
    assert MAP.here(MAP.there(path)) == path
    assert list(below(RUN, [path])) == ["/".join(names)]


@given(st.text(max_size=40))
@settings(max_examples=100)
def test_what_is_no_path_stays(text: str) -> None:
    assert PathMap(((RUN, THERE),)).there(text) == text
    assert PathMap(()).there(text) == text


@pytest.mark.parametrize(
    ("said", "enough"),
    [
        ("rsync  version 3.2.7  protocol version 31", True),
        ("rsync  version v3.1.0 ", True),
        ("rsync  version 2.6.9  protocol version 29", False),
        ("openrsync: protocol version 29\nrsync version 2.6.9 compatible", False),
        ("", False),
    ],
)
def test_versions_of_rsync(said: str, enough: bool) -> None:
    assert new_enough(said) is enough


def test_a_site_that_is_elsewhere() -> None:
    problems: list[Problem] = []
    site = read_site({"host": "me@cluster", "folder": "~/project/", "paths": {"/a": "/b"}}, problems)
    assert site is not None, problems
    assert (site.host, site.folder, site.paths) == ("me@cluster", "project", {"/a": "/b"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "-oProxyCommand=evil"),
        ("host", "two words"),
        ("host", "me@cluster:22"),
        ("host", "ssh://cluster"),
        ("host", 3),
        ("folder", "a/../../b"),
        ("folder", "~other/x"),
        ("folder", "-rf"),
        ("folder", "/"),
        ("folder", "two\nlines"),
        ("folder", "it's"),
        ("folder", "$(touch x)"),
        ("folder", "a:b"),
        ("paths", {"relative": "/x"}),
        ("paths", {"/x": "/"}),
        ("paths", ["/x"]),
    ],
)
def test_what_a_site_can_not_say(field: str, value: object) -> None:
    problems: list[Problem] = []
    assert read_site({"host": "cluster", field: value}, problems) is None
    assert [problem.path for problem in problems] == [(field,)]
