"""Imports that are missing: the table, where a statement goes, and what the shipped model makes of it."""

from __future__ import annotations

import ast
from importlib import resources

import attrs
import pytest

from codehunch.bundles.store import default_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.findings import Finding, Fix
from codehunch.defects.fixing import fix
from codehunch.defects.imports import Find, imports_of, together, with_imports
from codehunch.defects.rewrites import apply
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText


def test_every_statement_of_the_table_binds_its_name() -> None:
    text = resources.files("codehunch.defects").joinpath("imports.txt").read_text(encoding="utf-8")
    statements = [line for line in text.splitlines() if line]
    assert len(statements) == len(set(statements)) > 500
    for statement in statements:
        (node,) = ast.parse(statement).body
        assert isinstance(node, ast.Import | ast.ImportFrom)
        (alias,) = node.names
        assert statement.split()[-1] == (alias.asname or alias.name)


@pytest.mark.parametrize(
    ("name", "member", "first"),
    [
        ("os", None, "import os"),
        ("np", "zeros", "import numpy as np"),
        ("datetime", "now", "from datetime import datetime"),
        ("datetime", "timedelta", "import datetime"),
        ("copy", "deepcopy", "import copy"),
        ("traceback", "format_exc", "import traceback"),
        ("traceback", None, None),
        ("path", "join", None),
        ("nobody_imports_this", "x", None),
    ],
)
def test_what_a_name_stands_for(name: str, member: str | None, first: str | None) -> None:
    assert next(iter(imports_of(name, member)), None) == first


def _one(*statements: str) -> Find:
    return lambda name, member: statements


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x\n", "import os\n\nx\n"),
        ("#!/bin/python\n# -*- coding: utf-8 -*-\n\nx\n", "#!/bin/python\n# -*- coding: utf-8 -*-\n\nimport os\n\nx\n"),
        ('"""Doc."""\nx\n', '"""Doc."""\n\nimport os\nx\n'),
        ('"""Doc."""\n# note\nimport re  # why\n\nx\n', '"""Doc."""\n# note\nimport re  # why\nimport os\n\nx\n'),
        ("from __future__ import annotations\nx\n", "from __future__ import annotations\nimport os\nx\n"),
        ("import re\r\n\r\nx\r\n", "import re\r\nimport os\r\n\r\nx\r\n"),
        ("import re; x", "import re; x\nimport os\n"),
        ("from a import (\n    b,\n)\nx\n", "from a import (\n    b,\n)\nimport os\nx\n"),
        ("def f():\n    import re\nx\nimport b\n", "import os\n\ndef f():\n    import re\nx\nimport b\n"),
        ("if 1:\n    import re\nx\n", "import os\n\nif 1:\n    import re\nx\n"),
        ("\ngröße = 'Ωβ'\nx\n", "\nimport os\n\ngröße = 'Ωβ'\nx\n"),
    ],
)
def test_where_an_import_goes(before: str, after: str) -> None:
    assert apply(before, _placed(before, "import os")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from os import path\nx\n", "from os import path, sep\nx\n"),
        (
            "from os import (\n    path,\n    walk as w,  # all\n)\nx\n",
            "from os import (\n    path,\n    walk as w, sep,  # all\n)\nx\n",
        ),
        ("from os import *\nx\n", "from os import *\nfrom os import sep\nx\n"),
        ("from .os import path\nx\n", "from .os import path\nfrom os import sep\nx\n"),
        ("from o.s import path\nx\n", "from o.s import path, sep\nx\n"),
    ],
)
def test_a_name_joins_others_of_its_module(before: str, after: str) -> None:
    assert apply(before, _placed(before, "from os import sep", "from o.s import sep")) == after


def _placed(text: str, *statements: str) -> tuple:
    at = text.rindex("x")
    finding = Finding("CH105", "missing-self", "?", Span(at, at + 1), "", 0.9, import_margin=0.8)
    (found,) = with_imports([finding], text, _one(*statements))
    assert (found.code, found.kind, found.fixes[0].margin) == ("CH101", "variable-misuse", 0.8)
    assert found.fixes[0].imports == statements
    return found.fixes[0].edits


def test_without_a_statement_a_finding_stays_as_it_is() -> None:
    finding = Finding("CH101", "variable-misuse", "?", Span(0, 1), "", 0.9, import_margin=0.8)
    assert with_imports([finding], "x\n", _one()) == (finding,)


BARE = '''"""Doc."""

from __future__ import annotations

from typing import Any


class Box:
    def __init__(self, made: Callable[[Any], int]) -> None:
        self.made = made
        self.traceback = None


def read(path):
    with open(os.path.join(path, "x.json")) as file:
        return json.load(file)


def kept(path):
    return os.path.getsize(path)


def passed(Callables):
    return [each() for each in Callables]
'''


@pytest.fixture(scope="module")
def detector() -> Detector:
    bundle = default_bundle("defects")
    assert bundle is not None
    return Detector(bundle)


def test_the_shipped_model_wants_the_imports_and_is_content_with_them(detector: Detector) -> None:
    def check(source: SourceText) -> tuple[Finding, ...]:
        return with_imports(detector.check(source, options=CheckOptions("high")), source.text)

    found = check(SourceText(BARE))
    assert {each.span.of(BARE) for each in found} == {"Callable", "os", "json"}
    done = fix(SourceText(BARE), found, check)
    assert done.remaining == ()
    added = set(done.source.text.splitlines()) - set(BARE.splitlines())
    assert added == {"from typing import Any, Callable", "import os", "import json"}
    ast.parse(done.source.text)


def test_a_member_of_the_class_is_no_missing_import(detector: Detector) -> None:
    text = "class Job:\n    def __init__(self, json):\n        self.json = json\n\n"
    text += "    def size(self):\n        return len(json)\n"
    found = detector.check(SourceText(text), options=CheckOptions("high"))
    assert any(each.span.of(text) == "json" for each in found)
    assert not any(each.import_margin for each in found)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            "x\n",
            "import json\nimport time\nfrom collections import Counter, defaultdict\nfrom os.path import join\n\nx\n",
        ),
        (
            '"""Doc."""\r\n\r\nx\r\n',
            '"""Doc."""\r\n\r\nimport json\r\nimport time\r\nfrom collections import Counter, defaultdict\r\n'
            "from os.path import join\r\n\r\nx\r\n",
        ),
        (
            "from collections import abc\nx\n",
            "from collections import abc, Counter, defaultdict\nimport json\nimport time\n"
            "from os.path import join\nx\n",
        ),
    ],
)
def test_several_imports_stand_in_one_block(text: str, after: str) -> None:
    statements = {
        "time": "import time",
        "join": "from os.path import join",
        "json": "import json",
        "Counter": "from collections import Counter",
        "defaultdict": "from collections import defaultdict",
    }
    fixes = [
        attrs.evolve(FIX, edits=_placed(text, statement), imports=(statement,))
        for statement in [*statements.values(), statements["json"]]
    ]
    assert not any(one.collides(two) for one in fixes for two in fixes)
    assert apply(text, together(fixes)) == after


FIX = Fix("", (), 0.9)
