"""Examples for a body: what a function is made of, how alike two are, and names made to fit."""

from __future__ import annotations

import pytest

from codehunch.generation.context import FileContext
from codehunch.generation.retrieval import adaptations, neighbours, prompt_with
from codehunch.generation.samples import Asked, Sample, asked_of, fitted, likeness, sample_in, samples_of
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request
from codehunch.syntax.spans import Span


def sample(code: str) -> Sample:
    (found, *_) = samples_of(FileContext(parse(code)))
    return found


def asked(name: str, *parameters: str, description: str = "") -> Asked:
    return Asked(name, parameters, description, "")


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("def f(a):\n  return a\n", "return a"),
        ('def f(a):\n    """Doc."""\n    return a\n', "return a"),
        ("def f(a): return a\n", "return a"),
        ("def f(a):\n\tif a:\n\t\treturn a\n", "if a:\n    return a"),
        ('def f(a):\n    """Doc."""; return a\n', "return a"),
        ("def f(a):  # why\n    return a\n", "return a"),
    ],
)
def test_bodies(code: str, body: str) -> None:
    assert sample(code).body == body


@pytest.mark.parametrize(
    "code",
    [
        "def f(): pass\n",
        'def f():\n    """Doc."""\n',
        "def f():\n    raise NotImplementedError()\n",
        "def f():\n    return (\n",
        "def f():\n" + "    x = 1\n" * 40,
        "def f():\n    x = '" + "x" * 2000 + "'\n",
    ],
)
def test_no_samples(code: str) -> None:
    assert list(samples_of(FileContext(parse(code)))) == []


@pytest.mark.parametrize(
    ("wanted", "code", "body"),
    [
        (
            asked("set_height", "self", "height"),
            "def set_width(self, width):\n    self._width = width\n",
            "self._height = height",
        ),
        (asked("total", "rows"), "def total(items):\n    return sum(items)\n", "return sum(rows)"),
        # A parameter that both have stays; the others go by their order.
        (asked("f", "b", "c"), "def f(a, b):\n    return a.a(b=b) + a\n", "return c.a(b=b) + c"),
        (asked("fact", "n"), "def factorial(n):\n    return n * factorial(n - 1)\n", "return n * fact(n - 1)"),
        (
            asked("onClose", "self"),
            "def onOpen(self):\n    self.OPEN = Open('open', 'to open')\n",
            "self.CLOSE = Close('close', 'to close')",
        ),
        # One of the notes is a note, and all of the boxes are boxes.
        (
            asked("save_notes", "notes"),
            "def save_tasks(tasks):\n    return [task.text for task in tasks]\n",
            "return [note.text for note in notes]",
        ),
        (
            asked("read_report", "path"),
            "def read_letter(path):\n    return letters(path)[0]\n",
            "return reports(path)[0]",
        ),
        (asked("is_red", "x"), "def is_old(x):\n    olds = 1\n    return olds\n", "olds = 1\nreturn olds"),
        # Names that share nothing say nothing about words.
        (asked("read", "path"), "def write_all(path):\n    write(path)\n", "write(path)"),
        (asked("f"), "def f():\n    x = '\U0001f642'; f()\n", "x = '\U0001f642'; f()"),
    ],
)
def test_fitting(wanted: Asked, code: str, body: str) -> None:
    assert fitted(wanted, sample(code)) == body


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        ("def set_width(self, width):\n    return 1\n", "def get_width(self, width):\n    return 1\n"),
        ("def set_width(self, height):\n    return 1\n", "def set_width(a, b, c):\n    return 1\n"),
        (
            'def x():\n    """Set the height of a box."""\n    return 1\n',
            'def x():\n    """Read lines."""\n    return 1\n',
        ),
        ("def set_heights(self, height):\n    return 1\n", "def height_set(self, height):\n    return 1\n"),
    ],
)
def test_likeness(nearer: str, farther: str) -> None:
    wanted = asked("set_height", "self", "height", description="Set the height of this box.")
    one, other = likeness(wanted, sample(nearer)), likeness(wanted, sample(farther))
    assert 0 <= other < one <= 1


