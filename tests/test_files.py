"""Walking trees: what is read, what is left out, and the reason for every file that was asked for."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs
import pytest

from codehunch.files import DEFAULT_EXCLUDES, Missing, Skipped, SourceFile, read_source, walk
from codehunch.patterns import PathPatterns
from codehunch.settings import DEFAULTS, Settings, SettingsReader
from codehunch.syntax.decoding import SourceUnreadable

PYTHON = ("python",)
needs_root_to_be_refused = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything"
)


def tree(root: Path, names: Iterable[str]) -> None:
    """Files by name; ``name=text`` gives them a text."""
    for entry in names:
        name, _, text = entry.partition("=")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(
    paths: list[Path | str],
    root: Path,
    settings: Settings | Callable[[str], Settings] = DEFAULTS,
    languages: tuple[str, ...] = PYTHON,
) -> list[str]:
    """Names below ``root``; what is left out with its reason, what is missing with a question mark."""
    settings_of = settings if callable(settings) else lambda folder: settings
    names = []
    for entry in walk([str(path) for path in paths], languages, settings_of):
        name = os.path.relpath(entry.path, root)
        if isinstance(entry, Skipped):
            name += f": {entry.reason}"
        names.append(name + "?" if isinstance(entry, Missing) else name)
    return names


def excluding(root: Path, *patterns: str) -> Settings:
    return attrs.evolve(DEFAULTS, exclude=PathPatterns(patterns, str(root)))


def test_a_tree_in_a_stable_order(tmp_path: Path) -> None:
    tree(tmp_path, ["b.py", "a/z.py", "a/b/c.pyi", "a.py", "notes.txt", "x.PYW", "c/d.c", "no_suffix", ".hidden/h.py"])
    expected = [".hidden/h.py", "a/b/c.pyi", "a/z.py", "a.py", "b.py", "x.PYW"]
    assert found([tmp_path], tmp_path) == expected


def test_languages_are_those_that_are_asked_for(tmp_path: Path) -> None:
    tree(tmp_path, ["a.py", "b.c", "c.h", "d.rb"])
    assert found([tmp_path], tmp_path, languages=("c",)) == ["b.c", "c.h"]
    assert found([tmp_path], tmp_path, languages=("c", "python")) == ["a.py", "b.c", "c.h"]


def test_sizes_and_languages_are_told(tmp_path: Path) -> None:
    tree(tmp_path, ["a.py=x = 1\n"])
    assert list(walk([str(tmp_path)], PYTHON, lambda folder: DEFAULTS)) == [
        SourceFile(str(tmp_path / "a.py"), "python", 6)
    ]


@pytest.mark.parametrize("folder", sorted(DEFAULT_EXCLUDES))
def test_default_excludes(tmp_path: Path, folder: str) -> None:
    tree(tmp_path, [f"{folder}/a.py", f"x/{folder}/b/c.py", f"{folder}.py"])
    assert found([tmp_path], tmp_path) == [f"{folder}.py"]
    everything = attrs.evolve(DEFAULTS, default_excludes=False)
    assert len(found([tmp_path], tmp_path, everything)) == 3
    # What is named is read.
    assert found([tmp_path / folder], tmp_path) == [f"{folder}/a.py"]


def test_virtual_environments_are_known_by_their_mark(tmp_path: Path) -> None:
    tree(tmp_path, ["env/pyvenv.cfg", "env/lib/a.py", "venv/create.py", "x.py"])
    assert found([tmp_path], tmp_path) == ["venv/create.py", "x.py"]
    assert found([tmp_path / "env"], tmp_path) == ["env/lib/a.py"]
    assert "env/lib/a.py" in found([tmp_path], tmp_path, attrs.evolve(DEFAULTS, default_excludes=False))


TREE = ["a.py", "src/a.py", "src/gen/b.py", "gen/c.py", "gen/keep.py", "tests/data/d.py"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ["a.py", "gen/c.py", "gen/keep.py", "src/a.py", "src/gen/b.py", "tests/data/d.py"]),
        (("gen",), ["a.py", "src/a.py", "tests/data/d.py"]),
        (("gen/",), ["a.py", "src/a.py", "tests/data/d.py"]),
        (("/gen",), ["a.py", "src/a.py", "src/gen/b.py", "tests/data/d.py"]),
        (("gen/*", "!keep.py"), ["a.py", "gen/keep.py", "src/a.py", "src/gen/b.py", "tests/data/d.py"]),
        (("*.py",), []),
        (("*.py", "!a.py"), ["a.py", "src/a.py"]),
        (("tests/*/d.py",), ["a.py", "gen/c.py", "gen/keep.py", "src/a.py", "src/gen/b.py"]),
        (("**/b.py",), ["a.py", "gen/c.py", "gen/keep.py", "src/a.py", "tests/data/d.py"]),
    ],
)
def test_excluded_patterns(tmp_path: Path, patterns: tuple[str, ...], expected: list[str]) -> None:
    tree(tmp_path, TREE)
    assert found([tmp_path], tmp_path, excluding(tmp_path, *patterns)) == expected


def test_what_is_named_is_read_although_it_is_excluded(tmp_path: Path) -> None:
    tree(tmp_path, [*TREE, "gen/deep/gen/e.py"])
    settings = excluding(tmp_path, "gen", "a.py")
    assert found([tmp_path / "a.py"], tmp_path, settings) == ["a.py"]
    # The rules hold again below a folder that is named.
    assert found([tmp_path / "gen"], tmp_path, settings) == ["gen/c.py", "gen/keep.py"]


def test_settings_hold_for_the_folder_they_lie_in(tmp_path: Path) -> None:
    tree(tmp_path, [*TREE, "src/.codehunch.toml=exclude = ['gen']\n"])
    reader = SettingsReader()
    assert found([tmp_path], tmp_path, reader.for_folder) == [name for name in sorted(TREE) if name != "src/gen/b.py"]


GITIGNORES: list[tuple[str, dict[str, str], list[str]]] = [
    ("simple", {".gitignore": "gen/\n"}, ["gen/c.py", "gen/keep.py", "src/gen/b.py"]),
    ("anchored", {".gitignore": "/gen\n"}, ["gen/c.py", "gen/keep.py"]),
    ("comment and blanks", {".gitignore": "# a.py\n\n\\#x.py\n"}, []),
    ("CRLF", {".gitignore": "/gen/\r\n/a.py\r\n"}, ["a.py", "gen/c.py", "gen/keep.py"]),
    ("byte order mark", {".gitignore": "\ufeff/a.py\n"}, ["a.py"]),
    ("no line end", {".gitignore": "/a.py"}, ["a.py"]),
    ("trailing spaces", {".gitignore": "/a.py  \n"}, ["a.py"]),
    ("taken back", {".gitignore": "*.py\n!keep.py\n"}, [name for name in TREE if "keep" not in name]),
    ("never below an ignored folder", {".gitignore": "gen/\n!keep.py\n"}, ["gen/c.py", "gen/keep.py", "src/gen/b.py"]),
    ("nested", {"src/.gitignore": "a.py\n"}, ["src/a.py"]),
    ("nested is anchored at its folder", {"src/.gitignore": "/gen\n"}, ["src/gen/b.py"]),
    (
        "nested outranks",
        {".gitignore": "*.py\n", "src/.gitignore": "!a.py\n"},
        [name for name in TREE if name != "src/a.py"],
    ),
    ("nested adds", {".gitignore": "/a.py\n", "gen/.gitignore": "*\n!keep.py\n"}, ["a.py", "gen/c.py"]),
    ("ignores itself", {"gen/.gitignore": "*\n"}, ["gen/c.py", "gen/keep.py"]),
    ("broken lines are passed over", {".gitignore": "bad\\\n/a.py\n"}, ["a.py"]),
    ("brackets", {".gitignore": "gen/[a-k]*.py\n"}, ["gen/c.py", "gen/keep.py"]),
    ("question mark", {".gitignore": "?.py\n"}, [name for name in TREE if "keep" not in name]),
    ("double star", {".gitignore": "src/**/b.py\n"}, ["src/gen/b.py"]),
    ("info/exclude", {".git/info/exclude": "/src\n"}, ["src/a.py", "src/gen/b.py"]),
    (".gitignore outranks info/exclude", {".git/info/exclude": "a.py\n", ".gitignore": "!/a.py\n"}, ["src/a.py"]),
]


@pytest.mark.parametrize(("files", "ignored"), [row[1:] for row in GITIGNORES], ids=[row[0] for row in GITIGNORES])
def test_gitignore(tmp_path: Path, files: dict[str, str], ignored: list[str]) -> None:
    (tmp_path / ".git").mkdir()
    tree(tmp_path, TREE)
    tree(tmp_path, [f"{name}={text}" for name, text in files.items() if "\r" not in text])
    for name, text in files.items():
        if "\r" in text:
            (tmp_path / name).write_bytes(text.encode())
    assert found([tmp_path], tmp_path) == sorted(set(TREE) - set(ignored))
    assert found([tmp_path], tmp_path, attrs.evolve(DEFAULTS, respect_gitignore=False)) == sorted(TREE)


def test_ignore_files_above_the_walked_folder_count_up_to_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    tree(repository, [*TREE, ".git/HEAD", ".gitignore=b.py\n", "src/.gitignore=/a.py\n"])
    tree(tmp_path, [".gitignore=*\n"])
    assert found([repository / "src"], repository) == []
    assert found([repository / "src" / "gen"], repository) == []
    assert found([repository / "gen"], repository) == ["gen/c.py", "gen/keep.py"]
    # Named outright, so it is wanted.
    assert found([repository / "src" / "a.py"], repository) == ["src/a.py"]


def test_without_a_repository_ignore_files_count_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    tree(project, [*TREE, ".gitignore=b.py\n"])
    tree(tmp_path, [".gitignore=*\n"])
    monkeypatch.chdir(project)
    assert found([project / "src"], project) == ["src/a.py"]
    assert found(["src"], project) == ["src/a.py"]
    monkeypatch.chdir(project / "gen")
    assert found([project / "src"], project) == ["src/a.py", "src/gen/b.py"]


def test_a_folder_that_is_ignored_but_named_is_read(tmp_path: Path) -> None:
    tree(tmp_path, [*TREE, ".git/HEAD", ".gitignore=/gen\n*.log.py\n", "gen/x.log.py"])
    assert found([tmp_path / "gen"], tmp_path) == ["gen/c.py", "gen/keep.py", "gen/x.log.py"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("seed", range(12))
def test_the_same_files_as_git(tmp_path: Path, seed: int) -> None:
    """Random trees with random ignore files, against ``git ls-files``."""
    draw = random.Random(seed)
    names = ["a", "b", "gen", "x1", "src"]
    files = {
        "/".join([*draw.choices(names, k=draw.randint(0, 3)), draw.choice(["m.py", "n.py", "k.py"])]) for _ in range(60)
    }
    tree(tmp_path, sorted(files))
    folders = sorted({os.path.dirname(name) for name in files})
    patterns = ["gen", "/a", "b/", "*.py", "!m.py", "**/x1", "a/**", "src/*", "!src/", "[ab]/n.py", "x?", "/src/a/k.py"]
    for folder in draw.sample(folders, k=min(4, len(folders))):
        text = "\n".join(draw.choices(patterns, k=draw.randint(1, 4))) + "\n"
        (tmp_path / folder / ".gitignore").write_text(text)
    git = ["git", "-c", "core.excludesFile=", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run([*git, "ls-files", "-oz", "--exclude-standard"], check=True, capture_output=True, text=True)
    expected = {name for name in listed.stdout.split("\0") if name.endswith(".py")}
    assert set(found([tmp_path], tmp_path)) == expected


def test_paths_that_overlap_are_read_once(tmp_path: Path) -> None:
    tree(tmp_path, TREE)
    everything = sorted(TREE)
    assert sorted(found([tmp_path, tmp_path, tmp_path / "src"], tmp_path)) == everything
    assert sorted(found([tmp_path / "src", tmp_path], tmp_path)) == everything
    assert found([tmp_path / "src" / "gen", tmp_path / "src"], tmp_path) == ["src/gen/b.py", "src/a.py"]
    assert found([tmp_path / "src" / "a.py", tmp_path / "src"], tmp_path) == ["src/a.py", "src/gen/b.py"]
    assert found([tmp_path / "src" / "a.py", tmp_path / "src" / ".." / "src" / "a.py"], tmp_path) == ["src/a.py"]


def test_links(tmp_path: Path) -> None:
    tree(tmp_path, ["real/a.py", "other/o.py"])
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "real" / "self").symlink_to("self")
    (tmp_path / "real" / "linked.py").symlink_to(tmp_path / "other" / "o.py")
    (tmp_path / "real" / "nothing.py").symlink_to("nowhere.py")
    (tmp_path / "real" / "round.py").symlink_to("round.py")
    (tmp_path / "real" / "node_modules").symlink_to(tmp_path / "other")
    assert found([tmp_path / "real"], tmp_path) == [
        "real/a.py",
        "real/linked.py",
        "real/loop: is a link to a folder, which is not followed",
        "real/nothing.py: is a link to nothing",
        "real/round.py: cannot be read (Too many levels of symbolic links)",
    ]
    # A link that is named is followed, and what it leads to is read once.
    (tmp_path / "link").symlink_to("other")
    assert found([tmp_path / "link"], tmp_path) == ["link/o.py"]
    assert found([tmp_path / "other", tmp_path / "link"], tmp_path) == ["other/o.py"]


def test_named_paths_that_cannot_be_checked(tmp_path: Path) -> None:
    tree(tmp_path, ["data.bin", "LICENSE", "a.c", "b.py/c.py"])
    (tmp_path / "dangling.py").symlink_to("nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert found([tmp_path / "gone"], tmp_path) == ["gone?"]
    assert found([tmp_path / "dangling.py"], tmp_path) == ["dangling.py?"]
    assert found([tmp_path / "LICENSE" / "x.py"], tmp_path) == ["LICENSE/x.py?"]
    assert found([tmp_path / "data.bin"], tmp_path) == ["data.bin: no language is known by the suffix '.bin'"]
    assert found([tmp_path / "LICENSE"], tmp_path) == ["LICENSE: its language is unknown"]
    assert found([tmp_path / "a.c"], tmp_path) == ["a.c: no installed model reads c"]
    assert found([tmp_path / "pipe.py"], tmp_path) == ["pipe.py: is not a regular file"]
    assert found([tmp_path / "b.py"], tmp_path) == ["b.py/c.py"]
    # One bad path does not end the run.
    assert found([tmp_path / "gone", tmp_path / "b.py"], tmp_path) == ["gone?", "b.py/c.py"]


@pytest.mark.parametrize(
    ("first", "language"),
    [("#!/usr/bin/env python3\n", "python"), ("#!/usr/bin/python -E\n", "python"), ("#!/bin/sh\n", None), ("", None)],
)
def test_named_scripts_are_known_by_their_first_line(tmp_path: Path, first: str, language: str | None) -> None:
    script = tmp_path / "script"
    script.write_text(first + "x = 1\n")
    expected = ["script"] if language else ["script: its language is unknown"]
    assert found([script], tmp_path) == expected
    # In a folder only suffixes count: opening every file would cost more than it finds.
    assert found([tmp_path], tmp_path) == []


def test_special_files_in_a_folder_never_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # The address of a socket must be short.
    os.mkfifo(tmp_path / "pipe.py")
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind("socket.py")
        reason = "is not a regular file"
        assert found([tmp_path], tmp_path) == [f"pipe.py: {reason}", f"socket.py: {reason}"]
    finally:
        listening.close()


@needs_root_to_be_refused
def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path) -> None:
    tree(tmp_path, ["closed/a.py", "open/b.py"])
    (tmp_path / "closed").chmod(0)
    try:
        assert found([tmp_path], tmp_path) == ["closed: the folder cannot be read (Permission denied)", "open/b.py"]
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.py"
    with open(path, "wb"):
        pass
    (entry,) = walk([str(tmp_path)], PYTHON, lambda folder: DEFAULTS)
    assert os.fsencode(entry.path) == path


def test_very_deep_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = 1200  # Deeper than the interpreter's stack.
    monkeypatch.chdir(tmp_path)
    try:
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")
        Path("a.py").touch()
        os.chdir(tmp_path)
        assert found(["."], tmp_path) == ["/".join(["d"] * depth + ["a.py"])]
    finally:
        # shutil.rmtree is recursive and would fail here, as would pytest when it clears its folder.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_walk_can_be_left_at_any_point(tmp_path: Path) -> None:
    tree(tmp_path, TREE)
    entries = walk([str(tmp_path)], PYTHON, lambda folder: DEFAULTS)
    next(entries)
    entries.close()  # type: ignore[attr-defined]


def read(path: Path, limit: int = 1000) -> str:
    size = path.stat().st_size
    return read_source(SourceFile(str(path), "python", size), limit).source.text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"x = 1\r\n", "x = 1\r\n"),
        (b"\xef\xbb\xbfx\n", "x\n"),
        (b"# coding: latin-1\n\xe9\n", "# coding: latin-1\n\xe9\n"),
        (b"x" * 1000, "x" * 1000),
        (b"def f(:\n", "def f(:\n"),
    ],
)
def test_reading(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    assert read(path) == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x" * 1001, "0.0 MB, more than max-file-size = 0.001 MB allows"),
        (b"\x7fELF\0\0", "binary"),
        (b"\xff\xfea\0", "UTF-16"),
        (b"x = '\xe9'\n", "not valid UTF-8"),
        (b"# coding: klingon\n", "unknown encoding 'klingon'"),
    ],
)
def test_unreadable_files_give_a_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    with pytest.raises(SourceUnreadable) as failure:
        read(path)
    assert reason in failure.value.reason


def test_a_file_that_grew_or_went_since_it_was_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(SourceUnreadable, match="more than max-file-size"):
        read_source(SourceFile(str(path), "python", 10), 1000)
    path.unlink()
    with pytest.raises(SourceUnreadable, match=r"cannot be read \(No such file or directory\)"):
        read_source(SourceFile(str(path), "python", 10), 1000)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that opens but cannot be read")
def test_an_error_while_reading(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        read_source(SourceFile("/proc/self/mem", "python", 0), 1000)


@needs_root_to_be_refused
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.touch(mode=0)
    with pytest.raises(SourceUnreadable, match=r"cannot be read \(Permission denied\)"):
        read(path)


@pytest.mark.parametrize(
    ("patterns", "path", "is_folder", "expected"),
    [
        ((), "/r/a", False, None),
        (("a",), "/r/a", False, True),
        (("a",), "/r/b", False, None),
        (("a", "!a"), "/r/a", False, False),
        (("a/",), "/r/a", False, None),
        (("a/",), "/r/a", True, True),
        (("a/",), "/r/a/b", False, True),
        (("a",), "/elsewhere/a", False, None),
        (("a",), "/ra", False, None),
        (("*",), "/r", True, None),
    ],
)
def test_patterns(patterns: tuple[str, ...], path: str, is_folder: bool, expected: bool | None) -> None:
    assert PathPatterns(patterns, "/r").verdict(path, is_folder) is expected


def test_patterns_about_the_root_of_the_disk() -> None:
    assert PathPatterns(("/a",), "/").verdict("/a") is True
