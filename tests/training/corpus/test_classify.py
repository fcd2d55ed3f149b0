"""From two versions of a function to a kind, its wrong lexemes, and where the fix could have been read."""

from __future__ import annotations

import textwrap

import pytest

from codehunch.defects.kinds import kind_named
from codehunch.defects.spelling import misspelt
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.classify import classify
from codehunch_training.corpus.difference import differences, reduce_node
from codehunch_training.corpus.messages import promises_fix
from codehunch_training.corpus.snippets import function_definitions
from codehunch_training.corpus.verdict import FileWords, NotADefect, Verdict, names_of, words_of


def verdict_of(before: str, after: str) -> tuple[Verdict, bytes]:
    old, new = (parse(textwrap.dedent(text)) for text in (before, after))
    one, two = (next(function_definitions(parsed.tree.root_node)) for parsed in (old, new))
    program = reduce_node(one)
    words = FileWords(names_of(program), words_of(old.data), words_of(new.data))
    return classify(differences(program, reduce_node(two)), words), old.data


HEAD = "def f(self, a, b, c, limit, items):\n    "

KINDS = [
    # body before, body after, kind, wrong lexemes, evidence
    ("return g(a, b)", "return g(c, b)", "variable-misuse", ["a"], "function"),
    ("return a.x * a.x + g(a.y)", "return a.x * a.y + g(a.y)", "wrong-attribute", ["x"], "function"),
    ("return a.x + b.y", "return a.y + b.y", "wrong-attribute", ["x"], "file"),
    ("self.limit = self.limit", "self.limit = limit", "wrong-attribute", ["limit"], "function"),
    ("return a.x", "return a", "wrong-attribute", ["x"], "file"),
    ("return a < limit", "return a <= limit", "wrong-comparison", ["<"], "file"),
    ("return a is None", "return a is not None", "wrong-comparison", ["is"], "function"),
    ("return a in items", "return a not in items", "wrong-comparison", ["in"], "function"),
    ("return a and b", "return a or b", "wrong-boolean-operator", ["and"], "function"),
    ("return a + b * c", "return a + b / c", "wrong-binary-operator", ["*"], "file"),
    ("a = b", "a += b", "wrong-binary-operator", ["="], "file"),
    ("if a:\n        return b", "if not a:\n        return b", "wrong-negation", ["a"], "function"),
    ("return not a", "return a", "wrong-negation", ["not"], "function"),
    ("return g(a, b)", "return g(b, a)", "argument-swap", ["a", "b"], "file"),
    ("return True", "return False", "wrong-literal", ["True"], "file"),
    ("return g('quite')", "return g('quiet')", "wrong-literal", ["'quite'"], "file"),
    ("return items[0] + items[2]", "return items[1] + items[2]", "off-by-one", ["0"], "file"),
    ("return items[1:]", "return items[2:]", "off-by-one", ["1"], "function"),
    ("return items[a]", "return items[a - 1]", "off-by-one", ["a"], "file"),
    ("return range(a + 1)", "return range(a)", "off-by-one", ["+"], "file"),
    ("return a.startswith(b)", "return a.endswith(b)", "wrong-call", ["startswith"], "function"),
    ("return a.close", "return a.close()", "missing-call-parentheses", ["close"], "function"),
    ("g(a)", "return g(a)", "missing-return", ["g"], "function"),
    ("a = b", "a = b\n    return a", "missing-return", ["b"], "file"),
    ("if a: return b\n    c = a", "if a: return b\n    c = a\n    return c", "missing-return", ["a"], "function"),
    ("ValueError(a)", "raise ValueError(a)", "missing-raise", ["ValueError"], "function"),
    ("return limit", "return self.limit", "missing-self", ["limit"], "file"),
    ("return '{a} of {b}'", "return f'{a} of {b}'", "missing-f-prefix", ["'{a} of {b}'"], "function"),
    ("x = a.pop()\n    return g(x, b)", "x = a.pop()\n    return g(x, b.pop())", "missing-call", ["b"], "file"),
    ("self.a = a", "super().__init__()\n    self.a = a", "missing-call", ["self"], "elsewhere"),
    ("return a > b", "return a < b", "wrong-comparison", [">"], "function"),
    ("return g('miximum', maximum)", "return g('maximum', maximum)", "wrong-literal", ["'miximum'"], "function"),
    ("return g(a, 3)", "return g(a, limit)", "wrong-literal", ["3"], "function"),
    ("return items[1:a]", "return items[1:a - 1]", "off-by-one", ["a"], "function"),
    ("return range(len(a) + 1)", "return range(len(a))", "off-by-one", ["+"], "function"),
    ("g(self.limit)\n    return limit", "g(self.limit)\n    return self.limit", "missing-self", ["limit"], "function"),
    ("h(items)", "h(*items)", "missing-star", ["items"], "function"),
    ("x = h(*items)", "x = h(items)", "wrong-statement", ["*"], "file"),
    ("return g(a)", "return g(a, b)", "missing-argument", ["g"], "function"),
    ("return g(a, x=0)", "return g(a, x=limit)", "wrong-literal", ["0"], "function"),
    ("return g(a, 'b')", "return g(a, b)", "wrong-literal", ["'b'"], "function"),
    ("return g(a, b)", "return g(a)", "wrong-call", ["b"], "file"),
    ("return g(a)", "return g(*a)", "missing-star", ["a"], "function"),
    ("return a.recieve()\n    a.receive", "return a.receive()\n    a.receive", "wrong-call", ["recieve"], "function"),
    ("if a:\n        return b", "if a and c:\n        return b", "wrong-statement", ["a"], "file"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "kind", "wrong", "evidence"), KINDS)
