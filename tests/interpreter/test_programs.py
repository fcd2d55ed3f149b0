"""The interpreter does what Python does, or says that it cannot tell."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from codehunch.interpreter.program import Program
from codehunch.syntax.sections import cut_at, section_starts

PROGRAMS = [
    # Names, calls and scopes
    ("def g(a, b=2, *rest, c, d=4, **more):\n    return a, b, rest, c, d, more\n"
     "def f(n):\n    return g(n, c=1), g(n, 5, 6, 7, c=1, d=2, z=3), g(*[n, n], **{'c': n, 'q': 0})", [(1,)]),
    ("def g(a, *, b):\n    return a\ndef f(n):\n    return g(n)", [(1,)]),
    ("def g(a):\n    return a\ndef f(n):\n    return g(n, a=n)", [(1,)]),
    ("def f(n):\n    def g(k):\n        nonlocal n\n        n += k\n        return n\n    return g(1), g(2), n",
     [(5,)]),
    ("def f(n):\n    return [g() for g in [lambda: i for i in range(n)]]", [(3,)]),
    ("def f(n):\n    return [g() for g in [lambda i=i: i for i in range(n)]]", [(3,)]),
    ("def f(n):\n    if n:\n        value = 1\n    return value", [(0,), (1,)]),
    ("K = [1, 2]\nM = {k: len(K) for k in K}\ndef f(n):\n    return M.get(n), K[-1]", [(1,), (7,)]),
    ("def g(n, seen=[]):\n    seen.append(n)\n    return seen\ndef f(n):\n    return g(n), g(n + 1)", [(1,), (2,)]),
    ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)", [(0,), (20,)]),
    ("def f(n):\n    return g(n) + g(g(n))\ndef g(k):\n    return k * 2", [(3,)]),
    ("from functools import lru_cache\n@lru_cache(None)\ndef g(n):\n    return n if n < 2 else g(n - 1) + g(n - 2)\n"
     "def f(n):\n    return g(n)", [(12,)]),
    ("def f(a):\n    first, *middle, last = a\n    return first, middle, last", [([1, 2, 3, 4],), ([1],), ("abc",)]),
    ("def f(a):\n    (x, y), z = a\n    return x + y + z", [(((1, 2), 3),), (((1, 2, 3), 3),)]),
    ("def f(n):\n    if (half := n // 2) > 2:\n        return half\n    return -half", [(10,), (3,)]),
    ("def f(a, /, b):\n    return a - b", [(5, 3)]),
    # Statements
    ("def f(n):\n    for i in range(n):\n        if i == 3:\n            break\n    else:\n        return 'all'\n"
     "    return i",
     [(2,), (9,)]),
    ("def f(n):\n    total = 0\n    while n:\n        n -= 1\n        if n % 2:\n            continue\n"
     "        total += n\n    else:\n        total = -total\n    return total",
     [(7,), (0,)]),
    ("def f(a):\n    try:\n        return a[3] / a[0]\n    except (IndexError, KeyError) as error:\n"
     "        return type(error).__name__, error.args\n    except ZeroDivisionError:\n        return 'zero'\n"
     "    finally:\n        a.append(1)",
     [([1, 2],), ([0, 1, 2, 3],), ([2, 0, 0, 8],), (['a', 0, 0, 'b'],)]),
    ("def f(n):\n    for i in range(3):\n        try:\n            if i == n:\n                continue\n"
     "            if i > n:\n                break\n        finally:\n            n += 1\n    return i, n",
     [(0,), (1,), (5,)]),
    ("def f(n):\n    try:\n        raise ValueError('no', n)\n    except ValueError as error:\n"
     "        return str(error)",
     [(1,)]),
    ("def f(n):\n    assert n > 0, 'small'\n    return n", [(1,), (0,)]),
    ("def f(a):\n    del a[0], a[-1]\n    return a", [([1, 2, 3],), ([1],)]),
    ("def f(a):\n    b = a\n    b += [1]\n    b *= 2\n    return a, a is b", [([0],)]),
    ("def f(a):\n    a[1:2] = [7, 8]\n    a[::2] = 'xy'\n    return a", [([1, 2, 3],), ([1, 2],)]),
    ("def f(n):\n    x: int = n\n    y: str\n    x += 1\n    return x", [(1,)]),
    ("def f(n):\n    return 1 < n <= 5 != 4", [(1,), (3,), (5,), (6,)]),
    ("def f(a, b):\n    return a and b, a or b, not a", [(0, 1), (2, ""), ([], None)]),
    # Generators and comprehensions
    ("def g(n):\n    while n:\n        yield n\n        n -= 1\ndef f(n):\n"
     "    return list(g(n)), sum(g(n)), next(g(n))",
     [(4,)]),
    ("def g(n):\n    yield from range(n)\n    yield -1\ndef f(n):\n    return [x for x in g(n)]", [(3,)]),
    ("def f(n):\n    return any(1 / (3 - i) > 0.4 for i in range(n))", [(9,), (1,)]),
    ("def f(n):\n    return [(i, j) for i in range(n) if i % 2 for j in range(i) if j]", [(6,)]),
    ("def f(n):\n    return {i: {j for j in range(i)} for i in range(n)}", [(4,)]),
    ("def f(a):\n    it = iter(a)\n    return [next(it), list(zip(it, it)), next(it, None)]",
     [([1, 2, 3, 4, 5],), ([],)]),
    ("import itertools\ndef f(n):\n    return list(itertools.islice(itertools.count(n), 3)), "
     "list(itertools.permutations(range(3), 2)), list(itertools.product('ab', repeat=2))", [(4,)]),
    ("from itertools import groupby, accumulate, chain, takewhile, combinations, zip_longest, starmap, pairwise\n"
     "def f(a):\n    return ([(k, list(g)) for k, g in groupby(a, key=abs)], list(accumulate(a)), list(chain(a, a)),\n"
     "            list(takewhile(lambda x: x > 0, a)), list(combinations(a, 2)), list(zip_longest(a, a[1:])),\n"
     "            list(starmap(pow, [(2, 3)])), list(pairwise(a)))", [([1, -1, 2, 3],), ([],)]),
    ("def f(a):\n    it = iter(a)\n    try:\n        return [next(it) for _ in range(3)]\n"
     "    except StopIteration:\n        return 'short'",
     [([1, 2, 3],), ([1],)]),
    ("def f(a):\n    it = iter(a)\n    return list(next(it) for _ in range(3))", [([1, 2, 3],), ([1],)]),
    ("def f(n):\n    try:\n        return 1 / n\n    except ZeroDivisionError as e:\n        pass\n    return e",
     [(0,), (1,)]),
    # Texts
    ("def f(s):\n    return s.split(), s.title(), s[::-1], s.replace('a', 'bb'), s.partition(' '), s.center(12, '*')",
     [("a banana split",), ("",)]),
    ("def f(s, n):\n    return f'{s!r:>8} {n:05.2f} {n:,} {n=} {{}} {s:{n}}'", [("ab", 7), ("abc", 4)]),
    ("def f(s, n):\n    return '%s-%03d' % (s, n), '{:>4}|{x}'.format(s, x=n), '{0}{1}{0}'.format(s, n)", [("ab", 7)]),
    ("def f(s):\n    return ' '.join(w.capitalize() for w in s.split('_') if w), s.strip('_').isidentifier()",
     [("a_b__c_",), ("_",)]),
    ("def f(s):\n    return s.translate(str.maketrans('ab', 'ba')), s.encode('utf-8'), ord(s[0]), chr(ord(s[0]) + 1)",
     [("abc",), ("é",), ("",)]),
    ("def f(s):\n    return s.find('x'), s.index('b'), s.count('a'), 'a' in s, s < 'b', s * 2 + s",
     [('aab',), ('xyz',)]),
    ("def f(s):\n    return list(map(str.upper, s)), sorted(s, key=str.lower), max(s, key=s.count)",
     [('bAnaNa',), ('',)]),
    ("def f(s):\n    return int(s), int(s, 2), float(s), str(int(s)), bin(int(s)), hex(255)",
     [('101',), ('x',), ('9',)]),
    # Numbers
    ("def f(a, b):\n"
     "    return a // b, a % b, divmod(a, b), a / b, a ** b, -a, +a, ~a, a << b, a >> b, a & b, a | b, a ^ b",
     [(7, 2), (-7, 2), (7, -2), (1, 0)]),
    ("def f(a, b):\n"
     "    return round(a / b, 2), abs(a), min(a, b), max([a, b]), pow(a, b, 7), round(2.5), a == float(a)",
     [(22, 7), (-1, 3)]),
    ("import math\ndef f(a):\n    return math.sqrt(a), math.floor(a / 2), math.gcd(a, 12), math.factorial(5), math.pi, "
     "math.comb(5, 2), math.prod([1, a]), math.isclose(a, a), math.inf > a", [(9,), (-1,), (2,)]),
    ("def f(a):\n"
     "    return isinstance(a, int), isinstance(a, (str, list)), type(a) is bool, type(a).__name__, callable(a)",
     [(1,), ('x',), (True,), (None,)]),
    # Containers
    ("def f(a):\n    b = sorted(a, reverse=True)\n    b.insert(1, 9)\n    b.remove(9)\n    b.sort(key=lambda x: -x)\n"
     "    return b, b.index(a[0]), b.count(1), b.pop(), list(reversed(b)), a[-1:], b[5:1:-1]", [([3, 1, 2],), ([],)]),
    ("def f(d):\n    d.setdefault('k', []).append(1)\n"
     "    return (list(d.items()), d.get('z', 0), d.pop('k'), 'a' in d,\n"
     "            dict(sorted(d.items())), {**d, 'q': 1}, list(d), d | {'n': 2}, dict.fromkeys('ab', 0))",
     [({'a': 1},), ({},)]),
    ("def f(a, b):\n    x, y = set(a), set(b)\n"
     "    return sorted(x | y), sorted(x & y), sorted(x - y), sorted(x ^ y), x <= y, x.isdisjoint(y), "
     "len(x.union(b)), frozenset(x) == x",
     [([1, 2], [2, 3]), ([], [])]),
    ("from collections import Counter, defaultdict, deque, OrderedDict\ndef f(s):\n    c = Counter(s)\n"
     "    d = defaultdict(list)\n    for i, x in enumerate(s, start=1):\n        d[x].append(i)\n"
     "    q = deque(s, maxlen=2)\n    q.appendleft('!')\n    c['zz'] += 1\n"
     "    return c.most_common(1), dict(d), list(q), list(OrderedDict.fromkeys(s)), sum(c.values()), c['none']",
     [('hello',), ('',)]),
    ("import heapq, bisect\ndef f(a):\n    h = list(a)\n    heapq.heapify(h)\n    heapq.heappush(h, 0)\n"
     "    return heapq.heappop(h), heapq.nlargest(2, a), bisect.bisect_left(sorted(a), 2)", [([3, 1, 2],), ([],)]),
    ("from functools import reduce, partial, cmp_to_key\nimport operator\ndef f(a):\n"
     "    return (reduce(lambda x, y: x * y, a, 1), reduce(operator.add, a), partial(pow, 2)(3),\n"
     "            sorted(a, key=cmp_to_key(lambda x, y: y - x)), sorted([a, a], key=operator.itemgetter(0)))",
     [([1, 2, 3],), ([],)]),
    ("import copy\ndef f(a):\n    b, c = copy.copy(a), copy.deepcopy(a)\n    a[0].append(1)\n    return b, c, a is b",
     [([[0]],)]),
    ("def f(a):\n    return sum(a, []), list(zip(*a)), [*a[0], *a[-1]], list(map(sum, a)), list(filter(None, a))",
     [([[1, 2], [3, 4]],), ([[]],)]),
    ("def f(a):\n    return a[0], a[1:], a[-1]", [((1, 2),), ("ab",), ({0: 1},), (5,), (None,)]),
    ("def f(a):\n    return a.missing", [(1,), ("x",)]),
    ("def f(a):\n    return a()", [(1,), (None,)]),
    ("def f(a, b):\n    return a < b", [(1, "x"), ([1], [2]), ({1}, {1, 2})]),
    # Regular expressions and other makers of texts
    ("import re\ndef f(s):\n    s = re.sub(r'[^a-z0-9]+', '-', s.lower()).strip('-')\n"
     "    found = re.match(r'(\\w+)-(?P<rest>\\w+)?', s)\n"
     "    return s, found and (found.group(1), found['rest'], found.span(), found.groups(), found.groupdict())",
     [("Hello, World 42",), ("",), ("--",)]),
    ("import re\nWORD = re.compile(r'[a-z]+', re.IGNORECASE)\ndef f(s):\n"
     "    return (WORD.findall(s), WORD.sub(lambda m: m.group().title(), s), [m.start() for m in WORD.finditer(s)],\n"
     "            re.split(r'\\s*,\\s*', s), re.sub('(a)(.)', r'\\2\\1', s), bool(re.fullmatch('[ab]*', s)))",
     [("ab, CD ,x",), ("abab",), ("",)]),
    ("from re import search, escape, error\ndef f(s):\n    try:\n        return search(s, 'a(b'), escape(s)\n"
     "    except error:\n        return 'wrong'",
     [("(",), ("x",)]),
    ("import os.path, html, json, textwrap, unicodedata\nfrom urllib.parse import quote\ndef f(s):\n"
     "    return (os.path.splitext(s), os.path.join('a', s), html.escape(s), json.dumps({'k': [s, None]}), quote(s),\n"
     "            textwrap.wrap(s, 5), unicodedata.normalize('NFKD', s), json.loads('[1, {}]'), hasattr(s, 'join'))",
     [("a/b.txt",), ("<é & b>",), ("",)]),
    ("import json\ndef f(s):\n    return json.loads(s)", [("{",), ("1e3",)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "calls"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_it_does_what_python_does(text: str, calls: list[tuple[Any, ...]]) -> None:
    does_what_python_does(text, calls)


def does_what_python_does(text: str, calls: list[tuple[Any, ...]]) -> None:
    """Holds the interpreter to what Python gives for ``f`` of a program."""
    program = Program([piece for _, piece in cut_at(text, list(section_starts(text)))])
    for arguments in calls:
        names: dict[str, Any] = {}
        exec(text, names)
        outcome = program.call("f", arguments)
        assert outcome.decided, outcome.undecided
        assert (outcome.error or repr(outcome.value)) == _run(names["f"], arguments)


def _run(function: Any, arguments: tuple[Any, ...]) -> str:
    try:
        return repr(function(*copy.deepcopy(arguments)))
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("seed", range(150))
def test_random_programs_do_what_python_does(seed: int) -> None:
    text = "\n".join(_program(random.Random(seed)))
    names: dict[str, Any] = {}
    exec(text, names)
    program = Program([text])
    for arguments in ((0, [1, 2, 3]), (3, [5, -1]), (-2, [])):
        outcome = program.call("f", arguments)
        assert outcome.decided, f"{outcome.undecided}\n{text}"
        assert (outcome.error or repr(outcome.value)) == _run(names["f"], arguments), text


def _program(rng: random.Random) -> Iterator[str]:
    yield "def f(n, a):"
    yield "    x, y, log = 0, 1, []"
    yield from _block(rng, 3, "    ", loop=False)
    yield "    return n, a, x, y, log"


def _block(rng: random.Random, depth: int, indent: str, loop: bool) -> Iterator[str]:
    for _ in range(rng.randrange(1, 4)):
        kind = rng.choice(("set", "set", "log", "aug", "if", "for", "while", "try", "leave", "item"))
        inner = indent + "    "
        if depth == 0 and kind in ("if", "for", "while", "try"):
            kind = "set"
        if kind == "set":
            yield f"{indent}{rng.choice('xy')} = {_number(rng)}"
        elif kind == "log":
            yield f"{indent}log.append({rng.choice((_number(rng), _condition(rng)))})"
        elif kind == "aug":
            yield f"{indent}{rng.choice('xy')} {rng.choice(('+=', '-=', '*=', '//=', '%='))} {_number(rng)}"
        elif kind == "item":
            place = _number(rng)
            yield indent + rng.choice((f"a[{place}] = {_number(rng)}", f"a[{place}:] = [x]", "a += [y]"))
        elif kind == "leave":
            left = rng.choice(("break", "continue", "return x")) if loop else "return y"
            yield f"{indent}if {_condition(rng)}: {left}"
        elif kind == "if":
            yield f"{indent}if {_condition(rng)}:"
            yield from _block(rng, depth - 1, inner, loop)
            if rng.random() < 0.5:
                yield f"{indent}else:"
                yield from _block(rng, depth - 1, inner, loop)
        elif kind == "for":
            yield f"{indent}for {rng.choice('xy')} in {rng.choice(('range(3)', 'list(a)', 'a[::-1]', '(n, x)'))}:"
            yield from _block(rng, depth - 1, inner, loop=True)
            if rng.random() < 0.3:
                yield f"{indent}else:"
                yield from _block(rng, depth - 1, inner, loop)
        elif kind == "while":
            counter = f"k{depth}{len(indent)}{rng.randrange(1000)}"
            yield f"{indent}{counter} = 0"
            yield f"{indent}while {counter} < 3 and ({_condition(rng)}):"
            yield f"{inner}{counter} += 1"
            yield from _block(rng, depth - 1, inner, loop=True)
        else:
            yield f"{indent}try:"
            yield from _block(rng, depth - 1, inner, loop)
            yield f"{indent}except {rng.choice(('ZeroDivisionError', 'IndexError', 'Exception'))}:"
            yield from _block(rng, depth - 1, inner, loop)
            if rng.random() < 0.4:
                yield f"{indent}finally:"
                yield f"{inner}log.append('finally')"


def _number(rng: random.Random, depth: int = 2) -> str:
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(("x", "y", "n", "len(a)", "a[0]", "1", "2", "0", "-1", "sum(a)"))
    left, right = _number(rng, depth - 1), _number(rng, depth - 1)
    return rng.choice(
        (
            f"({left} {rng.choice('+-*')} {right})",
            f"({left} // {right})",
            f"({left} % {right})",
            f"max({left}, {right})",
            f"({left} if {_condition(rng, depth - 1)} else {right})",
            f"sum(v * {left} for v in a if v != {right})",
            f"abs({left})",
        )
    )


def _condition(rng: random.Random, depth: int = 1) -> str:
    left, right = _number(rng, depth), _number(rng, depth)
    plain = f"{left} {rng.choice(('<', '<=', '==', '!=', '>', '>='))} {right}"
    return rng.choice((plain, f"not {left}", f"({plain} and {left})", f"({plain} or {right} in a)"))
