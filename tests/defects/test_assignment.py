"""Which reads of local names come too early: beside what Python does when the same programs run."""

from __future__ import annotations

import random
import re

import pytest

from codehunch.defects.assignment import unassigned
from codehunch.defects.surroundings import Standing
from codehunch.syntax.parsing import parse

from .programs import program


def early(text: str) -> list[tuple[str, bool]]:
    """Every early read, with whether no path at all has bound the name."""
    parsed = parse(text)
    (node,) = (each for each in parsed.tree.root_node.named_children if each.type == "function_definition")
    found = unassigned(node)
    names = {at: re.match(rb"\w+", parsed.data[at:]) for at in found}
    return [
        (name[0].decode(), found[at] is Standing.UNASSIGNED) for at, name in sorted(names.items()) if name is not None
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return total\n    total = 1", [("total", True)]),
        ("use(total)\n    total = 1", [("total", True)]),
        ("if a: total = 1\n    use(total)", [("total", False)]),
        ("if a: total = 1\n    else: raise E\n    use(total)", []),
        ("if a: total = 1\n    elif b: total = 2\n    use(total)", [("total", False)]),
        ("for each in a: last = each\n    use(last)", [("last", False)]),
        ("for each in a: use(last); last = each", [("last", False)]),
        ("while True:\n        found = a()\n        if found: break\n    use(found)", []),
        ("try: value = a()\n    except E: use(value)", [("value", True)]),
        ("try: value = a(); b()\n    except E: use(value)", [("value", False)]),
        ("try: pass\n    except E as error: pass\n    use(error)", [("error", True)]),
        ("try: value = a()\n    finally: use(value)", [("value", False)]),
        ("with suppress(E): import a_module\n    use(a_module)", [("a_module", False)]),
        ("with a as handle: pass\n    use(handle)", []),
        ("match a:\n        case [first]: pass\n        case _: first = 1\n    use(first)", []),
        ("match a:\n        case [first]: pass\n    use(first)", [("first", False)]),
        ("total += 1", [("total", True)]),
        ("for each in a: total += each\n    return total", [("total", True), ("total", True)]),
        ("for each in a:\n        if b: total = 0\n        total += each", [("total", False)]),
        ("while a:\n        total += 1\n    else: total = 0\n    use(total)", [("total", False)]),
        ("try: total += 1\n    except E: use(total)", [("total", True), ("total", True)]),
        ("x: int\n    use(x)\n    x = 1", [("x", True)]),
        ("x = 1\n    del x\n    use(x)", [("x", True)]),
        ("del a['x']\n    use(a)", []),
        ("use([y for y in a if y], y)\n    y = 1", [("y", True)]),
        ("use({y: z for y in a if (z := y)})", []),
        ("use(z if (z := a) else 0)", []),
        ("use(lambda: later)\n    later = 1", []),
        ("def inner(): return later\n    later = 1", []),
        ("def inner(x=later): pass\n    later = 1", [("later", True)]),
        ("def inner():\n        use(own)\n        own = 1\n    return inner", [("own", True)]),
        ("global shared\n    use(shared)\n    shared = 1", []),
        ("if a: sys.exit()\n    else: x = 1\n    use(x)", []),
        ("use(f'{later}')\n    later = 1", [("later", True)]),
        ("use(later=1, other=later)\n    later = 1", [("later", True)]),
        ("a.later = a.later\n    later = 1", []),
    ],
)
def test_early_reads(body: str, expected: list[tuple[str, bool]]) -> None:
    assert early(f"def f(a, b):\n    {body}\n") == expected


def test_deep_and_broken_code_is_read() -> None:
    levels = (f"{' ' * (4 * level + 4)}if a{level}:\n" for level in range(90))
    deep = "def f():\n" + "".join(levels) + " " * 400 + "x = 1\n"
    assert early(deep + "    use(x)\n") == [("x", False)]
    assert early("def f():\n    x = (\n    use(x\n") is not None
    chain = " = ".join(f"v{number}" for number in range(2000))
    assert early(f"def f():\n    {chain}\n") == []
    assert early(f"def f():\n    late = {' = '.join(['a'] * 2000)} = late\n") == [("late", True)]
    assert early("def f():\n    use(" + "(a := " * 1500 + "late" + ")" * 1500 + ", a)\n    late = 1\n") == [
        ("late", True)
    ]


KINDS = ("use", "use", "bind", "if", "for", "while", "try", "del", "leave", "suppress", "risk", "more")


def statement(kind: str, name: str, line: int) -> str:
    """One that binds or reads a name; reads are numbered by where they stand."""
    return {
        "use": f"seen.append(({line}, {name}))",
        "bind": f"{name} = 1",
        "del": f"del {name}",
        "risk": f"{name} = risky()",
        # ``coin``: read right after a store, CPython 3.11 blames the line of the store.
        "more": f"coin; {name} += seen.append(({line}, {name})) or 1",
    }[kind]


def runs(text: str, rng: random.Random) -> tuple[set[int], set[int]]:
    """Lines whose read succeeded, and lines whose read failed, over many runs of a program."""
    compiled = compile(text, "program", "exec")
    fine, failed = set(), set()

    class Risk(ValueError):
        pass

    def risky() -> int:
        if rng.random() < 0.5:
            raise Risk
        return 1

    from contextlib import suppress

    for _ in range(60):
        seen: list[tuple[int, object]] = []
        scope = {
            "seen": seen, "coin": lambda: rng.random() < 0.5, "risky": risky, "suppress": suppress,
            "coins": lambda line: range(rng.randrange(3)), "x": 1, "y": 1,
        }  # fmt: skip
        exec(compiled, scope)
        try:
            scope["f"]()
        except Risk:
            pass
        except UnboundLocalError as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            assert trace is not None
            failed.add(trace.tb_lineno - 2)
        fine.update(line for line, _ in seen)
    return fine, failed


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_read_as_they_run(seed: int) -> None:
    """What is called unassigned never runs, and what runs into it was called at least perhaps unassigned."""
    rng = random.Random(seed)
    called = {True: 0, False: 0}
    for _ in range(25):
        lines = program(rng, 3, statement, KINDS)
        text = "def f():\n" + "\n".join(lines) + "\n"
        parsed = parse(text)
        found: dict[int, bool] = {}
        for at, standing in unassigned(parsed.tree.root_node.named_children[0]).items():
            found[parsed.data[:at].count(b"\n") - 1] = standing is Standing.UNASSIGNED
        fine, failed = runs(text, rng)
        for line in fine:
            assert found.get(line) is not True, (line, text)
        for line in failed:
            assert line in found, (line, text)
            called[found[line]] += 1
    assert all(called.values())
