"""Edits that are visibly no bug: signatures, imports, messages, Python 2 to 3, renames. All raise NotADefect."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codehunch_training.corpus.difference import Change, Item
from codehunch_training.corpus.evidence import CONFUSED
from codehunch_training.corpus.verdict import FileWords, NotADefect, is_text, leaf_pair

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


def reject_places(change: Change) -> None:
    """By where the change lies: signatures, imports, annotations, texts for people."""
    for depth, item in enumerate(reversed(change.path)):
        if item.type in _SIGNATURE:
            raise NotADefect("signature or decorator")
        if item.type in _IMPORTS:
            raise NotADefect("import")
        if item.type == "type":
            raise NotADefect("annotation")
        if item.type == "call" and depth < 8 and _MESSAGES.match(item.children[0].last.text):
            raise NotADefect("message text")
        if item.type == "raise_statement" and is_text(change):
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


def reject_words(old: Item, new: Item) -> None:
    """By words only Python 2 or its replacements know."""
    before, after = {leaf.text for leaf in old.leaves()}, {leaf.text for leaf in new.leaves()}
    if (before ^ after) & _TWO_TO_THREE:
        raise NotADefect("Python 2 to 3")


def reject_rename(changes: Sequence[Change], words: FileWords) -> None:
    """A name that vanishes from the file, or a new one the old file never had, speaks of a rename elsewhere."""
    for change in changes:
        pair = leaf_pair(change)
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


def reject_messages(call: Item) -> None:
    """By the called name: logging, printing, warning."""
    if _MESSAGES.match(call.children[0].last.text):
        raise NotADefect("message text")


def reject_conversion(name: bytes) -> None:
    """By calls that a move to Python 3 puts in or takes out."""
    if name in (b"encode", b"decode", b"unicode", b"_", b"list"):
        raise NotADefect("Python 2 to 3")


def reads_as_prose(text: bytes) -> bool:
    """Whether a string is a sentence, or an address."""
    return len(text) > 40 or len(re.findall(rb"[A-Za-z]{2,}\s+(?=[A-Za-z]{2,})", text)) >= 2 or b"://" in text
