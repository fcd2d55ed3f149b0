"""Names that have no value where they are read: each is told, once a function, however many there are."""

from __future__ import annotations

import attrs
import pytest

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import default_bundle
from codehunch.defects.bindings import surroundings_of
from codehunch.defects.confidence import Evidence, confidence
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.findings import Finding
from codehunch.defects.fixing import fix
from codehunch.defects.imports import with_imports
from codehunch.defects.repairs import is_valueless
from codehunch.defects.surroundings import OF_PYTHON_2, Standing
from codehunch.defects.units import cut
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.text import SourceText


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    found = default_bundle("defects")
    assert found is not None
    return found


REPORT = '''\
def report(folder, names):
    """Sizes of the files in a folder, and their sum."""
    started = time.perf_counter()
    found = defaultdict(int)
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            logger.warning("%s is not there", path)
            continue
        found[name] += os.path.getsize(path)
    print(json.dumps(found), time.perf_counter() - started)
    return Counter(found)
'''


def test_all_are_told_once(bundle: Bundle) -> None:
    found = Detector(bundle).check(SourceText(REPORT), options=CheckOptions(sensitivity="low"))
    told = [(REPORT[each.span.start : each.span.end], each.span.start) for each in found]
    names = ["time", "defaultdict", "os", "logger", "json", "Counter"]
    assert told == [(name, REPORT.index(name + ("(" if name in ("defaultdict", "Counter") else "."))) for name in names]


def test_a_suspicion_of_one_counts_as_it_is() -> None:
    evidence = Evidence(suspicion=0.7, sequence=0.2, mended=None, sequence_mended=None, options=20)
    weights = {"bias": -3.0, "suspicion": 0.3}
    assert confidence(evidence, weights) < 0.1
    assert confidence(attrs.evolve(evidence, valueless=True), weights) == 0.7
    assert confidence(attrs.evolve(evidence, valueless=True), {"bias": 3.0}) > 0.9  # Never less than was fitted.


TWO_PYTHONS = """\
def read(source):
    count = 0
    if isinstance(source, basestring):
        count += 1
    later += count
    return name, self.name, later, source, file, long, xrange
"""


def test_which_names_are_without_a_value() -> None:
    parsed = parse(SourceText(TWO_PYTHONS))
    unit = cut(parsed, find_functions(parsed)[0], surroundings_of(TWO_PYTHONS))
    valueless = {unit.lexemes[at].text for at in range(len(unit.lexemes)) if is_valueless(unit, at)}
    assert valueless == {"later", "name", "self", "file", "long"}, "who writes `xrange` means Python 2"


@pytest.mark.parametrize(
    "line",
    [
        "import six",
        "PY3 = sys.version_info[0] == 3",
        "if sys.version_info.major < 3: pass",
        "if sys.version_info >= (3,): pass",
        "if sys.version_info < (3, 0, 0): pass",
        "from .compat import PY2",
        "try:\n    text = unicode\nexcept NameError:\n    text = str",
    ],
)
def test_a_file_for_two_pythons_has_the_names_of_both(line: str) -> None:
    known = surroundings_of(f"import sys\n{line}\n\n{TWO_PYTHONS}")
    assert {known.of_name(name) for name in OF_PYTHON_2} == {Standing.BUILTIN}
    assert known.of_name("baestring") == Standing.UNBOUND
    bound = surroundings_of(f"import sys\n{line}\nlong = int\nfrom past import cmp\n")
    assert (bound.of_name("long"), bound.of_name("cmp")) == (Standing.VARIABLE, Standing.IMPORT)


@pytest.mark.parametrize("line", ["", "if sys.version_info >= (3, 8): pass", "if sys.version_info >= (3, 11): pass"])
def test_a_file_for_python_3_has_not(line: str) -> None:
    known = surroundings_of(f"import sys\n{line}\n")
    assert {known.of_name(name) for name in OF_PYTHON_2} == {Standing.UNBOUND}


def test_what_took_the_place_of_a_name_comes_first(bundle: Bundle) -> None:
    text = ASK
    (found,) = Detector(bundle).check(SourceText(text), options=CheckOptions(sensitivity="high"))
    assert [(edit.content, text[edit.span.start : edit.span.end]) for edit in found.fixes[0].edits] == [
        ("input", "raw_input")
    ]


ASK = '''\
def ask(question: str) -> int:
    """Ask on the terminal until a number comes."""
    while True:
        answer = raw_input(f"{question}: ")
        if answer.isdigit():
            return int(answer)
'''


def test_all_their_imports_are_written_at_once(bundle: Bundle) -> None:
    detector = Detector(bundle)
    done = fix(SourceText(REPORT), _asked(detector, SourceText(REPORT)), lambda source: _asked(detector, source))
    opening = done.source.text.partition("\n\ndef ")[0].splitlines()
    assert opening == ["import json", "import os", "import time", "from collections import Counter, defaultdict"]
    assert [each.span.of(done.source.text) for each in done.remaining] in ([], ["logger"])


def _asked(detector: Detector, source: SourceText) -> tuple[Finding, ...]:
    return with_imports(detector.check(source), source.text)
