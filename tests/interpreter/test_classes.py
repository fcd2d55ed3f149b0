"""Classes and decorators of a program do what Python makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.interpreter.test_programs import does_what_python_does

PROGRAMS = [
    (
        """
from functools import wraps
def twice(f):
    @wraps(f)
    def inner(*args, **kw):
        return [f(*args, **kw), f(*args, **kw)]
    return inner
@twice
def g(n, k=1):
    return n + k
@twice
def f(n):
    return g(n, k=3)
""",
        [(1,)],
    ),
    (
        """
def times(k):
    def wrap(f):
        return lambda *a: k * f(*a)
    return wrap
@times(2)
@times(5)
def f(n):
    return n
""",
        [(1,), ("a",)],
    ),
    (
        """
class P:
    count = 0
    def __init__(self, x, y=2):
        self.x, self.y = x, y
    def total(self):
        return self.x + self.y
    def moved(self, *, by=1):
        return type(self)(self.x + by, self.y)
def f(n):
    p = P(n)
    p.y += 3
    p.z = [p.x]
    p.z[0] += 1
    return (p.total(), p.moved(by=5).x, p.count, P.count, p.z, isinstance(p, P), P.total(p), hasattr(p, 'q'),
            getattr(p, 'q', 7), getattr(p, 'x'))
""",
        [(1,), (2.5,)],
    ),
    (
        """
class A:
    def __init__(self, n):
        self.n = n
    def name(self):
        return 'A' + self.tail()
    def tail(self):
        return str(self.n)
class M:
    def tail(self):
        return 'm' + super().tail()
class B(M, A):
    def __init__(self, n):
        super().__init__(n + 1)
        self.k = n
    def tail(self):
        return '<' + super().tail() + '>' + ''.join(super(B, self).tail() for _ in 'ab')
def f(n):
    b = B(n)
    kind = type(b).__name__, type(b) is B, b.__class__ == B
    return b.name(), isinstance(b, A), issubclass(B, (int, A)), issubclass(A, B), kind
""",
        [(1,)],
    ),
    (
        """
class V:
    def __init__(self, *xs):
        self.xs = xs
    def __add__(self, o):
        return V(*(a + b for a, b in zip(self.xs, o.xs))) if isinstance(o, V) else NotImplemented
    def __mul__(self, k):
        return V(*(a * k for a in self.xs))
    __rmul__ = __mul__
    def __eq__(self, o):
        return isinstance(o, V) and self.xs == o.xs
    def __len__(self):
        return len(self.xs)
    def __getitem__(self, i):
        return self.xs[i]
    def __iter__(self):
        return iter(self.xs)
    def __repr__(self):
        return f'V{self.xs}'
    def __neg__(self):
        return self * -1
    def __lt__(self, o):
        return self.xs < o.xs
    def __bool__(self):
        return any(self.xs)
    def __contains__(self, x):
        return x in self.xs
def f(n):
    v = V(n, 2)
    w = 2 * (v + V(1, 1))
    w += v
    return (repr(w), str(-v), f'{v}', '%s' % v, [v, w][0].xs, len(v), v[0], v[:1], list(v), sorted([w, v])[0].xs,
            v == V(n, 2), v != w, bool(V(0)), 2 in v, max(v, w).xs, [v].index(V(n, 2)), sum([v, w], V(0, 0)).xs,
            v in [V(n, 2)], [V(n, 2)] == [v], str([v, w]))
""",
        [(1,), (0,)],
    ),
    (
        """
class V:
    def __init__(self, n):
        self.n = n
    def __add__(self, o):
        return NotImplemented
def f(n):
    return V(n) + n
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    return V() < V()
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    v = V()
    return v == v, v == V(), v != V(), bool(v), {v: 1}[v], v is v
""",
        [(1,)],
    ),
    (
        """
class V:
    def __eq__(self, o):
        return True
def f(n):
    return {V(): 1}
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    return V(n)
""",
        [(1,)],
    ),
    (
        """
class V:
    def __init__(self):
        return 3
def f(n):
    return V()
""",
        [(1,)],
    ),
    (
        """
class V:
    def g(self):
        return 1
def f(n):
    return V().h()
""",
        [(1,)],
    ),
    (
        """
class V:
    def g(self):
        return 1
def f(n):
    return V.g()
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    return V()[n]
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    return V()(n)
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    return [x for x in V()]
""",
        [(1,)],
    ),
    (
        """
class V:
    pass
def f(n):
    return len(V())
""",
        [(1,)],
    ),
    (
        """
class K:
    def __init__(self, n):
        self.n = n
    def __hash__(self):
        return hash(self.n)
    def __eq__(self, o):
        return self.n == o.n
    def __call__(self, k):
        return self.n + k
def f(n):
    return {K(n): 'a'}[K(n)], len({K(n), K(n), K(2)}), K(n)(3), list(map(K(n), [1])), callable(K(n))
