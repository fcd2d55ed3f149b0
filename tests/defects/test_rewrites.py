"""Slots and rewrites: what could have been mistyped, and that undoing it restores the text."""

from __future__ import annotations

import pytest

from codehunch.defects.kinds import KINDS
from codehunch.defects.rewrites import apply, moved, slots, slots_of, variable_slots
from codehunch.defects.scopes import analyse
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import parse

ROWS = [
    # body of `def f(self, a, b, items)`, kind, the slot's text, one of its labels
    ("return a + b", "variable-misuse", "a", "b"),
    ("for item in items:\n    a.append(item)", "variable-misuse", "items", "b"),
    ("return [x for x in items if x > a]", "variable-misuse", "x", "items"),
    ("return [x.y for x in items]", "variable-misuse", "x", "items"),
    ("for x in items:\n    a(x)", "variable-misuse", "items", "a"),
    ("if a < b:\n    return a", "wrong-comparison", "<", "<="),
    ("if a is not b:\n    return a", "wrong-comparison", "is not", "is"),
    ("if a not in items:\n    return a", "wrong-comparison", "not in", "in"),
    ("return a and b", "wrong-boolean-operator", "and", "or"),
    ("return a - b", "wrong-binary-operator", "-", "+"),
    ("a += b", "wrong-binary-operator", "+=", "-="),
    ("if not a:\n    return b", "wrong-negation", "not ", ""),
    ("while a:\n    b()", "wrong-negation", "a", "not"),
    ("return g(a, b)", "argument-swap", "a", "b, a"),
    ("return items[1]", "off-by-one", "1", "2"),
    ("return True", "wrong-literal", "True", "False"),
    ("return g('x', 'y')", "wrong-literal", "'x'", "'y'"),
    ("return self.left + self.right", "wrong-attribute", "left", "right"),
    ("return min(a, b)", "wrong-call", "min", "max"),
    ("return a.strip() + a.lower()", "wrong-call", "strip", "lower"),
    ("return a.strip()", "missing-call-parentheses", "strip", ""),
    ("return a", "missing-return", "return ", ""),
    ("raise ValueError(a)", "missing-raise", "raise ", ""),
    ("return self.left", "missing-self", "self.", "left"),
    ("return f'{a}'", "missing-f-prefix", "f'", ""),
]


def _slots(body: str):
    text = "def f(self, a, b, items):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    parsed = parse(text)
    (_, node), *_ = function_nodes(parsed)
    return text, slots(parsed, node)


@pytest.mark.parametrize(("body", "kind", "at", "label"), ROWS)
def test_slot(body: str, kind: str, at: str, label: str) -> None:
    text, found = _slots(body)
    matching = [slot for slot in found if slot.kind == kind and slot.span.of(text) == at]
    assert matching, [(slot.kind, slot.span.of(text)) for slot in found]
    assert label in [rewrite.label for slot in matching for rewrite in slot.rewrites]


def test_strings_within_an_f_string_keep_its_quotes() -> None:
    body = """a('x', "it's", 'y', '\\\\n')\nreturn f"{b['x']} {items('y')}\""""
    text, found = _slots(body)
    inner = [slot for slot in found if slot.kind == "wrong-literal" and slot.span.start > text.index("return")]
    assert {rewrite.label for slot in inner for rewrite in slot.rewrites} == {"'x'", "'y'"}


def test_other_quotes_are_no_other_string() -> None:
    text, found = _slots("""return a('x', "x", 'y')""")
    labels = {
        slot.span.of(text): {rewrite.label for rewrite in slot.rewrites}
        for slot in found
        if slot.kind == "wrong-literal"
    }
    assert labels == {"'x'": {"'y'"}, '"x"': {"'y'"}, "'y'": {"'x'", '"x"'}}


@pytest.mark.parametrize(
    ("body", "kind", "at"),
    [
        ("a = 1\nreturn other", "variable-misuse", "other"),  # not a local name
        ("a.b = 1", "variable-misuse", "b"),  # an attribute is no variable
        ("return g(a=b)", "variable-misuse", "a"),  # neither is a keyword
        ("a = b", "variable-misuse", "a"),  # nor a target
        ("return self.x", "variable-misuse", "self"),  # nobody mistypes self
        ("return 'a %s' % b", "wrong-binary-operator", "%"),  # formatting
        ("return g(a, a)", "argument-swap", "a"),  # swapping changes nothing
        ("return 12345678", "off-by-one", "12345678"),  # a magic number
        ("x: int = a", "variable-misuse", "int"),
    ],
)
def test_no_slot(body: str, kind: str, at: str) -> None:
    text, found = _slots(body)
    assert not [slot for slot in found if slot.kind == kind and slot.span.of(text) == at]


def test_names_bound_later_or_elsewhere_are_out_of_scope() -> None:
    text, found = _slots("x = a\nlater = 1\ndef inner(hidden):\n    return hidden")
    labels = {
        rewrite.label
        for slot in found
        if slot.kind == "variable-misuse" and slot.span.of(text) == "a"
        for rewrite in slot.rewrites
    }
    assert labels == {"b", "items"}


def test_a_loop_does_not_iterate_over_its_own_variable() -> None:
    text, found = _slots("for x in items:\n    a(x)")
    labels = [rewrite.label for slot in found if slot.span.of(text) == "items" for rewrite in slot.rewrites]
    assert "x" not in labels


@pytest.mark.parametrize(("body", "kind", "at", "label"), ROWS)
def test_every_rewrite_changes_the_program_where_it_is_anchored(body: str, kind: str, at: str, label: str) -> None:
    text, found = _slots(body)
    for slot in found:
        for rewrite in slot.rewrites:
            changed = apply(text, rewrite.edits)
            assert changed != text
            assert not parse(changed).tree.root_node.has_error, changed
            for anchor in rewrite.anchors:
                assert 0 < moved(anchor, rewrite.edits) < len(changed)


def test_kinds_of_slots_are_rows_of_the_table() -> None:
    names = {kind.name for kind in KINDS}
    assert {kind for _, kind, _, _ in ROWS} <= names


def test_codes_and_names_are_unique() -> None:
    assert len({kind.code for kind in KINDS}) == len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.message.count("{token}") == 1 for kind in KINDS)


def test_the_slots_of_one_kind_are_those_of_all() -> None:
    text = (
        "async def f(a, c, b=1):\n    if a and not b < 2 and True:\n        raise ValueError('x')\n"
        "    a.one.two += -b\n    await a.load(b, c)\n    assert a.three() is f'{b}', a.four\n"
        "    return self.five + g(a)[0]\n"
    )
    parsed = parse(text)
    node = next(node for _, node in function_nodes(parsed))
    found = slots(parsed, node)
    kinds = {slot.kind for slot in found}
    assert len(kinds) == 16
    for kind in kinds - {"variable-misuse"}:
        assert slots_of(parsed, node, kind) == [slot for slot in found if slot.kind == kind], kind
    assert slots_of(parsed, node, "missing-argument") == []
    at = text.index("b, c)")
    assert list(variable_slots(parsed, analyse(node), at)) == [
        slot for slot in found if slot.kind == "variable-misuse" and slot.span.start == at
    ]
