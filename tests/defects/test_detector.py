"""The detector over the bundle that ships: same text, same findings, whatever surrounds them."""

from __future__ import annotations

import attrs
import pytest

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import default_bundle
from codehunch.defects.bindings import surroundings_of
from codehunch.defects.confidence import FEATURES, Evidence, confidence, kind_feature
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.findings import Edit, Finding
from codehunch.defects.inspection import inspect, mending_trials
from codehunch.defects.rewrites import Rewrite, apply
from codehunch.defects.surroundings import Standing
from codehunch.defects.units import cut, cut_statement
from codehunch.defects.verification import Place, Trial
from codehunch.inference.errors import Cancelled
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.statements import class_parts
from codehunch.syntax.text import SourceText

INVERTED = '''def remove(items, item):
    """Take one item out."""
    if item in items:
        raise KeyError(item)
    items.remove(item)
'''


UNRETURNED = "def __len__(self):\n    len(self.rows)\n"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    found = default_bundle("defects")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def eager(bundle: Bundle) -> Detector:
    """The shipped model with its alarm budget lifted, so that there is something to look at."""
    assert bundle.manifest.defects is not None
    spec = attrs.evolve(bundle.manifest.defects, thresholds={"low": 0.9, "medium": 1e-4, "high": 0.0}, candidate=0.005)
    return Detector(attrs.evolve(bundle, manifest=attrs.evolve(bundle.manifest, defects=spec)))


def _check(detector: Detector, text: str, **options: object) -> tuple[Finding, ...]:
    return detector.check(SourceText(text), options=CheckOptions(**{"sensitivity": "high", **options}))  # type: ignore[arg-type]


def _inside(text: str) -> str:
    lines = "".join("    " + line if line.strip() else line for line in text.splitlines(keepends=True))
    return f"import os\n\nclass Holder:\n    size = 1\n\n{lines}\n\ndef after():\n    return os\n"


def test_findings_are_those_of_the_function_wherever_it_stands(eager: Detector) -> None:
    alone = _check(eager, INVERTED)
    assert alone
    for surrounded in (_inside(INVERTED), "'''é😀'''\r\n" + INVERTED.replace("\n", "\r\n"), "\n\n" + INVERTED):
        text = surrounded
        found = [f for f in _check(eager, text) if f.function.rpartition(".")[2] == "remove"]
        assert [(f.code, f.span.of(text), round(f.confidence, 6)) for f in found] == [
            (f.code, f.span.of(INVERTED), round(f.confidence, 6)) for f in alone
        ]
    assert {f.function for f in _check(eager, _inside(INVERTED))} <= {"Holder.remove", "after"}


def test_a_cached_function_gives_what_a_fresh_one_gives(eager: Detector, bundle: Bundle) -> None:
    assert _check(eager, INVERTED) == _check(eager, INVERTED)


def test_fixes_apply_and_parse(eager: Detector) -> None:
    text = UNRETURNED + "\n\n" + INVERTED + "\n\n" + _inside(UNRETURNED)
    results = [apply(text, fix.edits) for finding in _check(eager, text) for fix in finding.fixes]
    assert all(changed != text and not parse(changed).tree.root_node.has_error for changed in results)
    assert text.replace("    len(", "    return len(", 1) in results


def test_a_missing_return_is_found_on_its_token_and_mended(bundle: Bundle) -> None:
    detector = Detector(bundle)
    (finding,) = detector.check(SourceText(UNRETURNED))
    assert (finding.code, finding.span.of(UNRETURNED)) == ("CH112", "len")
    mended = apply(UNRETURNED, finding.fixes[0].edits)
    assert mended == UNRETURNED.replace("len(", "return len(")
    assert detector.check(SourceText(mended)) == ()
    (other,) = detector.check(SourceText(UNRETURNED.replace("rows", "items")))  # Found, mended or not.
    assert (other.code, other.span) == (finding.code, finding.span)


MISSPELT = """def total(shelves):
    result = 0
    for shelf in shelves:
        result += shelf.width
    return resutl
"""


