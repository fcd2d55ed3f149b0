"""Which kind of defect an edit fixed: from changed subtrees to a kind name and the wrong lexemes.

What is visibly no bug (renames, messages, style, signatures, configuration, Python 2 to 3) is rejected with a reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import attrs

from codehunch_training.corpus.difference import STATEMENTS, Change, Item
from codehunch_training.corpus.evidence import CONFUSED, Evidence, evidence_of

_COMPARISONS = {"<", "<=", ">", ">=", "==", "!=", "is", "is not", "in", "not in"}
_LITERALS = {"integer", "float", "string", "true", "false", "none"}
_NAMES = {"identifier"}
_SIGNATURE = {
    "parameters",
    "default_parameter",
    "lambda_parameters",
    "decorator",
    "typed_parameter",
    "list_splat_pattern",
}
_IMPORTS = {"import_statement", "import_from_statement", "dotted_name", "future_import_statement", "global_statement"}
_TWO_TO_THREE = frozenset(
    b"""unicode basestring urlencode urlopen urllib quote unquote quote_plus xrange raw_input iteritems iterkeys
    itervalues has_key unichr long cmp reduce func_name
    func_code im_func im_self im_class maxint StringIO cStringIO urllib2 urlparse izip imap ifilter string_types
    text_type binary_type PY2 PY3 six __nonzero__ __unicode__ sys_exc_clear getargspec getfullargspec
    asyncio_coroutine assertEquals assertRaisesRegexp warn ensure_future get_event_loop utcnow
    utcfromtimestamp collections_abc
    ugettext smart_unicode force_unicode force_text smart_text print exec""".split()
)
_MESSAGES = re.compile(
    rb"(?i)^(?:log|logger|logging|warn|warnings|print|debug|info|warning|error|critical|exception|fatal|write_error"
    rb"|secho|echo|usage|help|fail|abort|message|msg|output|report|notify|announce|add_argument|deprecate\w*|skip|skipif|addoption)$"
)
_KEYWORDS = frozenset(b"help message msg description desc reason doc epilog metavar title label text".split())
LARGEST_EDIT = 8
"""Lexemes a single statement's edit may replace or add; larger ones are rewrites."""


class NotADefect(Exception):
    """The edit is rejected; ``args[0]`` is the reason, a few words that are counted."""


@attrs.frozen
class Verdict:
    """A kind name of ``codehunch.defects.kinds`` and the wrong lexemes as byte ranges of the file."""

    kind: str
    spans: tuple[tuple[int, int], ...]
    evidence: Evidence = "elsewhere"


@attrs.frozen
class FileWords:
    """How often each name stands in the old function's code, and each word in the old and the new file."""

    old_function: Counter[bytes]
    old_file: Counter[bytes]
    new_file: Counter[bytes]


_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")


def words_of(data: bytes) -> Counter[bytes]:
    return Counter(_WORD.findall(data))


def names_of(function: Item) -> Counter[bytes]:
    return Counter(leaf.text for leaf in function.leaves() if leaf.type == "identifier")


def classify(changes: Sequence[Change], words: FileWords) -> Verdict:
    """The kind of one small fix. Raises NotADefect."""
    verdict = _classify(changes, words)
    return attrs.evolve(verdict, evidence=evidence_of(verdict.kind, changes, words.old_function, words.old_file))


def _classify(changes: Sequence[Change], words: FileWords) -> Verdict:
    if not changes:
        raise NotADefect("comments, docstrings, annotations or layout")
    if len(changes) > 4:
        raise NotADefect("several places")
    swap = _swap(changes)
    if swap is not None:
        return swap
    verdicts = [_of_change(change, words) for change in changes]
    kinds = {verdict.kind for verdict in verdicts}
    spans = tuple(sorted({span for verdict in verdicts for span in verdict.spans}))
    _reject_rename(changes, words)
    if len(kinds) == 1 and (len(changes) == 1 or kinds != {"wrong-statement"}):
        if len(changes) > 1 and len({_signature_of(change) for change in changes}) > 1 and not _one_statement(changes):
            raise NotADefect("several places")
        if len(changes) > 2:
            raise NotADefect("several places")
        return Verdict(kinds.pop(), spans)
    if _one_statement(changes) and sum(map(_size, changes)) <= LARGEST_EDIT:
        return Verdict("wrong-statement", spans)
    raise NotADefect("several places")


def _signature_of(change: Change) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(item.key for item in change.old), tuple(item.key for item in change.new)


def _one_statement(changes: Sequence[Change]) -> bool:
    return len({id(change.statement) for change in changes}) == 1


def _size(change: Change) -> int:
    old = sum(1 for item in change.old for _ in item.leaves())
    new = sum(1 for item in change.new for _ in item.leaves())
    return abs(new - old) if _wraps(change) else max(old, new)


