"""Enumerations, named tuples, dates and what is logged are to a program what they are to Python."""

from __future__ import annotations

from typing import Any

import pytest
from tests.interpreter.test_programs import does_what_python_does

from codehunch.interpreter.program import Program
from codehunch.syntax.sections import cut_at, section_starts

COLORS = """
from enum import Enum, auto, unique
@unique
class Color(Enum):
    RED = "r"
    GREEN = "g"
    BLUE = "b"
    @property
    def warm(self):
        return self is Color.RED
    def next(self):
        every = list(Color)
        return every[(every.index(self) + 1) % len(every)]
    @classmethod
    def parse(cls, text):
        try:
            return cls(text[0])
        except ValueError:
            return cls.RED
class Level(Enum):
    LOW = auto()
    HIGH = auto()
    TOP = 2
    LAST = auto()
    def __str__(self):
        return self.name.lower()
"""
PROGRAMS: list[tuple[str, list[tuple[Any, ...]]]] = [
    (COLORS + "def f(a):\n    return Color(a).name, Color(a).warm, repr(Color(a)), str(Color(a)), f'{Color(a)}'\n",
     [("r",), ("g",), ("x",)]),
    (COLORS + "def f(a):\n    return Color[a].value, Color[a].next().name, len(Color), [c.name for c in Color]\n",
     [("RED",), ("BLUE",), ("red",)]),
    (COLORS + "def f(a):\n    return Color.parse(a) in (Color.RED, Color.BLUE), Color.parse(a) is Color.RED\n",
     [("red",), ("green",), ("?",), ("",)]),
    (COLORS + "def f(a):\n    return str(Level(a)), Level.TOP is Level.HIGH, Level.HIGH.name, Level.LAST.value\n",
     [(1,), (2,), (3,), (4,)]),
    (COLORS + "def f(a):\n    return {Color.RED: 1}.get(Color(a), 0), Color.RED == a, Color.RED != 'r'\n",
     [("r",), ("b",), ("g",)]),
    (COLORS + "def f(a):\n    return isinstance(Color.RED, Color), isinstance(a, Color), Color.RED in Color, a.size\n",
     [("r",)]),
    (COLORS + "def f(a):\n    return Color.RED < Color(a)\n", [("g",)]),
    (COLORS + "def f(a):\n    return Color.RED.missing\n", [("g",)]),
    ("""
from collections import namedtuple
Point = namedtuple("Point", "x y")
Other = namedtuple("Other", ["a", "b", "c"], defaults=[3])
def f(a, b):
    p, o = Point(a, y=b), Other(a, b)
    x, y = p
    return p.x + p[1], p == (a, b), p, repr(p), p._replace(x=9), o._asdict(), o.c, x, y, p._fields, isinstance(p, tuple)
""", [(1, 2), ("a", "b"), (1, "b")]),
    ("""
from typing import NamedTuple
class Point(NamedTuple):
    '''Somewhere.'''
    x: int
    y: int = 4
def f(a):
    return Point(a).y, Point(a, 5), sorted([Point(a), Point(0, 0)]), isinstance(Point(1), Point), Point(*a)
""", [((1, 2),), ((1,),), (3,), ((1, 2, 3),)]),
    ("""
from collections import namedtuple
Point = namedtuple("Point", "x y")
def f(a):
    return Point(a).x
""", [(1,)]),
    ("""
from collections import namedtuple
Point = namedtuple("Point", "x y")
def f(a):
    return Point(a, a).z
""", [(1,)]),
    ("""
from datetime import date, datetime, timedelta
import datetime as dt
def f(y, m, d):
    day = date(y, m, d)
    later = day + timedelta(days=30, hours=30)
    return day.isoformat(), later.strftime("%d.%m.%Y"), (later - day).days, day.weekday(), later > day, str(later), \\
        repr(timedelta(hours=1)), (dt.datetime(y, m, d, 3) - datetime(y, m, d)).total_seconds(), day.replace(day=1).day
""", [(2024, 2, 29), (2023, 2, 29), (1999, 12, 31), (0, 1, 1)]),
    ("""
from datetime import date, datetime
def f(text):
    return datetime.strptime(text, "%Y-%m-%d").date() == date.fromisoformat(text), date.max.year
""", [("2024-05-06",), ("2024-13-06",), ("",)]),
    ("""
import logging
logger = logging.getLogger(__name__)
def f(a):
    logger.info("given %s", a)
    logging.warning("again", exc_info=True)
    return a + 1
""", [(1,), ("a",)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "arguments"), PROGRAMS)
def test_they_do_what_python_does(text: str, arguments: list[tuple[Any, ...]]) -> None:
    does_what_python_does(text, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "from enum import Enum\nclass C(Enum):\n    A = 1\n    def __init__(self, n):\n        self.n = n\n"
        "def f(a):\n    return C.A.n\n",
        "from enum import Enum\nclass C(str, Enum):\n    A = 'a'\ndef f(a):\n    return C.A == a\n",
        "from enum import IntEnum\nclass C(IntEnum):\n    A = 1\ndef f(a):\n    return C.A + 1\n",
        "from enum import Enum\nclass C(Enum):\n    _ignore_ = 'x'\n    A = 1\ndef f(a):\n    return len(C)\n",
        "from datetime import datetime\ndef f(a):\n    return datetime.now() > datetime(2020, 1, 1)\n",
        "from datetime import date\ndef f(a):\n    return date.today().year\n",
        "from datetime import date\ndef f(a):\n    return date(2020, 1, 1).strftime('%c')\n",
        "from datetime import datetime\ndef f(a):\n    return datetime(2020, 1, 1).timestamp()\n",
        "from collections import namedtuple\nP = namedtuple('P', 'x _y', rename=True)\ndef f(a):\n    return P(1, 2)\n",
        "from typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n    def g(self):\n        return 1\n"
        "def f(a):\n    return P(1).g()\n",
        "def f(a):\n    print(a)\n    return a\n",
        "import sys\ndef f(a):\n    print(a, file=sys.stderr)\n    return a\n",
        "import logging\ndef f(a):\n    logging.basicConfig(level=a)\n    return a\n",
    ],
)
def test_what_is_of_another_kind_is_undecided(text: str) -> None:
    outcome = Program([piece for _, piece in cut_at(text, list(section_starts(text)))]).call("f", ["a"])
    assert outcome.undecided