def test_a_name_that_nothing_in_the_file_defines(bundle: Bundle) -> None:
    """The file alone tells whether the same function is right."""
    detector = Detector(bundle)
    (finding,) = detector.check(SourceText(MISSPELT))
    assert (finding.code, finding.span.of(MISSPELT)) == ("CH101", "resutl")
    assert "(nothing in this file defines it)" in finding.message
    assert apply(MISSPELT, finding.fixes[0].edits) == MISSPELT.replace("resutl", "result")
    for binding in ("from shelves import resutl\n\n\n", "resutl = 0\n\n\n", "from shelves import *\n\n\n"):
        found = detector.check(SourceText(binding + MISSPELT))
        assert not any("defines it" in each.message for each in found)
    assert len(detector.check(SourceText("import shelves\n\n\n" + MISSPELT))) == 1


def test_a_member_that_no_class_of_the_file_has(bundle: Bundle) -> None:
    detector = Detector(bundle)
    text = (
        "class Shelf:\n    def __init__(self, width, height):\n        self.width = width\n"
        "        self.height = height\n\n    def area(self):\n        return self.width * self.heigth\n"
    )
    (finding,) = detector.check(SourceText(text))
    assert (finding.code, finding.span.of(text)) == ("CH109", "heigth")
    assert "(its class does not define it)" in finding.message
    assert not detector.check(SourceText(text.replace("heigth", "height")))


ORDERS = """from pathlib import Path


class Order:
    def __init__(self, positions, currency):
        self.positions = positions
        self.currency = currency

    def total_amount(self):
        return sum(self.positions)

    def describe(self):
        return f"{self.total_amount()} {self.currency}"


def read_order(path):
    return Order(path.read_text().split(), "EUR")


def write_report(source, target):
    order = read_order(Path(source))
    with open(target, "w") as file:
        file.write(order.describe())
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("self.total_amount()", "self.total_amont()"),
        ("read_order(Path", "read_oder(Path"),
        ("Path(source)", "Pahth(source)"),
        ("open(target", "oepn(target"),
    ],
)
def test_slips_of_names_that_only_the_file_has(bundle: Bundle, right: str, wrong: str) -> None:
    text = ORDERS.replace(right, wrong)
    found = [each for each in Detector(bundle).check(SourceText(text)) if "looks misspelt" in each.message]
    assert [apply(text, each.fixes[0].edits) for each in found] == [ORDERS]


@pytest.mark.parametrize(("wrong", "first"), [("rnage", "range"), ("print", "tuple")])
def test_a_slip_of_a_strange_name_is_mended_first(bundle: Bundle, wrong: str, first: str) -> None:
    text = f"def f(items):\n    return {wrong}(tuple(items))\n"
    parsed = parse(text)
    unit = cut(parsed, find_functions(parsed)[0], surroundings_of(text))
    places = inspect([unit], Detector(bundle).classifier, 0.0)
    at = next(i for i, lexeme in enumerate(unit.lexemes) if lexeme.text == wrong)
    place = Place(unit, places[0].place.reading, at)
    span = unit.lexemes[at].span
    trials = tuple(
        Trial("wrong-call", Rewrite((Edit(span, name),), (span.start,), name), suspicion, 0.1, spreads=False)
        for name, suspicion in (("tuple", 0.01), ("range", 0.02), ("ranges", 0.04))
    )
    evidence = attrs.evolve(places[0].evidence, suspicion=0.9, kind="wrong-call")
    found = mending_trials(attrs.evolve(places[0], place=place, trials=trials, evidence=evidence), 0.1)
    assert found[0].rewrite.label == first
    assert len(found) == 3


def test_sensitivities_are_nested(eager: Detector) -> None:
    levels = [set(_check(eager, INVERTED, sensitivity=level)) for level in ("low", "medium", "high")]
    assert levels[0] <= levels[1] <= levels[2]
    assert levels[2]


def test_suppression_select_and_ignore(eager: Detector) -> None:
    first = _check(eager, INVERTED)[0]
    row = INVERTED[: first.span.start].count("\n")
    lines = INVERTED.split("\n")
    lines[row] += f"  # codehunch: ignore[{first.code}]"
    assert first.code not in {f.code for f in _check(eager, "\n".join(lines)) if f.span == first.span}
    assert first.code not in {f.code for f in _check(eager, INVERTED, ignore=(first.code.lower(),))}
    assert {f.code for f in _check(eager, INVERTED, select=(first.kind,))} == {first.code}
    assert _check(eager, "# codehunch: ignore-file\n" + INVERTED) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeff",
        "x = 1\n",
        "def f(",
        "def f():\n    return (\n",
        "class C:\n  def f(self)\n    pass\n",
        "\x0c\n\r",
        "def f():",
    ],
)
def test_text_without_whole_functions_has_no_findings(eager: Detector, text: str) -> None:
    assert _check(eager, text) == ()


def test_a_broken_neighbour_does_not_silence_the_rest(eager: Detector) -> None:
    text = INVERTED + "\n\ndef typing(x:\n    return x\n"
    assert [f.code for f in _check(eager, text) if f.function == "remove"] == [f.code for f in _check(eager, INVERTED)]


def test_long_functions_are_read_to_their_end(eager: Detector) -> None:
    ending = "    if item not in items:\n        ValueError(f'there is no {item}')\n"
    text = "def f(items, item):\n" + "    print(items, item)\n" * 400 + ending
    found = _check(eager, text)
    assert any(text[: f.span.start].count("\n") > 400 for f in found)


def test_other_languages_have_no_findings(eager: Detector) -> None:
    assert eager.check(SourceText("int f(int a) { return a; }"), "c") == ()


def test_cancelling_stops_between_batches(bundle: Bundle) -> None:
    with pytest.raises(Cancelled):
        Detector(bundle).check(SourceText(INVERTED), cancelled=lambda: True)


@pytest.mark.parametrize("name", [name for name in FEATURES if name != "bias"])
def test_confidence_uses_each_reading(name: str) -> None:
    evidence = Evidence(suspicion=0.9, sequence=0.8, mended=None, sequence_mended=None, options=0)
    if name != "unmended":
        evidence = Evidence(0.9, 0.8, 0.1, 0.3, options=3, named=0.7, agreed=0.6, repeated=2)
    assert confidence(evidence, {"bias": 0.0, name: 1.0}) != pytest.approx(0.5)
    assert confidence(evidence, {}) == 0.9


def test_confidence_knows_the_kind() -> None:
    swap, other = (
        Evidence(suspicion=0.9, sequence=0.8, mended=None, sequence_mended=None, options=0, kind=kind)
        for kind in ("argument-swap", "off-by-one")
    )
    weights = {"bias": -1.0, "suspicion": 0.5, kind_feature("argument-swap"): 2.0}
    assert confidence(swap, weights) > confidence(other, weights)


SCRIPT = """import sys

