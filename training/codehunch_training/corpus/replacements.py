"""Kinds of fixes that replace one piece of a statement by another."""

from __future__ import annotations

from codehunch_training.corpus.difference import Change, Item
from codehunch_training.corpus.rejections import reads_as_prose, reject_conversion, reject_messages
from codehunch_training.corpus.statements import rewritten
from codehunch_training.corpus.verdict import LARGEST_EDIT, NotADefect, Verdict, contains, range_of, size_of

_COMPARISONS = {"<", "<=", ">", ">=", "==", "!=", "is", "is not", "in", "not in"}
_LITERALS = {"integer", "float", "string", "true", "false", "none"}
_NAMES = {"identifier"}


def token_for_token(change: Change, old: Item, new: Item) -> Verdict:
    """One token became another."""
    parent = change.parent.type
    here = (range_of(old),)
    if parent == "comparison_operator" and old.type in _COMPARISONS and new.type in _COMPARISONS:
        sides = {change.before.type if change.before else "", change.after.type if change.after else ""}
        if {old.type, new.type} in ({"==", "is"}, {"!=", "is not"}):
            raise NotADefect("style of comparison")
        if {old.type, new.type} in ({"!=", "is"}, {"==", "is not"}) and not sides & {"none", "true", "false"}:
            return Verdict("wrong-comparison", here)
        return Verdict("wrong-comparison", here)
    if parent == "boolean_operator" and {old.type, new.type} == {"and", "or"}:
        return Verdict("wrong-boolean-operator", here)
    if parent in ("binary_operator", "augmented_assignment", "unary_operator") and not old.type.isidentifier():
        return Verdict("wrong-binary-operator", here)
    if old.type in _LITERALS and new.type in _LITERALS:
        return _literals(change, old, new)
    if old.type == "identifier" and new.type == "identifier":
        return _names(change, old, new)
    if {old.type, new.type} & _LITERALS and {old.type, new.type} & _NAMES:
        if old.type == "identifier":
            return Verdict("variable-misuse", here) if new.type != "string" else rewritten(change)
        if old.type == "string" and reads_as_prose(old.text):
            raise NotADefect("message text")
        return Verdict("wrong-literal", here)
    return rewritten(change)


def _literals(change: Change, old: Item, new: Item) -> Verdict:
    here = (range_of(old),)
    holder = change.parent.type
    if old.type == new.type == "string":
        a, b = old.text.split(b'"', 1), new.text.split(b'"', 1)
        if a[1] == b[1]:
            if b[0] == b"f" + a[0]:
                return Verdict("missing-f-prefix", here)
            raise NotADefect("string prefix")
        if min(len(a[1]), len(b[1])) == 0 and holder == "assignment":
            raise NotADefect("configuration")
        if reads_as_prose(a[1]) or reads_as_prose(b[1]):
            raise NotADefect("message text")
        return Verdict("wrong-literal", here)
    if old.type == new.type == "integer":
        try:
            near = abs(int(old.text, 0) - int(new.text, 0)) == 1
        except ValueError:
            near = False
        if holder in ("keyword_argument", "assignment", "default_parameter", "pair", "expression_list"):
            raise NotADefect("configuration")
        if near:
            return Verdict("off-by-one", here)
        if len(old.text) > 3 or len(new.text) > 3:
            raise NotADefect("configuration")
        return Verdict("wrong-literal", here)
    if {old.type, new.type} <= {"integer", "float"} and holder in ("keyword_argument", "assignment", "pair"):
        raise NotADefect("configuration")
    if {old.type, new.type} in ({"integer", "true"}, {"integer", "false"}):
        raise NotADefect("style of literal")
    return Verdict("wrong-literal", here)


def _names(change: Change, old: Item, new: Item) -> Verdict:
    here = (range_of(old),)
    parent, holder = change.parent, change.path[-2] if len(change.path) > 1 else change.parent
    if parent.type == "keyword_argument" and parent.children[0] is old:
        raise NotADefect("keyword argument renamed")
    if parent.type == "attribute" and parent.children[-1] is old:
        called = holder.type == "call" and holder.children[0] is parent
        return Verdict("wrong-call" if called else "wrong-attribute", here)
    if parent.type == "call" and parent.children[0] is old:
        return Verdict("wrong-call", here)
    if parent.type == "function_definition":
        raise NotADefect("signature or decorator")
    return Verdict("variable-misuse", here)


def _negation(change: Change, old: Item, new: Item) -> Verdict | None:
    if new.type == "not_operator" and new.children[-1].key == old.key:
        return Verdict("wrong-negation", (range_of(old.first),))
    if old.type == "not_operator" and old.children[-1].key == new.key:
        return Verdict("wrong-negation", (range_of(old.children[0]),))
    if old.type == "not_operator" and new.type == "comparison_operator":
        inner = old.children[-1]
        if inner.type == "comparison_operator" and len(inner.children) == len(new.children):
            flipped = {inner.children[1].type, new.children[1].type}
            if flipped in ({"in", "not in"}, {"is", "is not"}, {"==", "!="}):
                raise NotADefect("style of comparison")
    return None