def _wraps(change: Change) -> bool:
    if len(change.old) != 1 or len(change.new) != 1:
        return False
    old, new = change.old[0], change.new[0]
    return _contains(old, new.key) or _contains(new, old.key)


def _contains(outer: Item, key: int) -> bool:
    stack = list(outer.children)
    while stack:
        item = stack.pop()
        if item.key == key:
            return True
        stack.extend(item.children)
    return False


def _swap(changes: Sequence[Change]) -> Verdict | None:
    """Two arguments of one call that changed places."""
    if len(changes) != 2 or any(len(change.old) != 1 or len(change.new) != 1 for change in changes):
        return None
    one, two = changes
    if one.parent is not two.parent or one.parent.type != "argument_list":
        return None
    if one.old[0].key != two.new[0].key or two.old[0].key != one.new[0].key:
        return None
    return Verdict("argument-swap", tuple(_range(change.old[0].first) for change in changes))


def _reject_rename(changes: Sequence[Change], words: FileWords) -> None:
    """A name that vanishes from the file, or a new one the old file never had, speaks of a rename elsewhere."""
    for change in changes:
        pair = _leaf_pair(change)
        if pair is None or pair[0].type != "identifier" or pair[1].type != "identifier":
            continue
        old, new = pair[0].text, pair[1].text
        if old in _TWO_TO_THREE or new in _TWO_TO_THREE:
            raise NotADefect("Python 2 to 3")
        if words.old_file[old] >= 2 and not words.new_file[old]:
            raise NotADefect("rename")
        if not words.old_file[new] and {old, new} not in CONFUSED:
            raise NotADefect("name new to the file")
        if old.lower().replace(b"_", b"") == new.lower().replace(b"_", b""):
            raise NotADefect("rename")


def _leaf_pair(change: Change) -> tuple[Item, Item] | None:
    if len(change.old) != 1 or len(change.new) != 1 or change.old[0].children or change.new[0].children:
        return None
    return change.old[0], change.new[0]


def _range(item: Item) -> tuple[int, int]:
    return item.start, item.end


def _of_change(change: Change, words: FileWords) -> Verdict:
    _reject_places(change)
    if not change.old:
        return _inserted(change, words)
    if not change.new:
        return _deleted(change)
    if len(change.old) > 1 or len(change.new) > 1:
        return _statement(change)
    old, new = change.old[0], change.new[0]
    _reject_words(old, new)
    pair = _leaf_pair(change)
    if pair is not None:
        return _leaf(change, *pair)
    for shape in (_negation, _keyword_prefix, _self, _call, _off_by_one, _augmented, _literal_prefix, _attribute):
        verdict = shape(change, old, new)
        if verdict is not None:
            return verdict
    return _statement(change)


def _reject_places(change: Change) -> None:
    for depth, item in enumerate(reversed(change.path)):
        if item.type in _SIGNATURE:
            raise NotADefect("signature or decorator")
        if item.type in _IMPORTS:
            raise NotADefect("import")
        if item.type == "type":
            raise NotADefect("annotation")
        if item.type == "call" and depth < 8 and _MESSAGES.match(item.children[0].last.text):
            raise NotADefect("message text")
        if item.type == "raise_statement" and _is_text(change):
            raise NotADefect("message text")
        if item.type == "keyword_argument" and item.children[0].text in _KEYWORDS:
            raise NotADefect("message text")
        if item.type in ("print_statement", "exec_statement"):
            raise NotADefect("Python 2 to 3")
    for item in (*change.old, *change.new):
        if item.type in ("decorator", "parameters", "decorated_definition", "function_definition", "class_definition"):
            raise NotADefect("signature or decorator")
        if item.type in _IMPORTS:
            raise NotADefect("import")
        if item.type in ("print_statement", "exec_statement", "ERROR"):
            raise NotADefect("Python 2 to 3")


def _is_text(change: Change) -> bool:
    return any(
        leaf.type == "string" or leaf.type.startswith("string_")
        for item in (*change.old, *change.new)
        for leaf in item.leaves()
    )


def _reject_words(old: Item, new: Item) -> None:
    before, after = {leaf.text for leaf in old.leaves()}, {leaf.text for leaf in new.leaves()}
    if (before ^ after) & _TWO_TO_THREE:
        raise NotADefect("Python 2 to 3")


def _leaf(change: Change, old: Item, new: Item) -> Verdict:
    parent = change.parent.type
    here = (_range(old),)
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
            return Verdict("variable-misuse", here) if new.type != "string" else _statement(change)
        if change.path[-1].type == "keyword_argument" or old.type == "string":
            return _statement(change)
        return Verdict("wrong-literal", here)
    return _statement(change)