path = sys.argv[1]
counts = {}
with open(path) as handle:
    for line in handle:
        for word in line.split():
            counts[wrod] = counts.get(word, 0) + 1
ranked = sorted(counts.items(), key=lambda item: item[1])
print(ranekd[0])
"""


def test_a_script_is_read_too(bundle: Bundle) -> None:
    detector = Detector(bundle)
    found = detector.check(SourceText(SCRIPT))
    assert [(each.span.of(SCRIPT), each.function) for each in found] == [("wrod", ""), ("ranekd", "")]
    assert [apply(SCRIPT, each.fixes[0].edits) for each in found] == [
        SCRIPT.replace("wrod", "word"), SCRIPT.replace("ranekd", "ranked")
    ]  # fmt: skip
    assert not detector.check(SourceText(SCRIPT.replace("wrod", "word").replace("ranekd", "ranked")))
    silenced = SCRIPT.replace("ranekd[0])", "ranekd[0])  # codehunch: ignore[CH101]")
    assert [each.span.of(silenced) for each in detector.check(SourceText(silenced))] == ["wrod"]


CLASSES = """from dataclasses import dataclass, field
from typing import Optional


class Base: ...


@dataclass
class Part:
    names: Optinal[int] = None
    sizes: list = field(default_factory=list)
    total = names

    class Inner:
        first = 1

    def count(self):
        return len(self.sizes)


class Other(Bsae):
    size = 0
