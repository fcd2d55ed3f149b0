"""The index of functions: words in, functions out, whatever happens to the files and to the index itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from codehunch.generation.index import FunctionIndex, IndexUnusable, changed
from codehunch.generation.samples import Asked

WIDTH = Asked("set_width", ("self", "width"), "Set the width of the box.", "Box")
CODE = '''\
class Box:
    def set_height(self, height):
        """Set the height of the box."""
        self.height = height


def unrelated(path):
    """Read some lines."""
    return open(path).readlines()
'''


def put(index: FunctionIndex, path: Path, text: str | bytes, time: int = 1) -> int:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(data)
    return index.update(str(path), (time, len(data)), data)


def names(index: FunctionIndex, path: str = "") -> list[str]:
    return [each.qualified_name for each in index.similar(WIDTH, path)]


@pytest.fixture(name="index")
def _index(tmp_path: Path) -> FunctionIndex:
    return FunctionIndex(tmp_path / "deep" / "index.sqlite")


def test_the_best_comes_first_and_can_be_read(index: FunctionIndex, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    assert put(index, path, CODE) == 2
    found = index.similar(WIDTH, "")
    assert found[0].qualified_name == "Box.set_height"
    assert found[0].body == "self.height = height"
    assert found[0].asked == Asked("set_height", ("self", "height"), "Set the height of the box.", "Box")
    # The file that asks is read as it is typed, not as it lies on disk.
    assert names(index, str(path)) == []


def test_updates(index: FunctionIndex, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    put(index, path, CODE)
    put(index, path, CODE.replace("set_height", "set_depth"), time=2)
    assert names(index)[0] == "Box.set_depth"
    assert index.stamps() == {str(path): (2, len(CODE) - 1)}
    index.forget([str(path), "unknown"])
    assert (names(index), index.stamps()) == ([], {})


def test_another_session_sees_it(index: FunctionIndex, tmp_path: Path) -> None:
    put(index, tmp_path / "a.py", CODE)
    other = FunctionIndex(tmp_path / "deep" / "index.sqlite")
    assert names(other)[0] == "Box.set_height"
    index.close()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\0", b"def f(:\n", b"x" * 1_100_000, CODE.encode("utf-8-sig")])
def test_odd_files_are_known_and_do_no_harm(index: FunctionIndex, tmp_path: Path, data: bytes) -> None:
    put(index, tmp_path / "a.py", data)
    assert list(index.stamps()) == [str(tmp_path / "a.py")]
    assert names(index)[:1] == (["Box.set_height"] if b"Box" in data else [])


@pytest.mark.parametrize("after", ["", "x = 1\n" * 100, CODE.replace("height", "depth"), None])
def test_a_file_that_has_changed_since(index: FunctionIndex, tmp_path: Path, after: str | None) -> None:
    path = tmp_path / "a.py"
    put(index, path, CODE)
    path.unlink() if after is None else path.write_text(after)
    assert "Box.set_height" not in names(index)


@pytest.mark.parametrize("words", ['"', "OR AND NEAR(", "a* b^ c:d", "é ü", ""])
def test_words_are_only_words(index: FunctionIndex, tmp_path: Path, words: str) -> None:
    put(index, tmp_path / "a.py", CODE)
    assert index.similar(Asked("set_height", ("a_b", "__c"), words, ""), "")
    index.similar(Asked("", (), words, ""), "")


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b"", b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "index.sqlite"
    file.write_bytes(damage)
    index = FunctionIndex(file)
    put(index, tmp_path / "a.py", CODE)
    assert names(index)[0] == "Box.set_height"


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
        database.execute("CREATE TABLE files (other TEXT)")
    database.close()
    assert FunctionIndex(file).stamps() == {}


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IndexUnusable, match="cannot be used"):
        FunctionIndex(tmp_path / "file" / "index.sqlite")


def test_it_holds_no_source_and_is_small(index: FunctionIndex, tmp_path: Path) -> None:
    import sysconfig

    read = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:60]:
        data = path.read_bytes()
        index.update(str(path), (1, len(data)), data)
        read += len(data)
    put(index, tmp_path / "a.py", "def f(x):\n    return 'a secret sentence' + x\n")
    index.close()
    file = tmp_path / "deep" / "index.sqlite"
    assert file.stat().st_size < read / 3
    assert b"a secret sentence" not in file.read_bytes()


def test_what_has_changed() -> None:
    known, found = {"a": (1, 1), "b": (1, 1), "c": (1, 1)}, {"a": (1, 1), "b": (2, 1), "d": (1, 1)}
    assert changed(known, found) == (["b", "d"], ["c"])