def test_kinds(before: str, after: str, kind: str, wrong: list[str], evidence: str) -> None:
    verdict, data = verdict_of(HEAD + before + "\n", HEAD + after + "\n")
    assert verdict.kind == kind
    assert kind_named(verdict.kind)
    assert [data[start:end].decode() for start, end in verdict.spans] == wrong
    assert verdict.evidence == evidence


def test_missing_await() -> None:
    verdict, data = verdict_of("async def f(a):\n    b = a.read()\n", "async def f(a):\n    b = await a.read()\n")
    assert verdict.kind == "missing-await"
    assert [data[start:end] for start, end in verdict.spans] == [b"a"]


REJECTED = [
    ("return a", "return a  # why", "comments, docstrings, annotations or layout"),
    ("return g(a,b)", "return (g(a, b,))", "comments, docstrings, annotations or layout"),
    ("return 'a'", 'return "a"', "comments, docstrings, annotations or layout"),
    ("x: int = a", "x: str = a", "comments, docstrings, annotations or layout"),
    ('"""One."""\n    return a', '"""Two."""\n    return a', "comments, docstrings, annotations or layout"),
    ("log.info('went %s', a)", "log.info('gone %s', a)", "message text"),
    ("raise ValueError('bad value for it')", "raise ValueError('wrong value for it')", "message text"),
    ("return a == None", "return a is None", "style of comparison"),
    ("return not a in b", "return a not in b", "style of comparison"),
    ("return a.iteritems()", "return a.items()", "Python 2 to 3"),
    ("return unicode(a)", "return str(a)", "Python 2 to 3"),
    ("return u'%s' % a", "return '%s' % a", "comments, docstrings, annotations or layout"),
    ("return b'x'", "return 'x'", "string prefix"),
    ("x = a\n    return x + x", "y = a\n    return y + y", "rename"),
    ("return a.colour", "return a.hue", "name new to the file"),
    ("return open(a, timeout=10)", "return open(a, timeout=30)", "configuration"),
    ("return g(key=a)", "return g(name=a)", "keyword argument renamed"),
    ("return g(a)", "x = a.b.c.d\n    y = x.e.f\n    return h(x, y, a, b, c)", "several statements"),
    ("a = 1", "if b:\n        c = 2\n    a = 1", "inserted block"),
]


@pytest.mark.parametrize(("before", "after", "reason"), REJECTED)
def test_rejections(before: str, after: str, reason: str) -> None:
    with pytest.raises(NotADefect, match=reason):
        verdict_of(HEAD + before + "\n", HEAD + after + "\n")


def test_a_rename_in_the_whole_file_is_no_defect() -> None:
    before = "class A:\n  def f(self):\n    return self.size\n  def g(self):\n    return self.size + self.length\n"
    after = before.replace("size", "length")
    with pytest.raises(NotADefect, match="rename"):
        verdict_of(before, after)


def test_a_changed_signature_is_no_defect() -> None:
    with pytest.raises(NotADefect, match="signature"):
        verdict_of("def f(a, b=1):\n    return a\n", "def f(a, b=2):\n    return a\n")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (b"recieve", b"receive", True),
        (b"startswitch", b"startswith", True),
        (b"lenght", b"length", True),
        (b"size", b"side", True),
        (b"name", b"mane_x", False),
        (b"abc", b"abd", False),
        (b"same", b"same", False),
        (b"first", b"third", False),
    ],
)
def test_misspelt(a: bytes, b: bytes, expected: bool) -> None:
    assert misspelt(a, b) is expected
    assert misspelt(b, a) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Fix wrong variable in the loop", True),
        ("Handle empty input\n\nFixes a crash when nothing is given.", True),
        ("off-by-one in range", True),
        ("#123: take the other branch", True),
        ("AttributeError when closing twice", True),
        ("Fix typo in docs", False),
        ("Fix flake8 errors", False),
        ("Fix Python 3 error", False),
        ("rename variable to fix shadowing", False),
        ("Revert 'Fix crash'", False),
        ("Improve error messages", False),
        ("Add a feature", False),
        ("docs: correct the example", False),
        ("", False),
    ],
)
def test_messages(message: str, expected: bool) -> None:
    assert promises_fix(message) is expected
