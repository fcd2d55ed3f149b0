from __future__ import annotations

import time

import pytest

from codehunch.syntax.functions import Function, docstring_node, find_functions, function_nodes
from codehunch.syntax.languages import LANGUAGES, GrammarMissing, grammar, language_named, language_of
from codehunch.syntax.parsing import parse

EVERYTHING = '''\
import functools

@functools.cache
def plain(a, *, b=lambda x: x):
    """Plain."""
    return a

async def later(): ...

class Outer(Base):
    """Class docstring."""

    @property
    def value(self) -> int:
        r"""Raw."""
        return 1

    @value.setter
    def value(self, new): self._value = new

    @functools.cached_property
    def once(self): return 2

    class Inner:
        async def deep(self):
            def local():
                class Hidden:
                    def method(self): pass
            return local

if flag:
    def branch(): pass
elif other:
    def branch(): return 1
else:
    def branch(): return 2

try:
    def attempt(): pass
except Error:
    def attempt(): return 1
finally:
    def cleanup(): pass

match command:
    case "go":
        def go(): pass

with context:
    for item in items:
        while True:
            def loop(): pass
'''

NAMES = [
    ("plain", 0, None),
    ("later", 0, None),
    ("Outer.value", 0, "Outer"),
    ("Outer.value", 0, "Outer"),
    ("Outer.once", 0, "Outer"),
    ("Outer.Inner.deep", 0, "Outer.Inner"),
    ("Outer.Inner.deep.local", 1, None),
    ("Outer.Inner.deep.local.Hidden.method", 2, "Outer.Inner.deep.local.Hidden"),
    ("branch", 0, None),
    ("branch", 0, None),
    ("branch", 0, None),
    ("attempt", 0, None),
    ("attempt", 0, None),
    ("cleanup", 0, None),
    ("go", 0, None),
    ("loop", 0, None),
]


def one(text: str, language: str = "python") -> Function:
    (function,) = find_functions(parse(text, language))
    return function


def test_names_in_source_order() -> None:
    functions = find_functions(parse(EVERYTHING))
    assert [(f.qualified_name, f.nesting, f.enclosing_class) for f in functions] == NAMES
    assert [f.name for f in functions if f.is_property] == ["value", "value", "once"]
    assert [f.name for f in functions if f.is_async] == ["later", "deep"]
    assert functions[0].decorators == ("functools.cache",)
    assert not any(f.broken for f in functions)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", "x = 'é \U0001f600 \u2028'\n", "\f\n", "\t\n# \U00010000\n"])
def test_parts_are_exact(newline: str, before: str) -> None:
    header = "async def f(\n    a: 'é' = {1: 2},\n) -> 'x: y':"
    body = '"""Dóc \U0001f600."""\n    return a'
    text = f"{before}@d(1)\n{header}\n    {body}\n\nx = 1\n".replace("\n", newline)
    parsed = parse(text)
    function = one(text)
    assert function.header.of(text) == header.replace("\n", newline)
    assert function.body.of(text) == body.replace("\n", newline)
    assert function.docstring is not None
    assert function.docstring.of(text) == '"""Dóc \U0001f600."""'
    assert function.span.of(text) == text[text.index("@") : text.index(f"{newline}{newline}x = 1")]
    for offset in range(len(text) + 1):
        assert parsed.offset(parsed.byte(offset)) == offset
        assert parsed.byte(offset) == len(text[:offset].encode())


@pytest.mark.parametrize(
    ("body", "docstring"),
    [
        ('"one"', '"one"'),
        ("u'one'", "u'one'"),
        ("R'''one'''; pass", "R'''one'''"),
        ('"one" "two"', '"one" "two"'),
        ('("one")', None),
        ('b"one"', None),
        ('f"one"', None),
        ('"one" f"two"', None),
        ('"one" + "two"', None),
        ('"one", "two"', None),
        ("x = 'one'", None),
        ("pass; 'one'", None),
        ("# only a comment\n    'one'", "'one'"),
    ],
)
def test_docstrings(body: str, docstring: str | None) -> None:
    text = f"def f():\n    {body}\n"
    span = one(text).docstring
    assert (span.of(text) if span is not None else None) == docstring


BROKEN = [
    ("def f(a):\n", ["f"]),
    ("def f(a):\n    x = (\n\ndef g():\n    return 1\n", ["f", "g"]),
    ("class A:\n    def f(self):\n        return self.\n\n    def g(self):\n        pass\n", ["A.f", "A.g"]),
    ("def f():\n    if\n    return\n\n\ndef g(): pass\n", ["f", "g"]),
    ("def f(:\n    pass\n", ["f"]),
    ("def\n", []),
    ("def (", []),
    ("\0\0def", []),
    ('def f():\n    """never closed', ["f"]),
    ("\ud800\ndef f(): '\udfff'\n", ["f"]),
    ("\ufeffdef f(): pass\n", ["f"]),
    ("", []),
]


