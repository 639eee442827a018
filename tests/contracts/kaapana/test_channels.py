"""The convention for channels: what departs from it, how items relate, and where a document may say so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.contracts.kaapana.channels import compare, examine, identifiers, is_odd


def fill(channel: Path, *items: str) -> Path:
    for item in items:
        (channel / item).mkdir(parents=True)
        (channel / item / "x").touch()
    return channel


def found(channel: Path) -> dict[str, str]:
    return {problem.code: problem.message for problem in examine(str(channel), "c").problems}


def test_a_good_channel(tmp_path: Path) -> None:
    fill(tmp_path, "p1", "p2/deep/er")
    assert examine(str(tmp_path), "c") == (frozenset({"p1", "p2"}), ())


def test_a_channel_without_items(tmp_path: Path) -> None:
    assert found(tmp_path) == {"K056": "channel `c` has no items"}
    (tmp_path / "file").touch()
    assert list(found(tmp_path)) == ["K056", "K050"]


def test_a_missing_channel_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        examine(str(tmp_path / "missing"), "c")


def test_an_item_of_empty_directories_is_empty(tmp_path: Path) -> None:
    fill(tmp_path, "p1")
    (tmp_path / "p2" / "a" / "b").mkdir(parents=True)
    assert found(tmp_path) == {"K052": "channel `c` has items without any file: p2"}


def test_links_that_leave_are_found_at_any_depth(tmp_path: Path) -> None:
    channel = fill(tmp_path / "channel", "p1/sub", "p2")
    outside = fill(tmp_path / "channel-2", "x")
    (channel / "p1" / "sub" / "link").symlink_to(outside / "x")
    (channel / "p2" / "file").symlink_to("../../channel-2/x/x")
    (channel / "p2" / "inside").symlink_to("../p1/sub/x")
    (channel / "root").symlink_to(outside)
    assert found(channel) == {"K053": "channel `c` has links that lead out of the channel: p1/sub/link, p2/file, root"}
    assert identifiers(str(channel)) == {"p1", "p2"}


def test_an_item_may_be_a_link_inside_the_channel(tmp_path: Path) -> None:
    fill(tmp_path, "p1")
    (tmp_path / "latest").symlink_to("p1")
    assert examine(str(tmp_path), "c") == (frozenset({"p1", "latest"}), ())


def test_a_channel_that_is_a_link_itself(tmp_path: Path) -> None:
    fill(tmp_path / "real", "p1")
    (tmp_path / "real" / "p1" / "again").symlink_to("x")
    (tmp_path / "link").symlink_to("real")
    assert examine(str(tmp_path / "link"), "c").problems == ()


def test_odd_identifiers(tmp_path: Path) -> None:
    fill(tmp_path, "has space", "-dash", "star*", "Case", "case", "new\nline", "good.1_a-b")
    os.makedirs(os.fsencode(tmp_path) + b"/byte\xff/x")  # noqa: PTH103
    problems = found(tmp_path)
    assert problems["K051"].endswith("'-dash', 'byte\\udcff', 'has space', 'new\\nline', 'star*'")
    assert problems["K054"].endswith("only: case")
    for message in problems.values():
        message.encode("utf-8")


@pytest.mark.parametrize(
    "name", ["a b", "-a", "a\tb", "a;b", "$a", "a'b", 'a"b', "a\x7fb", "ä" * 128, "a" * 256, "\u2028"]
)
def test_names_scripts_stumble_over(name: str) -> None:
    assert is_odd(name)


@pytest.mark.parametrize("name", ["a", "1.2.840.113619", "a_b-c", "übung", "a" * 255, "a-"])
def test_names_that_are_fine(name: str) -> None:
    assert not is_odd(name)


def test_many_names_are_counted_not_listed(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"file{number}").touch()
    assert found(tmp_path)["K050"].endswith("file0, file1, file2, file3, file4 and 3 more")


def codes(kind: str, items: set[str], others: set[str]) -> dict[str, str]:
    problems = list(compare(kind, "out", frozenset(items), "in", frozenset(others)))
    assert {problem.severity for problem in problems} <= {"warning"}
    return {problem.code: problem.message for problem in problems}


def test_results_of_each_item() -> None:
    assert codes("each", {"a", "b"}, {"a", "b"}) == {}
    assert codes("each", {"a"}, {"a", "b", "c"}) == {"K058": "2 of 3 items of `in` have no result in `out`: b, c"}
    assert codes("each", {"a", "x"}, {"a"}) == {"K057": "channel `out` has items that `in` does not: x"}


def test_results_that_combine_items() -> None:
    assert codes("combine", {"atlas"}, {"a", "b"}) == {}
    assert codes("combine", {"a", "atlas"}, {"a", "b"}) == {
        "K059": "results in `out` bear identifiers of items of `in`: a"
    }


def test_channels_that_match() -> None:
    assert codes("match", {"a"}, {"a"}) == {}
    assert codes("match", {"a", "x"}, {"a", "y"}) == {
        "K060": "channels `out` and `in` should have the same items; only in `out`: x; only in `in`: y"
    }


SETS = st.frozensets(st.sampled_from("abcdef"))


@given(SETS, SETS)
def test_relations_are_those_of_sets(items: frozenset[str], others: frozenset[str]) -> None:
    holds = {kind: not any(compare(kind, "o", items, "i", others)) for kind in ("each", "combine", "match")}
    assert holds == {
        "each": items == others,  # a missing one is told, too
        "combine": items.isdisjoint(others),
        "match": items == others,
    }


def channels(**relations: object) -> list[dict[str, object]]:
    return [
        {"name": name, "mounted_path": f"/{name}"} | ({"items": items} if items is not None else {})
        for name, items in relations.items()
    ]


def test_a_document_may_declare_relations(read, problems, container) -> None:
    data = container(
        inputs=channels(nrrd=None, reference={"match": "nrrd"}),
        outputs=channels(dicom={"each": ["nrrd", "reference"]}, atlas={"combine": "nrrd"}),
    )
    assert problems(data) == []
    [template] = read(data).model.content.templates
    assert template.inputs[1].relations == (("match", "nrrd"),)
    assert template.outputs[0].relations == (("each", "nrrd"), ("each", "reference"))
    assert template.outputs[1].relations == (("combine", "nrrd"),)


@pytest.mark.parametrize(
    ("where", "items", "code", "path"),
    [
        ("outputs", {"each": "drcom"}, "K061", ("items", "each")),
        ("outputs", {"each": "out"}, "K061", ("items", "each")),
        ("inputs", {"each": "other"}, "K061", ("items", "each")),
        ("inputs", {"match": "out"}, "K061", ("items", "match")),
        ("inputs", {"match": "dicom"}, "K061", ("items", "match")),
        ("outputs", {"each": 5}, "K002", ("items", "each")),
        ("outputs", {"each": ["other", 5]}, "K002", ("items", "each")),
        ("outputs", {"eahc": "other"}, "K003", ("items", "eahc")),
        ("outputs", "each", "K002", ("items",)),
        ("outputs", None, None, None),
    ],
)
def test_relations_that_mean_nothing(found, container, where, items, code, path) -> None:
    declared = {"inputs": channels(dicom=None, other=None), "outputs": channels(out=None)}
    declared[where][0]["items"] = items
    if items is None:
        del declared[where][0]["items"]
    expected = {} if code is None else {code: ("templates", 0, where, 0, *path)}
    assert found(container(**declared)) == expected


def test_other_readers_ignore_the_extension(container) -> None:
    """As the published models do: keys they do not know are dropped, so the rest must stand without them."""
    data = container(outputs=channels(out={"each": "dicom"}))
    assert set(data["templates"][0]["outputs"][0]) - {"items"} == {"name", "mounted_path"}
