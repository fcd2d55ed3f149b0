"""Variables made nameless: every use of one variable, and nothing else."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.corpus.variables import nameless_functions

TABLE = [
    # A parameter with its uses; an attribute of its name belongs to someone else.
    (
        "def f(a, n):\n    return a.n + n\n",
        "python",
        {"n": "def f(a, ?):\n    return a.n + ?", "a": "def f(?, n):\n    return ?.n + n"},
    ),
    # A keyword argument of its name, too.
    ("def f(n):\n    return g(n=n)\n", "python", {"n": "def f(?):\n    return g(n=?)"}),
    # Prose would give it away.
    (
        'def f(n):\n    """The n, not none."""\n    return n  # n is back\n',
        "python",
        {"n": 'def f(?):\n    """The ?, not none."""\n    return ?  # ? is back'},
    ),
    # f-strings, walrus, comprehension variables, exceptions, with targets.
    (
        "def f(xs):\n    return [x for x in xs if x]\n",
        "python",
        {"x": "def f(xs):\n    return [? for ? in xs if ?]", "xs": "def f(?):\n    return [x for x in ? if x]"},
    ),
    (
        "def f():\n    if (k := g()):\n        return f'{k}'\n",
        "python",
        {"k": "def f():\n    if (? := g()):\n        return f'{?}'"},
    ),
    (
        "def f():\n    with open('a') as h:\n        return h\n",
        "python",
        {"h": "def f():\n    with open('a') as ?:\n        return ?"},
    ),
    # Two scopes may be two variables: left out. One use says nothing. Receivers and globals are no variables.
    ("def f(x):\n    def g(x):\n        return x\n    return x\n", "python", {}),
    ("def f(once):\n    return other + other\n", "python", {}),
    ("class C:\n    def f(self, _):\n        return self.a + _ + _\n", "python", {}),
    ("", "python", {}),
    ("x = 1\nprint(x)\n", "python", {}),
    # C: parameters, pointers, initialised and plain declarations; fields are not touched.
    (
        "int f(struct s *p) { int n = p->n; return n; }",
        "c",
        {"p": "int f(struct s *?) { int n = ?->n; return n; }", "n": "int f(struct s *p) { int ? = p->n; return ?; }"},
    ),
    ("int f(int i) { for (int i = 0; i < 3; i++) {} return i; }", "c", {}),
    # Text before and after the function, and code points outside ASCII.
    ("import é\n\ndef f(ü):\n    return ü\n\nü = 3\n", "python", {"ü": "def f(?):\n    return ?"}),
]


@pytest.mark.parametrize(("text", "language", "expected"), TABLE)
def test_one_variable_at_a_time(text: str, language: str, expected: dict[str, str]) -> None:
    assert {name: shown for shown, name in nameless_functions(text, "?", language)} == expected


@pytest.mark.parametrize("text", ["def f(:\n  x = = 3\n x", "def f(x" * 200, "\x00\ufffd\ud800 def f(a): return a"])
def test_broken_code_is_read(text: str) -> None:
    for shown, name in nameless_functions(text, "?"):
        assert "?" in shown
        assert name