def _literals(change: Change, old: Item, new: Item) -> Verdict:
    here = (_range(old),)
    holder = change.parent.type
    if old.type == new.type == "string":
        a, b = old.text.split(b'"', 1), new.text.split(b'"', 1)
        if a[1] == b[1]:
            if b[0] == b"f" + a[0]:
                return Verdict("missing-f-prefix", here)
            raise NotADefect("string prefix")
        if min(len(a[1]), len(b[1])) == 0 and holder == "assignment":
            raise NotADefect("configuration")
        if _reads_as_prose(a[1]) or _reads_as_prose(b[1]):
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


def _reads_as_prose(text: bytes) -> bool:
    return len(text) > 40 or len(re.findall(rb"[A-Za-z]{2,}\s+(?=[A-Za-z]{2,})", text)) >= 2 or b"://" in text


def _names(change: Change, old: Item, new: Item) -> Verdict:
    here = (_range(old),)
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
        return Verdict("wrong-negation", (_range(old.first),))
    if old.type == "not_operator" and old.children[-1].key == new.key:
        return Verdict("wrong-negation", (_range(old.children[0]),))
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
            return Verdict(kind, (_range(old.first),))
        if old.type == type_ and old.children[-1].key == new.key:
            return Verdict("wrong-statement", (_range(old.first),))
    if old.type == "expression_statement" and len(old.children) == 1:
        for type_, kind in (("return_statement", "missing-return"), ("raise_statement", "missing-raise")):
            if new.type == type_ and len(new.children) == 2 and new.children[1].key == old.children[0].key:
                return Verdict(kind, (_range(old.first),))
        inner = old.children[0]
        awaited = new.children[0] if new.type == "expression_statement" else inner
        if awaited.type == "await" and awaited.children[-1].key == inner.key:
            return Verdict("missing-await", (_range(old.first),))
    leaving = old.type in ("return_statement", "raise_statement") and len(old.children) == 2
    if leaving and new.type == "expression_statement" and new.children[0].key == old.children[1].key:
        return Verdict("wrong-statement", (_range(old.first),))
    if old.type in ("return_statement", "raise_statement") and new.type in ("return_statement", "raise_statement"):
        return Verdict("wrong-statement", (_range(old.first),)) if _size(change) <= LARGEST_EDIT else None
    return None


def _self(change: Change, old: Item, new: Item) -> Verdict | None:
    if old.type != "identifier" or new.type != "attribute" or len(new.children) != 3:
        return None
    owner, name = new.children[0], new.children[-1]
    if owner.text in (b"self", b"cls") and name.key == old.key:
        return Verdict("missing-self", (_range(old),))
    return None


def _call(change: Change, old: Item, new: Item) -> Verdict | None:
    bare = old.type in ("identifier", "attribute") and new.type == "call" and len(new.children[-1].children) == 2
    if bare and new.children[0].key == old.key:
        return Verdict("missing-call-parentheses", (_range(old.last),))
    if old.type == "call" and old.children[0].key == new.key and len(old.children[-1].children) <= 2:
        return Verdict("wrong-call", (_range(old.children[0].last),))
    extra = _size(change)
    if new.type == "call" and extra <= LARGEST_EDIT and _contains(new, old.key):
        _reject_messages(new)
        if new.children[0].last.text in (b"str", b"repr", b"list", b"encode", b"decode", b"bytes", b"tuple", b"_"):
            _reject_conversion(new.children[0].last.text)
        return Verdict("missing-call", (_range(old.first),))
    if old.type == "call" and extra <= LARGEST_EDIT and _contains(old, new.key):
        name = old.children[0].last
        if name.text in (b"list", b"_", b"encode", b"decode", b"unicode"):
            _reject_conversion(name.text)
        return Verdict("wrong-call", (_range(name),))
    return None


def _reject_messages(call: Item) -> None:
    if _MESSAGES.match(call.children[0].last.text):
        raise NotADefect("message text")


def _reject_conversion(name: bytes) -> None:
    if name in (b"encode", b"decode", b"unicode", b"_", b"list"):
        raise NotADefect("Python 2 to 3")


def _off_by_one(change: Change, old: Item, new: Item) -> Verdict | None:
    for outer, inner in ((new, old), (old, new)):
        if outer.type != "binary_operator" or len(outer.children) != 3:
            continue
        left, operator, right = outer.children
        if operator.type in ("+", "-") and right.type == "integer" and right.text == b"1" and left.key == inner.key:
            where = old.last if outer is new else operator
            return Verdict("off-by-one", (_range(where),))
    return None


