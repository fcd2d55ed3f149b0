"""Whatever a program is, its run ends, holds little, and reaches nothing outside of itself."""

from __future__ import annotations

import ast
import threading
import tracemalloc
from typing import Any

import pytest

from codehunch.interpreter.program import Outcome, Program
from codehunch.interpreter.running import MOST_ITEMS, STEPS

ENDLESS = [
    "while True: pass",
    "while True: n += 1",
    "return f(n)",
    "return f(n + 1) + f(n + 2)",
    "return [x for x in iter(int, 1)]",
    "import itertools\n    return list(itertools.count())",
    "import itertools\n    return sum(itertools.repeat(1))",
    "import itertools\n    return list(itertools.cycle([1]))",
    "import itertools\n    return list(itertools.permutations(range(20)))",
    "import itertools\n    return list(itertools.product(range(100), repeat=90))",
    "import itertools\n    return list(itertools.accumulate(itertools.repeat('ab')))",
    "return sum(range(10**15))",
    "return list(range(10**15))",
    "return max(range(10**15))",
    "return 10**15 - 1 in iter(range(10**15))",
    "return {*range(10**15)}",
    "a, *b = range(10**15)\n    return b",
    "return ''.join('x' for _ in range(10**15))",
    "for x in range(10**15):\n        n += x\n    return n",
    "g = lambda h: h(h)\n    return g(g)",
    "a = [1]\n    for x in a: a.append(x)",
    "return sorted(range(10**9), key=lambda x: -x)",
]
ENDLESS += [
    f"import re\n    return re.{name}(r{pattern!r}, 'a' * 60 + '!')"
    for name in ("match", "search", "fullmatch", "findall", "split")
    for pattern in (
        "(a+)+b",
        "(a|a)*b",
        "(a|ab)(c|bcd)*(d*)*x",
        "([a-z]+)*$",
        "(?:x?a+)+$",
        "((a*))*b",
        "(a*){20}b",
        "(a?){60}b",
        "(?=(a+))+b",
        "(.+)\\1+\\1+b",
        "(?P<x>a+)(?P=x)+b",
        "(a)?(?(1)a+|b)+c",
        "a*a*a*a*a*a*b",
        ".*.*.*.*=",
        "a?" * 60 + "b",
        "a{0,9}" * 20 + "b",
        "(?x) ( a + ) +",
    )
]
LARGE = [
    "return 10**10**10",
    "return 1 << 10**10",
    "return (n + 3) ** 10**9",
    "x = 3\n    while True: x *= x",
    "x = 3\n    for _ in range(10**4): x = x ** 2",
    "import math\n    return math.factorial(10**9)",
    "import math\n    return math.comb(10**9, 10**8)",
    "import math\n    return math.perm(10**9, 10**8)",
    "import math\n    return math.prod([10**4000] * 10**4)",
    "import math\n    return math.lcm(*[10**4000 + k for k in range(10**4)])",
    "return pow(3, 10**10**4)",
    "return pow(3, 2**19000, 2**19000 + 1)",
    "return [0] * 10**12",
    "return 'x' * 10**12",
    "return (0,) * 10**12",
    "x = [0]\n    while True: x += x",
    "x = 'x'\n    while True: x = x + x",
    "x = 'x'\n    while True: x = x.replace('x', 'xx')",
    "x = [0]\n    while True: x.extend(x)",
    "x = [0]\n    for _ in range(50): x *= 2",
    "return 'x'.center(10**12)",
    "return 'x'.zfill(10**12)",
    "return 'x'.ljust(10**12, '.')",
    "return '\\t'.expandtabs(10**12)",
    "return ('x' * 9000).join(['y'] * 9000)",
    "return ('x' * 9000).replace('x', 'y' * 9000)",
    "return ('x' * 9000).translate({120: 'y' * 9000})",
    "return f'{n:1000000000000}'",
    "return f'{n:{10**12}}'",
    "return f'{1.5:.999999999f}'",
    "return '%1000000000000d' % n",
    "return '%*d' % (10**12, n)",
    "return '{:1000000000000}'.format(n)",
    "return '{:{}}'.format(n, 10**12)",
    "return format(n, '1000000000000')",
    "return bytes(10**12)",
    "return round(1.5, 10**9)",
    "from collections import Counter\n    return list(Counter({'x': 10**12}).elements())",
    "from collections import deque\n    return deque([0]) * 10**12",
    "import re\n    return re.sub('', 'x' * 9000, 'y' * 9000)",
    "import re\n    return re.sub('(y+)', r'\\1' * 200, 'y' * 900)",
    "import re\n    return re.sub('y', lambda m: 'x' * 9000, 'y' * 9000)",
    "import textwrap\n    return textwrap.indent('\\n'.join('x' * 9000), 'y' * 9000)",
    "import textwrap\n    return textwrap.fill('\\t' * 900, tabsize=10**9)",
    "import json\n    return json.loads('[' * 3000)",
    "import json\n    return json.dumps(n, indent=10**9)",
    "x = []\n    for _ in range(60): x = [x, x]\n    return repr(x)",
    "x = []\n    for _ in range(60): x = [x, x]\n    return x",
    "x, y = [], []\n    for _ in range(60): x, y = [x, x], [y, y]\n    return x == y",
    "x, y = [], []\n    for _ in range(60): x, y = [x, x], [y, y]\n    return [x].count(y)",
    "x, y = [], []\n    for _ in range(60): x, y = [x, x], [y, y]\n    return x in [y]",
    "x = ()\n    for _ in range(60): x = (x, x)\n    return {x}",
    "x = ()\n    for _ in range(20000): x = (x,)\n    return {x: 1}",
    "x = ()\n    for _ in range(20000): x = (x,)\n    return set([x])",
    "x = [()]\n    for _ in range(20000): x[0] = (x[0],)\n    return set(x)",
    "from functools import reduce\n    return {reduce(lambda a, b: (a,), range(20000))}",
    "x = []\n    for _ in range(20000): x = [x]\n    return x == [x]",
    "x = []\n    x.append(x)\n    return x == [x], repr(x)",
    "x = {}\n    x['x'] = x\n    return x",
]  # fmt: skip
OUTSIDE = [
    "return open('x')",
    "return eval('1')",
    "return exec('1')",
    "return compile('1', '', 'eval')",
    "return __import__('os')",
    "import os\n    return os.getcwd()",
    "import subprocess\n    return subprocess.run(['true'])",
    "from os import *\n    return getcwd()",
    "from . import x\n    return x()",
    "return globals()",
    "return locals()",
    "return vars(n)",
    "return dir(n)",
    "return getattr(n, '__class__')",
    "return getattr(getattr, 'compute')",
    "return input()",
    "print(n)",
    "return id(n)",
    "return ().__class__",
    "return ().__class__.__bases__[0].__subclasses__()",
    "return n.__class__",
    "return (lambda: 0).__globals__",
    "return f.__code__",
    "return type(n).mro()",
    "return type('X', (), {})",
    "return type(f)",
    "return '{0.__class__}'.format(n)",
    "return '{0[0]}'.format([n])",
    "return str(f)",
    "return f'{len}'",
    "return [].append.__self__",
    "import math\n    return math.__loader__",
    "import sys\n    return sys.modules",
    "import random\n    return random.random()",
    "import time\n    return time.time()",
    "global x\n    x = n",
    "class A(type): pass\n    return A",
    "class A(dict): pass\n    return A",
    "class A(metaclass=M): pass\n    return A",
    "with n: pass",
    "return {1, 2}.pop()",
    "return str({1, 2})",
    "raise KeyboardInterrupt",
    "raise SystemExit(1)",
    "raise MemoryError",
    "async def g(): pass",
    "try:\n        return open('x')\n    except Exception:\n        return 1\n    finally:\n        n = 2",
    "...",
]


