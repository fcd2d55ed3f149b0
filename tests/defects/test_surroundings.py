"""What a file binds, and how the names of a function stand in it."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

import pytest

from codehunch.defects.bindings import of_section, surroundings_of
from codehunch.defects.spelling import Lexicon, misspelt
from codehunch.defects.standings import standings
from codehunch.defects.surroundings import Around, Class, Standing, Surroundings, merged, words_of
from codehunch.defects.units import cut
from codehunch.inference.encoding import COARSER, as_known
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import cut_at, section_starts

FILE = '''\
"""A module."""
from shapes import Square as Sq, circle
import os.path, numpy as np
try:
    import json
except ImportError as missing:
    json = None
if (limit := circle()):
    first, (second, *rest) = 1, (2, 3)
with open("f") as handle, circle() as (left, right):
    pass
for row, column in ():
    pass


class Base:
    kind: str
    count = 0

    def __init__(self, size=count):
        self.size, self.shape = size, None
        self.name: str = ""
        with handle as self.handle:
            pass

    @property
    def area(self):
        return self.size

    async def load(self): global loaded; loaded = self.cache = 1

    class Inner:
        depth = 1


class Derived(Base):
    def draw(self):
        return self.area


class Elsewhere(Sq):
    pass


class Anything:
    def __getattr__(self, name):
        return name


async def fetch():
    pass
'''


def stands(file: str, name: str) -> dict[str, str]:
    """How each name of one function of a file stands, attributes with a dot; the last use counts."""
    parsed = parse(file)
    function = next(each for each in find_functions(parsed) if each.qualified_name == name)
    unit = cut(parsed, function, surroundings_of(file))
    found = {}
    for at, lexeme in enumerate(unit.lexemes):
        standing = Standing(unit.standings[at])
        if standing is not Standing.UNKNOWN:
            dot = "." if at and unit.lexemes[at - 1].text == "." else ""
            found[dot + lexeme.text] = standing.name
    return found


def test_the_outermost_level() -> None:
    found = surroundings_of(FILE)
    kinds = {standing: {name for name, each in found.names.items() if each is standing} for standing in Standing}
    assert kinds[Standing.IMPORT] == {"Sq", "circle", "os", "np", "json"}
    assert kinds[Standing.CLASS] == {"Base", "Derived", "Elsewhere", "Anything"}
    assert kinds[Standing.COROUTINE] == {"fetch"}
    assert kinds[Standing.VARIABLE] == {
        "missing", "limit", "first", "second", "rest", "handle", "left", "right", "row", "column"
    }  # fmt: skip
    assert not found.open
    assert surroundings_of(FILE + "from shapes import *\n").open
    assert surroundings_of(FILE + "def f():\n    globals()['x'] = 1\n").open
    assert found.of_name("print") is Standing.BUILTIN
    assert found.of_name("Square") is Standing.UNBOUND


def test_what_a_star_may_bring() -> None:
    file = "from shapes import *\nimport os\ndef f(a):\n    return Square(a, os, len, a.items, a.corners)\n"
    assert stands(file, "f") == {
        "a": "LOCAL", "Square": "FROM_STAR", "os": "IMPORT", "len": "BUILTIN", ".corners": "RARE"
    }  # fmt: skip
    assert stands(file.replace("from shapes import *\n", ""), "f")["Square"] == "UNBOUND"


def test_every_later_standing_has_a_coarser_one() -> None:
    assert set(COARSER) == {standing for standing in Standing if standing >= 16}
    assert all(coarser < standing for standing, coarser in COARSER.items())
    assert {as_known(standing, 16) for standing in COARSER} == {Standing.LOCAL, Standing.UNKNOWN, Standing.FOREIGN}
    assert as_known(Standing.MISSPELT_RARE, 21) == Standing.RARE
    assert as_known(Standing.MISSPELT_RARE, 20) == Standing.UNKNOWN


def test_members() -> None:
    found = surroundings_of(FILE)
    assert found.classes["Base"].members == {
        "kind": Standing.FIELD, "count": Standing.FIELD, "size": Standing.FIELD, "shape": Standing.FIELD,
        "name": Standing.FIELD, "handle": Standing.FIELD, "cache": Standing.FIELD,
        "__init__": Standing.METHOD, "area": Standing.PROPERTY,
        "load": Standing.COROUTINE_METHOD, "Inner": Standing.FIELD,
    }  # fmt: skip
    assert found.classes["Base.Inner"].members == {"depth": Standing.FIELD}
    assert found.of_member("Derived", "area") is Standing.PROPERTY
    assert found.of_member("Derived", "arae") is Standing.MISSING
    assert found.of_member("Derived", "__class__") is Standing.UNKNOWN
    assert found.of_member("Elsewhere", "arae") is Standing.FOREIGN
    assert found.of_member("Anything", "arae") is Standing.FOREIGN


def test_a_class_that_inherits_from_itself_ends() -> None:
    found = surroundings_of("class A(B):\n    x = 1\nclass B(A):\n    y = 1\n")
    assert found.of_member("A", "y") is Standing.FIELD
    assert found.of_member("A", "z") is Standing.MISSING


def test_how_names_stand() -> None:
    file = (
        "import os\n"
        "LIMIT = 1\n"
        "def helper(): ...\n"
        "class C:\n"
        "    default = 1\n"
        "    @decorate(lambda each: each)\n"
        "    def m(self, a=default):\n"
        "        import re\n"
        "        from x import y as z\n"
        "        class Local: ...\n"
        "        match a:\n"
        "            case [head, *tail]:\n"
        "                pass\n"
        "        try:\n"
        "            b = [each for each in LIMIT]\n"
        "        except E as error:\n"
        "            raise error from None\n"
        "        self.stored = helper(os, re, z, Local, head, tail, b, len, m, defualt, stored)\n"
        "        return C.default, C.nothing, self.typo, b.items, b.rarely, a.self.items\n"
    )
    assert stands(file, "C.m") == {
        "decorate": "UNBOUND", "each": "LOCAL", "self": "LOCAL", "a": "LOCAL", "default": "FIELD", "z": "LOCAL",
        "re": "LOCAL", "Local": "LOCAL", 
        "head": "PERHAPS_UNASSIGNED", "tail": "PERHAPS_UNASSIGNED", "b": "LOCAL", "LIMIT": "VARIABLE",
        "E": "UNBOUND", "error": "LOCAL", ".stored": "FIELD", "helper": "FUNCTION", "os": "IMPORT", "len": "BUILTIN",
        "m": "UNBOUND_MEMBER", "defualt": "UNBOUND", "stored": "UNBOUND_MEMBER", "C": "CLASS", ".default": "FIELD",
        ".nothing": "MISSING", ".typo": "MISSING", ".rarely": "RARE", ".self": "RARE",
    }  # fmt: skip


def test_a_function_alone_is_told_nothing() -> None:
    parsed = parse("def f(a):\n    return b\n")
    (function,) = find_functions(parsed)
    assert cut(parsed, function).standings == ()


def test_what_is_half_typed_takes_no_name_away() -> None:
    whole = surroundings_of(FILE)
    for line in ("        return self.size", "        with handle as self.handle:", "    import json", "    depth = 1"):
        broken = FILE.replace(line, line + " +(", 1)
        assert broken != FILE
        found = surroundings_of(broken)
        assert set(whole.names) <= set(found.names), line
        assert set(whole.classes["Base"].members) <= set(found.classes["Base"].members), line
    imports = surroundings_of("from shapes import (\n    Square,\n    circle as\n")
    assert set(imports.names) == {"Square", "circle"}


def test_narrowing_keeps_what_bears_on_the_words() -> None:
    around = Around(surroundings_of(FILE), "Derived")
    narrow = around.narrowed(words_of("self.area + circle(x)"))
    assert narrow.surroundings == Surroundings(
        {"circle": Standing.IMPORT}, {"Derived": Class({"area": Standing.PROPERTY}, (), True)}
    )
    for name in ("area", "other"):
        assert narrow.surroundings.of_member("Derived", name) is around.surroundings.of_member("Derived", name)
    assert Around.from_json(narrow.to_json()) == narrow
    assert narrow.narrowed(words_of("self.area + circle(x)")) == narrow


def test_narrowing_keeps_what_a_word_may_be_a_slip_of() -> None:
    around = Around(surroundings_of(FILE), "Derived")
    narrow = around.narrowed(words_of("self.aera + cirlce(limt)"))
    assert narrow.surroundings.names.keys() == {"circle", "limit"}
    assert narrow.surroundings.classes["Derived"].members.keys() == {"area"}
    assert narrow.narrowed(words_of("self.aera + cirlce(limt)")) == narrow


def test_slips_are_found_without_comparing_all() -> None:
    chance = random.Random(2)
    words = {"".join(chance.choices("ab_c", k=chance.randint(1, 7))) for _ in range(1500)}
    lexicon = Lexicon(words)
    found = 0
    for word in chance.sample(sorted(words), 150):
        assert lexicon.alike(word) == {other for other in words if misspelt(word, other, 1)}
        assert not (lexicon.alike(word) and not Lexicon(lexicon.alike(word)).touches({word}))
        found += len(lexicon.alike(word))
    assert found > 500


def test_sections_make_up_the_file() -> None:
    """On real files: what ``differs`` calls alike is narrowed alike, and sections add up."""
    chance = random.Random(0)
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    for path in chance.sample(paths, 12):
        text = path.read_text(encoding="utf-8")
        sections = [section for _, section in cut_at(text, list(section_starts(text)))]
        before = merged(map(of_section, sections))
        assert before == surroundings_of(text)
        del sections[chance.randrange(len(sections))]
        after = merged(map(of_section, sections))
        changed = after.differs(before)
        assert changed == before.differs(after)
        for section in sections:
            words = words_of(section)
            if changed is not None and not Lexicon(changed).touches(words):
                assert Around(before).narrowed(words) == Around(after).narrowed(words)


def test_every_way_to_store_into_a_member() -> None:
    file = """class A:
    def set(self, other):
        self.first = self.second = value = self.third = other
        (
            self.fourth,  # On a line of its own.
            self.fifth,
        ) = self.sixth = other
        [self.eighth, self.ninth] = other
        self.tenth, (self.eleventh, _) = other(one=self.missing, two=self.gone == self.lost)