def _keyword_prefix(change: Change, old: Item, new: Item) -> Verdict | None:
    for type_, kind in (("await", "missing-await"),):
        if new.type == type_ and new.children[-1].key == old.key:
            return Verdict(kind, (range_of(old.first),))
        if old.type == type_ and old.children[-1].key == new.key:
            return Verdict("wrong-statement", (range_of(old.first),))
    if old.type == "expression_statement" and len(old.children) == 1:
        for type_, kind in (("return_statement", "missing-return"), ("raise_statement", "missing-raise")):
            if new.type == type_ and len(new.children) == 2 and new.children[1].key == old.children[0].key:
                return Verdict(kind, (range_of(old.first),))
        inner = old.children[0]
        awaited = new.children[0] if new.type == "expression_statement" else inner
        if awaited.type == "await" and awaited.children[-1].key == inner.key:
            return Verdict("missing-await", (range_of(old.first),))
    leaving = old.type in ("return_statement", "raise_statement") and len(old.children) == 2
    if leaving and new.type == "expression_statement" and new.children[0].key == old.children[1].key:
        return Verdict("wrong-statement", (range_of(old.first),))
    if old.type in ("return_statement", "raise_statement") and new.type in ("return_statement", "raise_statement"):
        return Verdict("wrong-statement", (range_of(old.first),)) if size_of(change) <= LARGEST_EDIT else None
    return None


def _self(change: Change, old: Item, new: Item) -> Verdict | None:
    if old.type != "identifier" or new.type != "attribute" or len(new.children) != 3:
        return None
    owner, name = new.children[0], new.children[-1]
    if owner.text in (b"self", b"cls") and name.key == old.key:
        return Verdict("missing-self", (range_of(old),))
    return None


def _call(change: Change, old: Item, new: Item) -> Verdict | None:
    bare = old.type in ("identifier", "attribute") and new.type == "call" and len(new.children[-1].children) == 2
    if bare and new.children[0].key == old.key:
        return Verdict("missing-call-parentheses", (range_of(old.last),))
    if old.type == "call" and old.children[0].key == new.key and len(old.children[-1].children) <= 2:
        return Verdict("wrong-call", (range_of(old.children[0].last),))
    extra = size_of(change)
    if new.type == "call" and extra <= LARGEST_EDIT and contains(new, old.key):
        reject_messages(new)
        if new.children[0].last.text in (b"str", b"repr", b"list", b"encode", b"decode", b"bytes", b"tuple", b"_"):
            reject_conversion(new.children[0].last.text)
        return Verdict("missing-call", (range_of(old.first),))
    if old.type == "call" and extra <= LARGEST_EDIT and contains(old, new.key):
        name = old.children[0].last
        if name.text in (b"list", b"_", b"encode", b"decode", b"unicode"):
            reject_conversion(name.text)
        return Verdict("wrong-call", (range_of(name),))
    return None


def _off_by_one(change: Change, old: Item, new: Item) -> Verdict | None:
    for outer, inner in ((new, old), (old, new)):
        if outer.type != "binary_operator" or len(outer.children) != 3:
            continue
        left, operator, right = outer.children
        if operator.type in ("+", "-") and right.type == "integer" and right.text == b"1" and left.key == inner.key:
            where = old.last if outer is new else operator
            return Verdict("off-by-one", (range_of(where),))
    return None


def _augmented(change: Change, old: Item, new: Item) -> Verdict | None:
    same = old.children and new.children and old.children[0].key == new.children[0].key
    if {old.type, new.type} == {"assignment", "augmented_assignment"} and same and old.last.key == new.last.key:
        return Verdict("wrong-binary-operator", (range_of(old.children[1]),))
    return None


def _literal_prefix(change: Change, old: Item, new: Item) -> Verdict | None:
    """``"{x}"`` became ``f"{x}"``: one string has interpolations, the other the same characters."""
    if old.type != "string" or new.type != "string" or old.children or not new.children:
        return None
    content = old.text.split(b'"', 1)[1]
    names = [leaf.text for leaf in new.leaves() if leaf.type == "identifier"]
    literal = b"".join(leaf.text for leaf in new.leaves() if leaf.type == "string_content")
    if (
        b"{" in content
        and names
        and all(name in content for name in names)
        and literal.replace(b"{{", b"{") in content.replace(b"{", b"").replace(b"}", b"") + content
    ):
        return Verdict("missing-f-prefix", (range_of(old),))
    if _squeezed(content) == _squeezed(b"".join(leaf.text for leaf in list(new.leaves())[1:])):
        return Verdict("missing-f-prefix", (range_of(old),))
    return None


def _squeezed(text: bytes) -> bytes:
    return b"".join(text.split())


def _attribute(change: Change, old: Item, new: Item) -> Verdict | None:
    if old.type == "attribute" and new.type in ("attribute", "identifier") and size_of(change) <= 3:
        if new.type == "attribute" and old.children[-1].key != new.children[-1].key:
            return Verdict("wrong-attribute", (range_of(old.last),))
        if contains(old, new.key):
            return Verdict("wrong-attribute", (range_of(old.last),))
        return Verdict("variable-misuse", (range_of(old.first),))
    if old.type == "identifier" and new.type == "attribute" and len(list(new.leaves())) <= 5:
        if contains(new, old.key):
            if new.children[0].key == old.key:
                return Verdict("wrong-attribute", (range_of(old),))
            return Verdict("variable-misuse", (range_of(old),))
        return Verdict("variable-misuse", (range_of(old),))
    return None


def _star(change: Change, old: Item, new: Item) -> Verdict | None:
    if change.parent.type == "argument_list" and new.type in ("list_splat", "dictionary_splat"):
        return Verdict("missing-star", (range_of(old.first),)) if new.children[-1].key == old.key else None
    return None


SHAPES = (_negation, _keyword_prefix, _star, _self, _call, _off_by_one, _augmented, _literal_prefix, _attribute)
"""Tried in this order on pieces of more than one token; the first that knows the edit names its kind."""