@pytest.mark.parametrize(("text", "names"), BROKEN)
def test_broken_code(text: str, names: list[str]) -> None:
    functions = find_functions(parse(text))
    assert [function.qualified_name for function in functions] == names
    assert all(0 <= f.span.start <= f.header.end <= f.body.end <= f.span.end <= len(text) for f in functions)


def test_broken_functions_say_so() -> None:
    first, second = find_functions(parse("def f():\n    x = (\n\ndef g():\n    return 1\n"))
    assert (first.broken, second.broken) == (True, False)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_one(end: str) -> None:
    text = f"# note{end}def f(a):{end}    # note{end}    return a{end}"
    (function,) = find_functions(parse(text))
    assert function.span.of(text) == text[text.index("def") :].rstrip("\r\n")
    assert not function.broken


def test_a_function_and_its_node_are_one() -> None:
    parsed = parse(EVERYTHING)
    for function, node in function_nodes(parsed):
        assert parsed.span(node).start == function.header.start
        docstring = docstring_node(node.child_by_field_name("body"))
        assert (docstring is not None) == (function.docstring is not None)


HOSTILE = [
    ("parentheses", "def f():\n    return " + "(" * 10_000 + ")" * 10_000 + "\n", 1, False),
    ("open parentheses", "def f():\n    return " + "(" * 10_000 + "\n", 0, True),
    ("a chain of attributes", "def f():\n    return a" + ".b" * 20_000 + "\n", 1, False),
    ("a chain of operators", "def f():\n    return " + "+".join("a" * 20_000) + "\n", 1, False),
    ("elif after elif", "if a: pass\n" + "elif b:\n  def f(): 'Doc.'\n" * 2_000, 2_000, False),
    # Python itself stops at 100 levels of indentation, the grammar near 500: what is deeper may be missed.
    ("nested functions", "".join(" " * i + f"def f{i}():\n" for i in range(1_000)) + " " * 1_000 + "pass\n", 500, True),
    ("quotes", '"""' * 10_001, 0, True),
    ("headers without end", "def f(:\n" * 2_000, 2_000, True),
]


@pytest.mark.parametrize(("text", "at_least", "broken"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_nesting(text: str, at_least: int, broken: bool) -> None:
    parsed = parse(text)
    assert len(find_functions(parsed)) >= at_least
    assert parsed.tree.root_node.has_error is broken


def test_hundred_levels_are_all_found() -> None:
    levels = range(99)
    text = "".join("\t" * level + f"def f{level}():\n" for level in levels) + "\t" * 99 + "pass\n"
    assert [function.nesting for function in find_functions(parse(text))] == list(levels)


def test_a_long_file_is_quick() -> None:
    body = "        '''Doc é.'''\n        return [self.x + a * b[i] for i in range(3)]\n"
    method = f"    def method(self, a, b=(1, 2)):\n{body}"

    def seconds(methods: int) -> float:
        text = "class A:\n" + method * methods
        start = time.process_time()
        assert len(find_functions(parse(text))) == methods
        return time.process_time() - start

    # Ten times the text takes about ten times as long; a quadratic step would take a hundred times.
    assert seconds(6_700) < 40 * min(seconds(670) for _ in range(3))


C_CASES = [
    ("int f(int a) { return a; }", ["f"]),
    ("static const char *name(void)\n{\n  return 0;\n}", ["name"]),
    ("int (*pick(int a))(int) { return 0; }", ["pick"]),
    ("#ifdef X\nvoid g(void) {}\n#else\nvoid g(int a) {}\n#endif\nint declared(int);", ["g", "g"]),
    ("int old(a, b) int a; int b; { return a; }", ["old"]),
    ("int f(int a) { return a\n}\nint g(void) { return 1; }", ["f", "g"]),
]


@pytest.mark.parametrize(("text", "names"), C_CASES)
def test_c(text: str, names: list[str]) -> None:
    functions = find_functions(parse(text, "c"))
    assert [function.qualified_name for function in functions] == names
    assert all(f.docstring is None and f.body.of(text).startswith("{") for f in functions)


def test_c_parts() -> None:
    text = "/* é */ static int f(int a)\n{ return a; }\n"
    function = one(text, "c")
    assert function.header.of(text).strip() == "static int f(int a)"
    assert function.body.of(text) == "{ return a; }"


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.py", "python"), ("B.PYI", "python"), ("x.h", "c"), ("x.go", "go"), ("x.txt", None), ("py", None)],
)
def test_language_of(path: str, name: str | None) -> None:
    spec = language_of(path)
    assert (spec.name if spec is not None else None) == name


def test_every_row_of_the_table_loads_or_names_its_wheel() -> None:
    for spec in LANGUAGES:
        try:
            grammar(spec.name)
        except GrammarMissing as error:
            assert f"pip install {spec.module.replace('_', '-')}" in str(error)  # noqa: PT017
    with pytest.raises(KeyError):
        language_named("cobol")
