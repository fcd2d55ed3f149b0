"""Statements for a comment, from what stands below other comments of the file."""

from __future__ import annotations

import pytest

from codehunch.generation.context import FileContext
from codehunch.generation.retrieval import adaptations, neighbours
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request

CHECKS = """def check(name, title):
    # the name must be a string
    if not isinstance(name, str):
        raise TypeError("the name must be a string")

    # done
    store(name)
    # the title must be a string
    """


def bodies(text: str, at: int | None = None, asked: bool = True) -> list[str]:
    parsed = parse(text)
    request = find_request(parsed, len(text) if at is None else at)
    assert request is not None
    assert request.kind == "comment"
    context = FileContext(parsed)
    found = adaptations(context, request, neighbours(context, request), asked=asked, most=3)
    return [each.text for each in found]


def test_the_words_that_differ_are_replaced() -> None:
    fitted = '    if not isinstance(title, str):\n        raise TypeError("the title must be a string")'
    assert bodies(CHECKS, asked=False) == [fitted]


def test_where_it_came_from() -> None:
    parsed = parse(CHECKS)
    request = find_request(parsed, len(CHECKS))
    assert request is not None
    (best, *_) = neighbours(FileContext(parsed), request)
    assert best.sample.origin == "check"
    assert best.sample.asked.description == "the name must be a string"


def test_the_innermost_function_is_named() -> None:
    text = """class Shelf:
    def load(self):
        def read():
            # open the old shelf
            open_old()

        # open the new shelf
        open_new()


# open the last shelf
open_last()


def close(self):
    # open the first shelf
    """
    parsed = parse(text)
    request = find_request(parsed, len(text))
    assert request is not None
    found = {each.sample.body: each.sample.origin for each in neighbours(FileContext(parsed), request)}
    assert found == {"open_old()": "Shelf.load.read", "open_new()": "Shelf.load", "open_last()": "module"}


def test_parameters_of_another_function_are_replaced() -> None:
    text = (
        "def a(stream):\n    # close what is open\n    stream.close()\n\n\ndef b(file):\n    # close what is open\n    "
    )
    assert bodies(text) == ["    file.close()"]


def test_what_stands_below_counts_too() -> None:
    text = "# load the users\n\n\n# load the books\nbooks = load('books')\n"
    assert bodies(text, at=text.index("\n\n") + 1) == ["users = load('users')"]


@pytest.mark.parametrize(
    ("above", "why"),
    [
        ("# load the books\n\nbooks = load()\n", "an empty line is between"),
        ("# load the books\npass\n", "nothing is done"),
        ("# give them to the readers\nlend(books)\n", "it says something else"),
        ("if x:\n    # load the books\n    y = (\n", "half written"),
        ("text = '''\n# load the books\nbooks = load()\n'''\n", "it is a string"),
        ("x = [\n    # load the books\n    1,\n]\n", "it is no statement"),
        ("# noqa: load the books\nbooks = load()\n", "it speaks to a program"),
    ],
)
def test_no_example(above: str, why: str) -> None:
    assert bodies(f"{above}\n# load the users\n") == [], why


def test_statements_are_taken_whole() -> None:
    block = "for book in shelf:\n    # the old ones first\n    if book.old:\n\n        load(book)\nclose()"
    assert bodies(f"# load the books\n{block}\n\nnext()\n\n# load the books\n") == [block]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends(end: str) -> None:
    text = "# load the books\nbooks = load()\nx = 1\n\n# load the users\n".replace("\n", end)
    assert bodies(text) == [f"users = load(){end}x = 1"]


def test_nothing_of_the_answer_is_read() -> None:
    text = "def f():\n    # load the users\n    pass\n\n\ndef g():\n    x = 1\n"
    assert bodies(text, at=text.index("pass")) == []


def test_a_long_block_is_cut_at_the_longest() -> None:
    text = "# load the books\n" + "books.append(load())\n" * 300 + "\n# load the users\n"
    assert all(body.count("\n") < 25 for body in bodies(text))


def test_many_comments() -> None:
    text = (
        "".join(f"# step number {i} of the plan\nrun({i})\n\n" for i in range(3000)) + "# step number 9 of the plan\n"
    )
    assert "run(9)" in bodies(text)[0]