"""
    names = "first second third fourth fifth sixth eighth ninth tenth eleventh".split()
    told = {name: standing for name, standing in stands(file, "A.set").items() if name.startswith(".")}
    never = dict.fromkeys([".missing", ".gone", ".lost"], "MISSING")
    assert told == never | {f".{name}": "FIELD" for name in names}


def test_what_a_with_statement_binds() -> None:
    file = (
        "class A:\n    def f(self, x):\n        with x as (a, [b, *c]), x as self.d, x as e[a]:\n            a, b, c\n"
    )
    assert stands(file, "A.f") == {
        "self": "LOCAL", "x": "LOCAL", "a": "LOCAL", "b": "LOCAL", "c": "LOCAL", ".d": "FIELD", "e": "UNBOUND"
    }  # fmt: skip


def test_type_parameters_and_aliases() -> None:
    text = "class A[T: (int, list[str]), **Q](Base[T]): ...\ntype Pair[S] = tuple[S, S]\n"
    whole = of_section(text)
    assert whole.names == dict.fromkeys(["T", "Q", "A", "Pair"], Standing.CLASS)
    assert not whole.classes["A"].closed
    broken = of_section("class A[T](Base, Other):\n    def f(self:\n    def g(self, x): pass\n")
    assert broken.names == {"T": Standing.CLASS, "A": Standing.CLASS}
    assert broken.classes["A"].bases == ("Base", "Other")
    assert of_section("class A[T" + "[" * 5000).names == {"A": Standing.CLASS}


@pytest.mark.parametrize("text", ["", "\0", "\ud800 = 1", "(" * 5000, "class " * 2000, "import\r\rimport a.", "\\"])
def test_odd_texts(text: str) -> None:
    around = Around(surroundings_of(text))
    assert Around.from_json(around.to_json()) == around


def test_lexemes_and_standings_go_together() -> None:
    parsed = parse(FILE)
    around = Around(surroundings_of(FILE), "Base")
    for function in find_functions(parsed):
        unit = cut(parsed, function, around.surroundings)
        assert unit.definition is not None
        assert len(standings(unit.lexemes, unit.parsed, unit.definition, around)) == len(unit.lexemes)


def test_what_a_class_is_given_by_its_name() -> None:
    text = (
        "class Net:\n    def size(self):\n        return self.constants\n\n    class Part: ...\n\n"
        "Net.constants = Other()\nNet.Part.count: int = 1\nother.constants = 2\n\n"
        "def register():\n    Net.known = True\n    Net.size == 2\n"
    )
    found = surroundings_of(text)
    assert {name: found.of_member("Net", name) for name in ("constants", "known", "size", "count")} == {
        "constants": Standing.FIELD, "known": Standing.FIELD, "size": Standing.METHOD, "count": Standing.MISSING
    }  # fmt: skip
    assert found.of_member("Net.Part", "count") == Standing.FIELD
    assert found.classes.keys() == {"Net", "Net.Part"}
    assert surroundings_of(text.replace("Net.constants =", "Net.constants +")).of_member("Net", "constants") == (
        Standing.MISSING
    )