def _outcome(body: str) -> Outcome:
    text = f"def f(n):\n    {body}\n"
    ast.parse(text)
    return Program([text]).call("f", (3,))


@pytest.mark.parametrize("body", ENDLESS)
def test_what_does_not_end_is_undecided(body: str) -> None:
    assert _outcome(body).undecided


@pytest.mark.parametrize("body", LARGE)
def test_what_grows_without_end_is_undecided(body: str) -> None:
    tracemalloc.start()
    try:
        outcome = _outcome(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.undecided, outcome
    assert peak < 64 * 2**20


@pytest.mark.parametrize("body", OUTSIDE)
def test_nothing_leads_outside(body: str) -> None:
    assert _outcome(body).undecided


def test_nothing_of_it_is_run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even what stands outside of functions, and what a called function only seems to be."""
    monkeypatch.chdir(tmp_path)
    made = "__import__('pathlib').Path('made').touch()"
    program = Program([f"{made}\n", f"K = {made}\n", "def g(x={made}):\n    return K\n", "def f(n):\n    return g()\n"])
    assert program.call("f", (1,)).undecided
    assert not (tmp_path / "made").exists()


def test_a_small_stack_is_enough() -> None:
    """A thread of some systems has no more."""
    bodies = [each for each in (*ENDLESS, *LARGE) if "20000" in each or "f(" in each or "g(g)" in each]
    found: list[Outcome] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.extend(map(_outcome, bodies)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert [each.undecided for each in found] == [each.undecided for each in map(_outcome, bodies)]


def test_what_is_called_when_the_file_is_read_may_change_it() -> None:
    texts = ["K = [1]\n", "def g(x):\n    h(x)\n", "def h(x):\n    push(K, x)\n", "def f(n):\n    return K\n"]
    assert Program(texts).call("f", (1,)).value == [1]
    assert Program([*texts, "if __name__ == '__main__':\n    g(1)\n"]).call("f", (1,)).value == [1]
    assert Program([*texts, "g(1)\n"]).call("f", (1,)).undecided
    assert Program([*texts, "for x in range(3):\n    g(x)\n"]).call("f", (1,)).undecided


@pytest.mark.parametrize(
    "change",
    [
        "def h(x):\n    K.append(x)\n",
        "def h(x):\n    K[0] = x\n",
        "def h(x):\n    global K\n    K += [x]\n",
        "class C:\n    def h(self):\n        K.clear()\n",
        "def h(x, into=K):\n    into.append(x)\n",
    ],
)
def test_what_others_may_call_to_change_a_value_leaves_it_open(change: str) -> None:
    texts = ["K = [1]\n", "def f(n):\n    return K\n"]
    assert Program(texts).call("f", (1,)).decided
    assert Program([*texts, change]).call("f", (1,)).undecided


@pytest.mark.parametrize("statement", ["K.append(1)\n", "K[0] = 2\n", "for K in []: pass\n", "use(K)\n", "K = [2]\n"])
def test_a_constant_that_the_file_may_change_is_none(statement: str) -> None:
    program = Program(["K = [1]\n", statement, "def f(n):\n    return K\n"])
    assert program.call("f", (1,)).undecided
    assert Program(["K = [1]\n", "def f(n):\n    return K\n"]).call("f", (1,)).value == [1]


@pytest.mark.parametrize(
    "texts",
    [
        ["def f(n):\n    return n\n", "def f(n):\n    return 1\n"],
        ["def f(n):\n    return (\n"],
        ["class f:\n    pass\n"],
        ["f = 3\n"],
        ["if 1:\n    def f(n):\n        return n\n"],
        ["@decorated\ndef f(n):\n    return n\n"],
        ["async def f(n):\n    return n\n"],
        [],
        ["def f(n):\n    return n" + " + 1" * 20_000],
        ["def f(n):\n    return " + "-" * 5_000 + "n\n"],
        ["def f(n):\n    return 1  # " + "x" * 50_000],
        ["\0"],
        ["def f(n): return '\ud800'"],
    ],
)
def test_a_file_that_says_too_little_is_undecided(texts: list[str]) -> None:
    assert Program(texts).call("f", (1,)).undecided


@pytest.mark.parametrize(
    ("constant", "use"),
    [
        ("K = []\n", "K.append(n)\n    return len(K)"),
        ("K = {}\n", "K[n] = K.get(n, 0) + 1\n    return K[n]"),
        ("K = {'a': [1]}\n", "K['a'][0] += 1\n    return K['a']"),
        ("import itertools\nK = itertools.count()\n", "return next(K)"),
        ("K = iter('ab')\n", "return next(K)"),
    ],
)
def test_what_one_call_leaves_for_the_next_is_undecided(constant: str, use: str) -> None:
    texts = constant.splitlines(keepends=True)
    assert Program([*texts, f"def f(n):\n    {use}\n"]).call("f", (1,)).undecided


def test_a_table_of_functions_is_no_state() -> None:
    program = Program(["import operator\n", "K = {'+': operator.add}\n", "def f(n):\n    return K['+'](n, 1)\n"])
    assert program.call("f", (1,)).value == 2


def test_arguments_stay_as_they_were() -> None:
    given = [3, 1, 2]
    assert Program(["def f(a):\n    a.sort()\n    return a\n"]).call("f", (given,)).value == [1, 2, 3]
    assert given == [3, 1, 2]


def test_the_order_of_a_set_is_no_secret() -> None:
    program = Program(["def f(a):\n    return list(set(a))\n"])
    there = program.call("f", ([3, 1, 2],)).value
    back = program.call("f", ([3, 1, 2],), backwards=True).value
    assert there == back[::-1] == [1, 2, 3]


def test_nobody_counts_on_the_hash_of_a_text() -> None:
    program = Program(["def f(n):\n    return hash(n) % 100_003\n"])
    assert program.call("f", ("x",)).value != program.call("f", ("x",), backwards=True).value


def test_less_effort_ends_sooner() -> None:
    text = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
    program = Program([text])
    outcome = program.call("f", (1000,))
    assert outcome.value == sum(range(1000))
    assert outcome.lines == {2, 3, 4, 5}
    assert program.call("f", (1000,), steps=outcome.steps).decided
    assert program.call("f", (1000,), steps=outcome.steps - 1).undecided
    assert program.call("f", (STEPS,)).undecided
    assert program.call("f", (MOST_ITEMS // 2,)).decided
