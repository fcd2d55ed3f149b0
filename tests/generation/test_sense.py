"""Bodies that no person would write, by golden cases, and by what people did write."""

from __future__ import annotations

import sysconfig
from itertools import islice
from pathlib import Path

import pytest

from codehunch.generation.context import FileContext
from codehunch.generation.filters import placed
from codehunch.generation.layout import to_canonical
from codehunch.generation.sense import keeps_promises, recurs_at_once, wanders
from codehunch.syntax.functions import Function, find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request


@pytest.mark.parametrize(
    "body",
    [
        "if a is None:\n    a = self.b(a)\nif a is None:\n    a = self.b(a)\nreturn a",
        "if a in b:\n    return True\nif a in b:\n    return False\nreturn a",
        "for x in y:\n    z.append(x)\n    z.append(x)",
        "try:\n    f()\nexcept E:\n    raise\n    return 1",
        "return a\nb = 1",
        "if a:\n    return b\nelse:\n    return b",
        "return b if a else b",
        "if a:\n    return b\nreturn b",
        "self.a = self.a",
        "return a or a",
        "return {'a': x, 'b': y, 'a': z}",
        "if len(a) == len(a):\n    return a",
        "return [s for s in a if s in s]",
        "return set(a) - set(a)",
        "if a.b == c:\n    raise D\nelif a.e:\n    return\nelif a.b == c:\n    return 1",
        "if a:\n    b()\nelif c:\n    d()\nelse:\n    d()",
        "import exception\nreturn exception.now()",
        "from exception.now import then\nreturn then",
    ],
)
def test_no_person_means_this(body: str) -> None:
    assert wanders(body)


@pytest.mark.parametrize(
    "body",
    [
        "i += 1\nprint()\ni += 1\nprint()\nreturn i",
        "if a:\n    return True\nif b:\n    return False\nreturn a",
        "if a:\n    b = c(a)\nelif b:\n    b = d(a)\nreturn a or b",
        "if a:\n    a = next(b)\nif a:\n    a = last(b)\nreturn a",
        "return {**a, **b, 'c': 1}",
        "return x != x or x < y < z or x + x",
        "if a:\n    b()\nelif c:\n    d()\nelse:\n    b()",
        "import os.path\nfrom json import dumps\nfrom . import views\nreturn dumps(os.path)",
        "import numpy as np\nreturn np.zeros(1)",
        "this does not parse",
        "",
    ],
)
def test_a_person_may_mean_this(body: str) -> None:
    assert not wanders(body, {"numpy"})


def _function(text: str) -> Function:
    return find_functions(parse(text))[0]


@pytest.mark.parametrize(
    ("head", "body", "recurs"),
    [
        ("def load(path):", "return load(path)", True),
        ("def load(path):", "path = clean(path)\nif load(path):\n    return path", True),
        ("def load(path):", "with load(path) as file:\n    return file", True),
        ("def load(path):", "try:\n    return load(path)\nexcept OSError:\n    return None", True),
        ("def load(path):", "if not path:\n    return None\nreturn load(path.parent)", False),
        ("def load(path):", "return path and load(path.parent)", False),
        ("def load(path):", "return path if path else load(path)", False),
        ("def load(path):", "return [load(each) for each in path]", False),
        ("def load(path):", "def later():\n    return load(path)\nreturn later", False),
        ("def load(path):", "return self.load(path)", False),
        ("def load(path):", "global load\nload = open\nreturn load(path)", False),
        ("class A:\n  def load(self):", "return self.load()", True),
        ("class A:\n  def load(self):", "return load(self.path) or super().load()", False),
        ("class A:\n  @property\n  def path(self):", "if self.path is None:\n    return ''\nreturn self.path", True),
        ("class A:\n  @path.setter\n  def path(self, new):", "self._path = self.path or new", False),
    ],
)
def test_what_never_ends(head: str, body: str, recurs: bool) -> None:
    assert recurs_at_once(body, _function(f"{head} pass\n")) == recurs


@pytest.mark.parametrize(
    ("header", "body", "kept"),
    [
        ("def f(a) -> int:", "return a", True),
        ("def f(a) -> int:", "print(a)", False),
        ("def f(a) -> int:", "def g():\n    return a\nprint(g)", False),
        ("def f(a) -> int:", "raise NotImplementedError(a)", True),
        ("def f(a) -> Iterator[int]:", "yield from a", True),
        ("def f(a) -> None:", "return a", False),
        ("def f(a) -> None:", "if a:\n    return None\nprint(a)", True),
        ("def f(a, b, *, c=1):", "return a", False),
        ("def f(a, b):", "return b", True),
        ("def f(a, b, *, c=1):", "a = b = 2\nreturn c", False),
        ("def f(self):", "return 1", True),
        ("def on_click(self, event):", "self.count += 1", True),
        ("def f(a, b, c):", "return locals()", True),
        ("async def f(\n    a,\n    b,\n) -> str:", "return await g(a)", True),
        ("def f(a", "return 1", True),
    ],
)
def test_what_the_head_says(header: str, body: str, kept: bool) -> None:
    assert keeps_promises(body, header) == kept


def test_nobody_recurs_at_once_and_few_say_things_twice() -> None:
    """Bodies of Python's own modules: what is left out must be rare where people write."""
    library = Path(sysconfig.get_path("stdlib"))
    read = strange = broken = 0
    for path in islice(sorted(library.glob("*.py")), 0, 120, 3):
        text = path.read_text(encoding="utf-8", errors="replace")
        for function in find_functions(parse(text)):
            start = text.rfind("\n", 0, function.body.start) + 1
            body = to_canonical(text[start : function.body.end])
            if function.broken or not text[start : function.body.start].isspace():
                continue
            read += 1
            strange += wanders(body, set(text.split()))
            broken += not keeps_promises(body, function.header.of(text))
            assert not recurs_at_once(body, function), (path, function.qualified_name)
    assert read > 1000
    assert strange < 0.03 * read
    assert broken < 0.2 * read  # Stubs that only say what they would take.


def test_what_never_ends_is_no_body() -> None:
    text = 'def load(path):\n    """Read what lies at a path."""\n    pass\n'
    context = FileContext(parse(text))
    request = find_request(context.parsed, text.index("pass"))
    assert request is not None
    assert placed(context, request, "return load(path)") is None
    assert placed(context, request, "return open(path).read()") is not None
