"""Mining made repositories: what is found, what is left out, and what broken repositories do."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from codehunch.defects.surroundings import Around, Standing
from codehunch_training.corpus.edits import apply_edits, changed_spans, text_edits
from codehunch_training.corpus.folder import CorpusError, read_rows
from codehunch_training.corpus.licences import licence_of_declaration, licence_of_text
from codehunch_training.corpus.plans import Allowed, plan_functions, plan_histories
from codehunch_training.corpus.repositories import RepositoryUnreadable, open_repository, project_name, read_blobs
from codehunch_training.corpus.rows import DefectRow
from codehunch_training.corpus.work import run

MakeRepository = Callable[..., Path]
Git = Callable[..., str]

MODULE = '''"""A module."""
import os


class Shelf:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        """Square metres."""
        return self.width * self.{area}

    def grow(self, by):
        self.width = self.width + by
        self.height = self.height + by
        return self.width

    @property
    def tall(self):
        return self.height {compared} self.width


def total(shelves, start):
    result = start
    for shelf in shelves:
        result = result + shelf.area()
    return {returned}
'''


def module(area: str = "width", compared: str = "<", returned: str = "start") -> str:
    return MODULE.format(area=area, compared=compared, returned=returned)


COMMITS = [
    ("Add shelves", {"shelf.py": module()}),
    ("Fix area, it was a square", {"shelf.py": module("height")}),
    ("Look at the wrong tests", {"tests/test_shelf.py": "def test():\n    assert 1\n"}),
    ("Fix tall", {"shelf.py": module("height", ">")}),
    ("tidy", {"shelf.py": module("height", ">", "result")}),
    ("Fix typo in docs", {"README.md": "hello"}),
]


def mined(
    out: Path, *paths: Path, evidence: str = "elsewhere", jobs: int = 1
) -> tuple[list[DefectRow], dict[str, object]]:
    options = {"evidence": evidence, "tests": False, "any_message": False}
    plan = plan_histories(paths, out, since="", until="", options=options, allowed=Allowed(), about={})
    manifest = run(plan, jobs=jobs)
    return [row for row in read_rows(out) if isinstance(row, DefectRow)], manifest


def test_pairs_with_their_tokens_and_neighbours(make_repository: MakeRepository, tmp_path: Path) -> None:
    rows, manifest = mined(tmp_path / "out", make_repository(COMMITS))
    buggy = [row for row in rows if row.role == "buggy"]
    assert [(row.name, row.label, [row.text[a:b] for a, b in row.spans]) for row in buggy] == [
        ("Shelf.area", "wrong-attribute", ["width"]),
        ("Shelf.tall", "wrong-comparison", ["<"]),
    ]
    assert [row.date for row in buggy] == ["2020-09-15T12:26:40Z", "2020-09-17T12:26:40Z"]
    assert {row.licence for row in rows} == {"MIT"}
    file = Around.from_json(buggy[0].around)
    assert (file.class_name, file.surroundings.of_name("os")) == ("Shelf", Standing.UNBOUND)  # Not a word of it.
    assert file.surroundings.of_member("Shelf", "width") is Standing.FIELD
    for row in buggy:
        twin = next(other for other in rows if other.group == row.group and other.role == "fixed")
        assert apply_edits(row.text, row.edits) == twin.text
        assert twin.label == "clean"
    assert buggy[1].text.startswith("@property\ndef tall(self):\n    return")
    neighbours = [row.name for row in rows if row.role == "untouched" and row.group == buggy[0].group]
    assert neighbours
    assert "Shelf.area" not in neighbours
    assert manifest["total"] == len(rows)


def test_a_reverted_fix_is_no_fix(make_repository: MakeRepository, git: Git, tmp_path: Path) -> None:
    folder = make_repository(COMMITS[:2])
    git(folder, "revert", "--no-edit", "HEAD")
    rows, _ = mined(tmp_path / "out", folder)
    assert rows == []


def test_two_runs_and_any_number_of_processes_give_one_fingerprint(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    folders = [make_repository(COMMITS), make_repository(COMMITS[:3])]
    one, two, three = (mined(tmp_path / name, *folders, jobs=jobs)[1] for name, jobs in (("a", 1), ("b", 1), ("c", 2)))
    assert one["fingerprint"] == two["fingerprint"] == three["fingerprint"]
    with gzip.open(tmp_path / "a" / "rows-00000.jsonl.gz") as packed:
        assert packed.read().count(b"\n") == one["total"]


def test_bare_repositories_and_revisions(make_repository: MakeRepository, git: Git, tmp_path: Path) -> None:
    folder = make_repository(COMMITS)
    bare = tmp_path / "owner+name"
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(bare))
    rows, _ = mined(tmp_path / "out", bare)
    assert {row.project for row in rows} == {"owner/name"}
    options = {"tests": False, "documents": False, "shortest": 0}
    plan = plan_functions([bare], tmp_path / "old", revision="HEAD~4", options=options, allowed=Allowed(), about={})
    run(plan)
    texts = {row.name: row.text for row in read_rows(tmp_path / "old")}  # type: ignore[attr-defined]
    assert "self.width * self.width" not in texts["Shelf.area"]
    assert set(texts) == {"Shelf.__init__", "Shelf.area", "Shelf.grow", "Shelf.tall", "total"}


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


def _broken_head(folder: Path) -> None:
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/gone\n")


def _no_objects(folder: Path) -> None:
    for pack in (folder / ".git" / "objects").rglob("*"):
        if pack.is_file():
            pack.unlink()


UNREADABLE = [
    (lambda folder: shutil.rmtree(folder), "no such folder"),
    (lambda folder: shutil.rmtree(folder / ".git"), "not a git repository"),
    (_empty, "no commits yet"),
    (_broken_head, "cannot read HEAD"),
    (_no_objects, "cannot read HEAD"),
    (lambda folder: (folder / "LICENSE").write_text("GNU General Public License version 3"), None),
]


@pytest.mark.parametrize(("harm", "reason"), UNREADABLE)
def test_unreadable_repositories_are_named_and_the_others_mined(
    harm: object, reason: str | None, make_repository: MakeRepository, tmp_path: Path
) -> None:
    good, bad = make_repository(COMMITS), make_repository(COMMITS)
    harm(bad)  # type: ignore[operator]
    rows, manifest = mined(tmp_path / "out", good, bad)
    assert {row.project for row in rows} >= {good.name}
    unreadable = dict(manifest["unreadable"])  # type: ignore[call-overload]
    if reason is None:  # A licence that is only in the work tree is not yet the repository's.
        assert unreadable == {}
    else:
        assert reason in unreadable[str(bad)]


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nothing to read .*no such folder"):
        mined(tmp_path / "out", tmp_path / "absent")


def test_licences_are_asked_for(make_repository: MakeRepository, tmp_path: Path) -> None:
    free, other = (
        make_repository(COMMITS),
        make_repository([*COMMITS, ("x", {"LICENSE": "Mozilla Public License 2.0"})]),
    )
    _, manifest = mined(tmp_path / "out", free, other)
    assert manifest["unreadable"] == [[str(other), "licence MPL-2.0 is not on the allow-list"]]


def test_a_shallow_clone_is_mined_as_far_as_it_goes(make_repository: MakeRepository, git: Git, tmp_path: Path) -> None:
    folder = make_repository(COMMITS)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "4", f"file://{folder}", str(clone))
    rows, manifest = mined(tmp_path / "out", clone)
    assert [row.name for row in rows if row.role == "buggy"] == ["Shelf.tall"]
    assert manifest["skipped"]["cut off by a shallow clone"] == 1  # type: ignore[index]


@pytest.mark.parametrize("kind", ["blob", "tree"])
def test_a_missing_object_costs_its_commit(
    kind: str, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    folder = make_repository(COMMITS)
    commit = git(folder, "rev-parse", "HEAD~4")
    name = git(folder, "rev-parse", f"{commit}:shelf.py" if kind == "blob" else f"{commit}^{{tree}}")
    (folder / ".git" / "objects" / name[:2] / name[2:]).unlink()
    rows, manifest = mined(tmp_path / "out", folder)
    assert manifest["skipped"]["missing object"] >= 1  # type: ignore[index]
    assert "Shelf.area" not in [row.name for row in rows if row.role == "buggy"]


ODD_FILES = [
    ("latin.py", b"# coding: latin-1\ndef f(a):\n    return '\xe9' + a\n", None),
    ("wrong.py", b"def f(a):\n    return '\xe9' + a\n", "not valid UTF-8"),
    ("cookie.py", b"# coding: martian\nx = 1\n", "unknown encoding 'martian' in the coding comment on line 1"),
    ("binary.py", b"\x00\x01\x02", "binary file"),
    ("wide.py", "def f(): pass\n".encode("utf-16"), "UTF-16 text"),
    ("huge.py", b"x = 1\n" * 9_000_000, "larger than 1,000,000 bytes"),
    ("empty.py", b"", "empty file"),
    ("made.py", b"# Generated by a tool. Do not edit.\ndef f():\n    return 1\n", "generated"),
    ("tight.py", b"def f():return 1\n" + b"x=[" + b"1," * 2000 + b"]\n", "minified"),
    ("vendor/copy.py", b"def f():\n    return 1\n", "vendored"),
]


@pytest.mark.parametrize(("name", "content", "reason"), ODD_FILES, ids=[name for name, _, _ in ODD_FILES])
def test_odd_files(
    name: str, content: bytes, reason: str | None, make_repository: MakeRepository, tmp_path: Path
) -> None:
    folder = make_repository([("a", {name: content, "good.py": "def good():\n    return 1\n"})])
    options = {"tests": False, "documents": False, "shortest": 0}
    plain = tmp_path / "plain"
    shutil.copytree(folder, plain, ignore=shutil.ignore_patterns(".git"))
    for path, out in ((folder, "from git"), (plain, "from a folder")):
        plan = plan_functions([path], tmp_path / out, revision="", options=options, allowed=Allowed(), about={})
        manifest = run(plan)
        names = sorted(row.name for row in read_rows(tmp_path / out))
        assert names == (["good"] if reason else ["f", "good"])
        assert manifest["skipped"] == ({reason: 1} if reason else {})


def test_submodules_and_links_are_counted(make_repository: MakeRepository, git: Git, tmp_path: Path) -> None:
    inner = make_repository([("a", {"inner.py": "def inner():\n    return 1\n"})])
    outer = make_repository([("a", {"outer.py": "def outer():\n    return 1\n"})])
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    (outer / "link.py").symlink_to("outer.py")
    git(outer, "add", "-A")
    git(outer, "commit", "-q", "-m", "more")
    options = {"tests": False, "documents": False, "shortest": 0}
    plan = plan_functions([outer], tmp_path / "out", revision="", options=options, allowed=Allowed(), about={})
    manifest = run(plan)
    assert [row.name for row in read_rows(tmp_path / "out")] == ["outer"]
    assert manifest["skipped"] == {"submodule": 1, "symbolic link": 1}


def test_blobs_come_in_order_with_their_troubles(make_repository: MakeRepository, git: Git) -> None:
    folder = make_repository([("a", {"a.py": "a = 1\n", "b.py": b"#" * 1_500_000})])
    repository = open_repository(folder)
    names = [git(folder, "rev-parse", f"HEAD:{name}") for name in ("a.py", "b.py", "a.py")]
    found = list(read_blobs(repository, [names[0], "0" * 40, names[1], names[2]]))
    assert found[0] == found[3] == b"a = 1\n"
    assert [each.reason for each in found[1:3] if isinstance(each, RepositoryUnreadable)] == [
        "missing object",
        "larger than 1,000,000 bytes",
    ]


def test_no_code_of_the_repository_runs(make_repository: MakeRepository, git: Git, tmp_path: Path) -> None:
    folder = make_repository(COMMITS)
    marker = tmp_path / "ran"
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv"):
        git(folder, "config", key, f"touch {marker}; cat")
    (folder / ".gitattributes").write_text("*.py diff=x\n")
    git(folder, "add", "-A")
    subprocess.run(["git", "-c", "core.fsmonitor=false", "commit", "-q", "-m", "attributes"], cwd=folder, check=False)
    marker.unlink(missing_ok=True)
    mined(tmp_path / "out", folder)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
        ("Apache License\n  Version 2.0, January 2004", "Apache-2.0"),
        ("Redistribution and use in source and binary forms ... Neither the name of", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms, with or without", "BSD-2-Clause"),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3", "GPL"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3", "LGPL"),
        ("Mozilla Public License Version 2.0", "MPL-2.0"),
        (
            "SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later\n GNU General Public License version 2",
            "Apache-2.0",
        ),
        ("SPDX-License-Identifier: MIT AND GPL-2.0\nGNU General Public License version 2", "GPL"),
        ("All rights reserved.", "unknown"),
    ],
)
def test_licence_texts(text: str, expected: str) -> None:
    assert licence_of_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('license = "MIT"', "MIT"),
        ("license = {text = 'BSD'}", "BSD-3-Clause"),
        ("Classifier: License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        ("license = GPLv3", "GPL"),
        ("name = 'x'", "unknown"),
    ],
)
def test_declared_licences(text: str, expected: str) -> None:
    assert licence_of_declaration(text) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a+b/repo", "a/b"), ("a/b.git", "b"), ("a/work/.git", "work"), ("a/plain", "plain")],
)
def test_project_names(path: str, expected: str, tmp_path: Path) -> None:
    assert project_name(tmp_path / path) == expected


@pytest.mark.parametrize(
    ("old", "new", "spans"),
    [
        ("a = b\n", "a = c\n", ["b"]),
        ("f(x)\n", "return f(x)\n", ["f"]),
        ("a\nb\n", "a\nx\nb\n", ["b"]),
        ("x = 'é😀' + a\n", "x = 'é😀' + b\n", ["a"]),
        ("same\n", "same\n", []),
    ],
)
def test_text_edits_restore_the_other_text(old: str, new: str, spans: list[str]) -> None:
    edits = text_edits(old, new)
    assert apply_edits(old, edits) == new
    assert [old[start:end] for start, end in changed_spans(old, edits)] == spans


def test_reasons_are_counted(make_repository: MakeRepository, tmp_path: Path) -> None:
    _, manifest = mined(tmp_path / "out", make_repository(COMMITS))
    assert Counter(manifest["skipped"]) >= Counter({"message": 3})  # type: ignore[call-overload]
    assert json.loads((tmp_path / "out" / "corpus.json").read_text())["fingerprint"] == manifest["fingerprint"]
