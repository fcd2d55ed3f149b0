"""Which values of local names nothing reads: beside what Python does when the same programs run."""

from __future__ import annotations

import random
import re

import pytest

from codehunch.defects.liveness import unread
from codehunch.syntax.parsing import parse

from .programs import program


def unread_in(text: str) -> list[str]:
    """Every name that gets a value nothing reads, with its line; the header is line 0."""
    parsed = parse(text)
    (node,) = (each for each in parsed.tree.root_node.named_children if each.type == "function_definition")
    found = []
    for at in sorted(unread(node)):
        name = re.match(rb"\w+", parsed.data[at:])
        assert name is not None
        found.append(f"{name[0].decode()}:{parsed.data[:at].count(10)}")
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x = 1", ["x:1"]),
        ("x = 1\n    x = 2\n    return x", ["x:1"]),
        ("x = 1\n    x += 1", []),
        ("x = 1\n    x = x + 1\n    return x", []),
        ("x = y = a\n    return y", ["x:1"]),
        ("x, (y, *z) = a\n    return y", ["x:1", "z:1"]),
        ("x[0] = a.b = 1", []),
        ("x: int = 1", ["x:1"]),
        ("x: int", []),
        ("if a: x = 1\n    else: x = 2\n    return x", []),
        ("x = 1\n    if a: x = 2\n    else: x = 3\n    return x", ["x:1"]),
        ("x = 1\n    if a: x = 2\n    elif b: pass\n    return x", []),
        ("x = 1\n    if a: return 0\n    return x", []),
        ("for x in a: pass", ["x:1"]),
        ("for x in a: use(x)\n    x = 1", ["x:2"]),
        ("last = 0\n    for x in a:\n        use(last)\n        last = x", []),
        ("while a:\n        x = 1\n        break\n    return x", []),
        ("while a:\n        x = 1\n        continue", ["x:2"]),
        ("for _ in a:\n        x = 1\n        if b: break\n    else: x = 2\n    return x", ["_:1"]),
        ("while a:\n        if b: break\n        x = 1\n    else: x = 2\n    return x", []),
        ("try:\n        for y in a: b(y); x = y\n    except E: return x", []),
        ("try: x = a()\n    except E: return x", ["x:1"]),
        ("try: x = a(); b()\n    except E: return x", []),
        ("x = 1\n    try: x = a()\n    except E: pass\n    return x", []),
        ("try: a()\n    except E as error: pass", ["error:2"]),
        ("try: return a()\n    finally: use(b)", []),
        ("try:\n        x = 1\n        return a()\n    finally: use(x)", []),
        ("while a:\n        try:\n            x = 1\n            break\n        finally: use(b)\n    return x", []),
        ("with a as x: pass", ["x:1"]),
        ("with a as x, x.b as y: use(y)", []),
        ("match a:\n        case [x]: y = 1", ["y:2"]),
        ("x = 1\n    return lambda: x", []),
        ("x = 1\n    def g(): return x\n    return g", []),
        ("def g(y): return 1\n    return g", ["y:1"]),
        ("x = 1\n    return [x for y in a]", []),
        ("global x\n    x = 1", []),
        ("x = 1\n    return locals()", []),
        ("x = 1\n    del x", []),
        ("x = 1\n    return f'{x}'", []),
        ("x = 1\n    use(x=2)\n    a.x", ["x:1"]),
        ("if (x := a): pass", []),
    ],
)
def test_unread_values(body: str, expected: list[str]) -> None:
    assert unread_in(f"def f(self):\n    {body}\n") == expected


def test_parameters() -> None:
    assert unread_in("def f(self, a, b=1, *c, d: int, e: int = 2, **g):\n    return a\n") == [
        "b:0", "c:0", "d:0", "e:0", "g:0",
    ]  # fmt: skip
    assert unread_in("def f(a, /, *, b): ...\n") == ["a:0", "b:0"]
    assert unread_in("def f(a):\n    a = 1\n    return a\n") == ["a:0"]


def test_deep_and_broken_code_is_read() -> None:
    levels = (f"{' ' * (4 * level + 4)}if a{level}:\n" for level in range(90))
    assert unread_in("def f():\n" + "".join(levels) + " " * 400 + "x = 1\n    return x\n") == []
    assert unread_in("def f():\n    x = (\n    use(x\n") is not None
    chain = " = ".join(f"v{number}" for number in range(400))
    assert len(unread_in(f"def f():\n    {chain} = 1\n")) == 400
    assert unread_in(f"def f():\n    late = {' = '.join(['a'] * 3000)} = late\n") is not None
    clauses = "".join(f"    elif a == {number}: x = {number}\n" for number in range(3000))
    assert unread_in(f"def f(a):\n    if a: x = 1\n{clauses}    return x\n") == []


KINDS = ("bind", "bind", "use", "both", "if", "for", "while", "try", "leave", "suppress", "risk", "handle")


def statement(kind: str, name: str, line: int) -> str:
    """One whose value is the number of its line, or that notes what it reads."""
    return {
        "bind": f"{name} = {line}",
        "use": f"noted({name}, 0)",
        "both": f"{name} = noted({'xy'[line % 2]}, {line})",
        "risk": f"{name} = risky({line})",
    }[kind]


def reads_of_runs(text: str, rng: random.Random) -> set[int]:
    """Lines whose values were read in many runs of a program."""
    from contextlib import contextmanager, suppress

    compiled = compile(text, "program", "exec")
    read: set[int] = set()

    def noted(value: int, line: int) -> int:
        read.add(value)
        return line

    def risky(line: int) -> int:
        if rng.random() < 0.5:
            raise ValueError
        return line

    @contextmanager
    def handle(line: int):
        with suppress(ValueError):
            yield line

    for _ in range(60):
        scope = {
            "noted": noted, "coin": lambda: rng.random() < 0.5, "risky": risky, "suppress": suppress, "handle": handle,
            "coins": lambda line: [line] * rng.randrange(3),
        }  # fmt: skip
        exec(compiled, scope)
        with suppress(ValueError, UnboundLocalError):
            scope["f"](-1, -2)
    return read


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_read_no_value_that_is_called_unread(seed: int) -> None:
    rng = random.Random(seed)
    called = checked = 0
    for _ in range(25):
        lines = program(rng, 3, statement, KINDS)
        text = "def f(x, y):\n" + "\n".join(lines) + "\n"
        parsed = parse(text)
        found = {parsed.data[:at].count(b"\n") - 1 for at in unread(parsed.tree.root_node.named_children[0])}
        read = reads_of_runs(text, rng)
        assert not {line for line in found if line >= 0} & read, text
        called += len(found)
        checked += len(read)
    assert called > 20
    assert checked > 20