"""


def test_what_a_class_computes_is_read(bundle: Bundle) -> None:
    """It sees its own names, and a class within does not."""
    detector = Detector(bundle)
    found = detector.check(SourceText(CLASSES), options=CheckOptions("high"))
    assert [each.span.of(CLASSES) for each in found] == ["Optinal", "Bsae"]
    mended = [apply(CLASSES, each.fixes[0].edits) for each in found]
    assert mended == [CLASSES.replace("Optinal", "Optional"), CLASSES.replace("Bsae", "Base")]
    assert {each.function for each in found} == {""}
    assert not detector.check(SourceText(CLASSES.replace("Optinal", "Optional").replace("Bsae", "Base")))
    within = CLASSES.replace("first = 1", "first = sizes")
    assert [each.span.of(within) for each in detector.check(SourceText(within))] == ["Optinal", "sizes", "Bsae"]


@pytest.mark.parametrize("line", ["root = os.getcwd()", "class Shape(ABC): ...", "print(json.dumps(Path('a')))"])
def test_a_name_outside_of_functions_that_nothing_binds_is_told(bundle: Bundle, line: str) -> None:
    """Whatever else the model would mend it by: there is no `self` there."""
    found = Detector(bundle).check(SourceText(f"from pathlib import Path\n\n{line}\n"))
    assert [(each.kind, each.fixes, each.import_margin > 0.5) for each in found] == [("variable-misuse", (), True)]


def test_what_a_class_computes_sees_its_names() -> None:
    """And a class within does not see them."""
    text = CLASSES.replace("first = 1", "first = sizes")
    file, stood = surroundings_of(text), {}
    for each in class_parts(parse(text)):
        unit = cut_statement(text, each.span, file, each.class_name)
        stood |= {(each.class_name, lexeme.text): unit.standings[at] for at, lexeme in enumerate(unit.lexemes)}
    assert stood["Part", "names"] == Standing.FIELD
    assert stood["Part", "field"] == Standing.IMPORT
    assert stood["Part.Inner", "sizes"] == Standing.UNBOUND


GENERIC = """from collections.abc import Callable


class Table[Key, *Cells, **Rest]:
    first: Key

    def put(self, key: Key, *cells: *Cells) -> dict[Key, tuple]:
        rows: dict[Key, tuple] = {key: cells}
        return rows

    class Inner:
        def get(self) -> Callable[Rest, Key]:
            return self.found


type Pair[Left] = tuple[Left, Left]


def first[Item: (int, str)](rows: list[Item], pair: Pair[int]) -> Item:
    type Alike[Other] = dict[Item, Other]
    found: Alike[int] = {rows[0]: 1}

    def second[Deep](row: Deep) -> tuple[Deep, Item]:
        return row, rows[1]

    return second(found)[1]
"""


def test_type_parameters_are_names(bundle: Bundle) -> None:
    assert not Detector(bundle).check(SourceText(GENERIC), options=CheckOptions("high"))
    broken = GENERIC.replace("    first: Key\n", "    first: (\n")
    assert not Detector(bundle).check(SourceText(broken), options=CheckOptions("high"))


def test_a_line_alone_says_little(eager: Detector) -> None:
    """Only that a name is defined nowhere: all else takes a function or a block around it."""
    text = "import math\nsize = math.pi\nroom = size - 2\nprint(size == 3, rome)\nalias = print\n"
    assert {each.span.of(text) for each in _check(eager, text)} <= {"rome"}
    block = "for each in range(3):\n    print(each)\n    len(each)\n"
    assert "missing-return" not in {each.kind for each in _check(eager, block)}


def test_a_statement_reads_the_same_in_any_company(eager: Detector) -> None:
    alone = SCRIPT[SCRIPT.index("with") : SCRIPT.index("ranked =")]
    file = surroundings_of(SCRIPT)
    one = eager.check(SourceText(alone), options=CheckOptions("high"), surroundings=file)
    all_of_it = _check(eager, SCRIPT)
    shift = SCRIPT.index("with")
    assert one
    assert [(each.span.start + shift, each.confidence) for each in one] == [
        (each.span.start, each.confidence) for each in all_of_it if each.span.start < SCRIPT.index("ranked =")
    ]


@pytest.mark.parametrize(("first", "kinds"), [("self, ", {"missing-self"}), ("", set()), ("cls, ", set())])
def test_where_there_is_no_self_it_is_not_missing(eager: Detector, first: str, kinds: set[str]) -> None:
    text = f"class Kept:\n    def store({first}key, value):\n        items[key] = value\n        return len(items)\n"
    found = _check(eager, text)
    assert "items" in {each.span.of(text) for each in found}
    assert {each.kind for each in found if each.span.of(text) == "items"} & {"missing-self"} == kinds
    inserted = {edit.content for each in found for fix in each.fixes for edit in fix.edits}
    assert ("self." in inserted) == bool(kinds)