""",
        [(1,)],
    ),
    (
        """
class T:
    @property
    def c(self):
        return self._c
    @c.setter
    def c(self, v):
        self._c = v * 2
    @property
    def only(self):
        return 1
    @staticmethod
    def s(a):
        return a + 1
    @classmethod
    def make(cls, n):
        t = cls()
        t.c = n
        return t
class U(T):
    pass
def f(n):
    u = U.make(n)
    return u.c, u.s(1), T.s(2), type(u).__name__, u.make(3).c, u.only
""",
        [(4,)],
    ),
    (
        """
class T:
    @property
    def c(self):
        return 1
def f(n):
    T().c = n
""",
        [(4,)],
    ),
    (
        """
class Countdown:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return self
    def __next__(self):
        if self.n <= 0:
            raise StopIteration
        self.n -= 1
        return self.n
def f(n):
    return list(Countdown(n)), sum(Countdown(n)), 1 in Countdown(n)
""",
        [(3,), (0,)],
    ),
    (
        """
class Tree:
    def __init__(self, value, left=None, right=None):
        self.value = value
        self.left, self.right = left, right
    def __iter__(self):
        if self.left:
            yield from self.left
        yield self.value
        if self.right:
            yield from self.right
    def insert(self, v):
        side = 'left' if v < self.value else 'right'
        at = getattr(self, side)
        if at is None:
            setattr(self, side, Tree(v))
        else:
            at.insert(v)
def f(a):
    t = Tree(5)
    for x in a:
        t.insert(x)
    return list(t), t.left.value
""",
        [([3, 8, 1],)],
    ),
    (
        """
from dataclasses import dataclass, field
@dataclass
class P:
    x: int
    y: int = 2
    tags: list = field(default_factory=list)
    def norm(self):
        return self.x ** 2 + self.y ** 2
@dataclass(frozen=True, order=True)
class R:
    a: int
    b: str = 'q'
@dataclass
class Q(P):
    y: int = 9
    z: int = 3
def f(n):
    p = P(n)
    p.tags.append(1)
    return (p.norm(), p == P(n, 2, [1]), p != P(n), str(p),
            P(x=1, y=0).x, P(n).tags, R(1) < R(2), str(sorted([R(2), R(1, 'z'), R(1)])), {R(1): 2}[R(1, 'q')],
            R(n, b='w') == R(n, 'w'), str(Q(n, z=7)), Q(1) == P(1))
""",
        [(3,)],
    ),
    (
        """
from dataclasses import dataclass
@dataclass(frozen=True)
class R:
    a: int
def f(n):
    r = R(n)
    try:
        r.a = 2
    except AttributeError:
        return 'frozen', r.a
""",
        [(1,)],
    ),
    (
        """
import dataclasses
@dataclasses.dataclass
class R:
    a: int
    b: int = None
    def __post_init__(self):
        self.b = self.b or self.a * 2
def f(n):
    return R(n).b, R(n, 7).b, repr(R(a=1))
""",
        [(1,)],
    ),
    (
        """
from dataclasses import dataclass
@dataclass
class R:
    a: int
def f(n):
    return R()
""",
        [(1,)],
    ),
    (
        """
class ShopError(ValueError):
    'none'
class Closed(ShopError):
    pass
def g(n):
    raise Closed('no', n)
def f(n):
    try:
        g(n)
    except ShopError as error:
        return error.args, str(error), type(error).__name__
""",
        [(1,)],
    ),
    (
        """
class Odd(Exception): pass
def f(n):
    if n % 2:
        raise Odd
    return n
""",
        [(1,), (2,)],
    ),
    (
        """
from abc import ABC, abstractmethod
class S(ABC):
    @abstractmethod
    def area(self): ...
    def big(self):
        return self.area() > 5
class Sq(S):
    def __init__(self, a):
        self.a = a
    def area(self):
        return self.a ** 2
def f(n):
    return Sq(n).big(), isinstance(Sq(n), S)
""",
        [(1,), (3,)],
    ),
    (
        """
class C:
    def __enter__(self):
        self.log = ['in']
        return self
    def __exit__(self, kind, error, trace):
        self.log.append(kind and kind.__name__)
        return kind is KeyError
def f(n):
    with C() as c, C():
        c.log.append({0: 'a'}[n])
    return c.log
""",
        [(0,), (1,)],
    ),
    (
        """
def f(n):
    class L:
        size = n
        def get(self):
            return self.size + n
    return L().get()
""",
        [(2,)],
    ),
    (
        """
UNSET = object()
def g(x=UNSET):
    return x is UNSET
def f(n):
    return g(), g(n), isinstance(UNSET, object)
""",
        [(2,)],
    ),
]


@pytest.mark.parametrize(("text", "calls"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_it_does_what_python_does(text: str, calls: list[tuple[Any, ...]]) -> None:
    does_what_python_does(text, calls)