def test_a_functions_own_text_is_a_sample_only_of_that_function() -> None:
    text = "def f(self):\n    return self.x\n"
    found = sample_in(text, "a.py", "A.f")
    assert found is not None
    assert (found.asked.owner, found.origin) == ("A", "a.py: A.f")
    assert sample_in(text, "a.py", "A.g") is None
    assert sample_in("x = 1\n", "a.py", "f") is None


FILE = '''\
class Box:
    def set_width(self, width):
        """Set the width in pixels."""
        if width < 0:
            raise ValueError(width)
        self._width = width

    def set_height(self, height):
        """Set the height in pixels."""

    def reading(self):
        return unheard_of
'''


def test_a_sibling_is_adapted_and_passes_the_filters() -> None:
    parsed = parse(FILE)
    request = find_request(parsed, FILE.index("Set the height"))
    assert request is not None
    context = FileContext(parsed)
    near = neighbours(context, request)
    assert near[0].sample.qualified_name == "Box.set_width"
    for by_key in (True, False):
        (first, *_) = adaptations(context, request, near, asked=by_key, most=3)
        body = "if height < 0:\n            raise ValueError(height)\n        self._height = height"
        assert first.text.strip() == body
        assert first.origin == "Box.set_width"
    # The asker's own text is no example, and what names nothing known is not offered.
    assert all(each.sample.qualified_name != "Box.set_height" for each in near)
    assert asked_of(context, request) == Asked("set_height", ("self", "height"), "Set the height in pixels.", "Box")


def test_a_prompt_shows_the_likest_bodies_fitted_and_without_comments() -> None:
    text = FILE.replace("        if width < 0", "        # never\n        if width < 0")
    request = find_request(parse(text), text.index("Set the height"))
    assert request is not None
    context = FileContext(parse(text))
    shown = dict(prompt_with(context, request, neighbours(context, request)).fields)["similar"]
    fit = "set_width(width)\nif height < 0:\n    raise ValueError(height)\nself._height = height"
    assert shown.split("\n\n") == [fit, "reading()\nreturn unheard_of"]


def test_a_function_is_no_example_of_itself_and_nor_is_what_it_holds() -> None:
    text = (
        'def outer(rows):\n    """Sort the rows."""\n    def inner(row):\n        return row.key\n'
        "    return sorted(rows, key=inner)\n"
    )
    context = FileContext(parse(text))
    function, _ = context.functions[0]
    body = Span(text.index("    def inner"), len(text))  # A corpus asks for bodies that are there.
    asked = BodyRequest("docstring", function, "Sort the rows.", body, "    ", body.start)
    assert neighbours(context, asked) == ()


def test_what_else_was_asked_has_no_neighbours() -> None:
    text = FILE + "\n\n# read the file\n\n"
    request = find_request(parse(text), len(text) - 1)
    assert request is not None
    assert neighbours(FileContext(parse(text)), request) == ()


def test_what_was_refused_makes_room_for_another() -> None:
    text = (
        "def set_width(self, width):\n    self.width = int(width)\n    return self\n\n\n"
        "def set_depth(self, depth):\n    self.depth = float(depth)\n    return self\n\n\n"
        'def set_height(self, height):\n    """Set the height."""\n'
    )
    request = find_request(parse(text), text.index('"""Set') + 5)
    assert request is not None
    context = FileContext(parse(text))
    first, second = (each.sample.origin for each in neighbours(context, request))
    weigh = {first: 0.25, second: 1.0}
    near = neighbours(context, request, "a.py", weigh=lambda origin, path: weigh[origin] if path == "a.py" else 1.0)
    assert [each.sample.origin for each in near] == [second, first]
    assert all(0.0 <= each.likeness <= 1.0 for each in near)