def _augmented(change: Change, old: Item, new: Item) -> Verdict | None:
    same = old.children and new.children and old.children[0].key == new.children[0].key
    if {old.type, new.type} == {"assignment", "augmented_assignment"} and same and old.last.key == new.last.key:
        return Verdict("wrong-binary-operator", (_range(old.children[1]),))
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
        return Verdict("missing-f-prefix", (_range(old),))
    if _squeezed(content) == _squeezed(b"".join(leaf.text for leaf in list(new.leaves())[1:])):
        return Verdict("missing-f-prefix", (_range(old),))
    return None


def _squeezed(text: bytes) -> bytes:
    return b"".join(text.split())


def _attribute(change: Change, old: Item, new: Item) -> Verdict | None:
    if old.type == "attribute" and new.type in ("attribute", "identifier") and _size(change) <= 3:
        if new.type == "attribute" and old.children[-1].key != new.children[-1].key:
            return Verdict("wrong-attribute", (_range(old.last),))
        if _contains(old, new.key):
            return Verdict("wrong-attribute", (_range(old.last),))
        return Verdict("variable-misuse", (_range(old.first),))
    if old.type == "identifier" and new.type == "attribute" and len(list(new.leaves())) <= 5:
        if _contains(new, old.key):
            if new.children[0].key == old.key:
                return Verdict("wrong-attribute", (_range(old),))
            return Verdict("variable-misuse", (_range(old),))
        return Verdict("variable-misuse", (_range(old),))
    return None


def _inserted(change: Change, words: FileWords) -> Verdict:
    spans = (_range(change.after.first),) if change.after is not None else ()
    if not spans and change.before is not None:
        spans = (_range(change.before.last),)
    if not spans:
        raise NotADefect("nothing stood there before")
    if change.parent.type == "block":
        if len(change.new) != 1:
            raise NotADefect("several statements")
        return _inserted_statement(change.new[0], spans)
    if change.parent.type == "argument_list":
        if sum(1 for item in change.new for _ in item.leaves()) > LARGEST_EDIT:
            raise NotADefect("large edit")
        holder = change.path[-2] if len(change.path) > 1 else change.parent
        if holder.type == "call":
            return Verdict("wrong-call", (_range(holder.children[0].last),))
    return _statement(change)


def _inserted_statement(statement: Item, spans: tuple[tuple[int, int], ...]) -> Verdict:
    size = sum(1 for _ in statement.leaves())
    if size > 2 * LARGEST_EDIT:
        raise NotADefect("large edit")
    if statement.type == "return_statement":
        return Verdict("missing-return", spans)
    if statement.type == "raise_statement":
        return Verdict("missing-raise", spans)
    if statement.type == "expression_statement":
        inner = statement.children[0]
        inner = inner.children[-1] if inner.type == "await" else inner
        if inner.type == "call":
            _reject_messages(inner)
            return Verdict("missing-call", spans)
    if statement.type in ("expression_statement", "break_statement", "continue_statement", "delete_statement"):
        return Verdict("wrong-statement", spans)
    raise NotADefect("inserted block")


def _deleted(change: Change) -> Verdict:
    if len(change.old) > 3 or sum(1 for item in change.old for _ in item.leaves()) > LARGEST_EDIT:
        raise NotADefect("large edit")
    for item in change.old:
        if item.type == "expression_statement" and item.children and item.children[0].type == "call":
            _reject_messages(item.children[0])
    if change.parent.type == "argument_list":
        named = [item for item in change.old if item.type != ","]
        return Verdict("wrong-call", tuple(_range(item.first) for item in named[:1]))
    return Verdict("wrong-statement", (_range(change.old[0].first),))


def _statement(change: Change) -> Verdict:
    if change.parent.type == "block" or any(item.type in STATEMENTS for item in (*change.old, *change.new)):
        simple = len(change.old) == 1 and len(change.new) == 1
        if not simple:
            raise NotADefect("several statements")
    if _size(change) > LARGEST_EDIT:
        raise NotADefect("large edit")
    if _is_text(change) and any(
        _reads_as_prose(leaf.text) for item in (*change.old, *change.new) for leaf in item.leaves()
    ):
        raise NotADefect("message text")
    spans = _different_leaves(change)
    return Verdict("wrong-statement", spans)


def _different_leaves(change: Change) -> tuple[tuple[int, int], ...]:
    old = [leaf for item in change.old for leaf in item.leaves()]
    new = Counter(leaf.key for item in change.new for leaf in item.leaves())
    gone = []
    for leaf in old:
        if new[leaf.key]:
            new[leaf.key] -= 1
        else:
            gone.append(leaf)
    chosen = gone or old[:1]
    if not chosen:
        beside = change.before or change.after or change.parent
        chosen = [beside.last]
    return tuple(_range(leaf) for leaf in chosen[:LARGEST_EDIT])
