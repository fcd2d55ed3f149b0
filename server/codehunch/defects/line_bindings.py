"""What the lines of a text bind, whether or not they parse: for what is half typed, and for members wherever a method
stores them."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Collection

from codehunch.defects.surroundings import OF_PYTHON_2, Class, Standing, Surroundings, words_of
from codehunch.syntax.sections import inner_indent

PROPERTY = re.compile(r"property\b|\.(?:setter|getter|deleter)\b", re.IGNORECASE)
"""In the decorator of a method that is used like a field."""
_WORD = re.compile(r"[^\W\d]\w*")
_BASE = re.compile(r"\w+(?:\.\w+)*")
_FUNCTION = re.compile(r"^(?:async[ \t]+)?def\b", re.MULTILINE)
_METHOD = re.compile(r"^[ \t]+(?:async[ \t]+)?def\b", re.MULTILINE)
_IMPORT = re.compile(r"from[ \t]+[\w.]+[ \t]+import\b|import\b")
_CLASS = re.compile(r"^class[ \t]+(?P<name>\w+)[ \t]*(?:\[[^\n]*?\])?[ \t]*(?:\((?P<bases>[^()\n]*)\))?", re.MULTILINE)
_ADDED = re.compile(r"^[ \t]*(?!self\.|cls\.)(\w+(?:\.\w+)*)\.(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_GENERIC = re.compile(r"^[ \t]*class[ \t]+\w+[ \t]*\[", re.MULTILINE)
_PARAMETER = re.compile(r"(?:^|,)\s*\*{0,2}\s*([^\W\d]\w*)")
_LINES = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?P<word>(?:async[ \t]+)?def|class)[ \t]+(?P<defined>\w+)"
    r"|(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+\(?(?P<imported>[\w.,* \t]+)"
    r"|(?P<stored>[(\[*]*\w[\w,*()\[\] \t]*?)[ \t]*(?:(?::[^=\n]*)?=(?!=)|:[ \t]*\w)"
    r"|(?:for[ \t]|if[ \t(]+(?=\w+[ \t]*:=)|[^\n]*?[ \t]as[ \t])(?P<named>[\w,*()\[\] \t]*))",
    re.MULTILINE,
)
_GLOBALS = re.compile(r"^[ \t]+global[ \t]+([\w, \t]+)", re.MULTILINE)
_BOTH_PYTHONS = re.compile(
    r"\bPY_?[23]\b|\bIS_PY(?:THON)?_?[23]\b|\bis_py(?:thon)?_?[23]\b|^[ \t]*except[ \t(]+NameError\b"
    r"|\bversion_info(?:\[0\]|\.major|[ \t]*[<>=!]+[ \t]*\([23](?:,[ \t]*(?:[0-7](?:,[^)]*)?)?)?\))"
    r"|^[ \t]*(?:import[ \t]+six\b|from[ \t]+six\b)",
    re.MULTILINE,
)
"""How a text tells Python 2 from 3."""
_OPENS = re.compile(r"\bglobals\(\)|\bexec\(|\bvars\(\)")
_OPENS_CLASS = re.compile(
    r"\bdef __getattr(?:ibute)?__\b|\bsetattr\((?:self|cls)\b|\b(?:self|cls)\.__dict__|\bvars\(self\)"
)
_MEMBER = re.compile(r"\b(?:self|cls)\.(\w+)")
_STORES = re.compile(
    r"(?:^|[:;])[ \t]*(?P<targets>[^\n=#'\"]*?\b(?:self|cls)\.[^\n=#'\"]*?)(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)"
    r"|(?:^|[:;])[ \t]*(?:self|cls)\.(?P<typed>\w+)[ \t]*:"
    r"|\b(?:as|for)[ \t]+(?:self|cls)\.(?P<named>\w+)"
    r"|(?<==)[ \t]*(?:self|cls)\.(?P<chained>\w+)[ \t]*=(?!=)"
    r"|^[ \t]*[(\[](?P<several>[^()\[\]=]*\b(?:self|cls)\.[^()\[\]=]*)[)\]][ \t]*=(?!=)",
    re.MULTILINE,
)
"""Where lines store into members. Calls in a target are no targets, but what they name is seldom a mistake."""


def of_lines(text: str) -> Surroundings:
    """What a broken section binds as far as its lines tell: statements at its own level, at that of a class it opens
    with, and all in a block that is neither class nor function."""
    names: dict[str, Standing] = {}
    members: dict[str, Standing] = {}
    opens, block = _CLASS.search(text), _FUNCTION.search(text) is None
    inner = inner_indent(text) if opens else None
    if listed := _IMPORT.match(text):
        names.update(dict.fromkeys(words_of(text[listed.end() :]) - {"as", "import"}, Standing.IMPORT))
    for line in _LINES.finditer(text):
        if not line["indent"] or (block and not opens):
            for name, standing in _bound_by(line, False):
                names.setdefault(name, standing)
        elif opens and (inner is None or line["indent"] == inner):
            for name, standing in _bound_by(line, True):
                members.setdefault(name, standing)
    # In broken code anything can stand where a name should.
    names, members = ({n: s for n, s in known.items() if not keyword.iskeyword(n)} for known in (names, members))
    classes = {}
    if opens:
        listed_bases = [base.strip() for base in (opens["bases"] or "").split(",") if base.strip()]
        bases = tuple(base for base in listed_bases if _BASE.fullmatch(base))
        closed = len(bases) == len(listed_bases) and not opens_class(text)
        classes[opens["name"]] = Class(members | members_in_lines(text, members), bases, closed)
    return with_globals(text, names, classes, False)


def _bound_by(line: re.Match[str], in_class: bool) -> list[tuple[str, Standing]]:
    """The names that one match of ``_LINES`` binds."""
    if line["word"] == "class":
        return [(line["defined"], Standing.FIELD if in_class else Standing.CLASS)]
    if line["word"]:
        coroutine = line["word"].startswith("async")
        standing = Standing.COROUTINE if coroutine else Standing.FUNCTION
        if in_class:
            standing = Standing.COROUTINE_METHOD if coroutine else Standing.METHOD
            standing = Standing.PROPERTY if PROPERTY.search(_decorator_above(line)) else standing
        return [(line["defined"], standing)]
    if line["imported"]:
        parts = [(" as " in part, _WORD.findall(part)) for part in line["imported"].split(",")]
        return [(words[-1 if renamed else 0], Standing.IMPORT) for renamed, words in parts if words]
    held = Standing.FIELD if in_class else Standing.VARIABLE
    return [(name, held) for name in _WORD.findall(line["stored"] or line["named"])]


def _decorator_above(line: re.Match[str]) -> str:
    above = line.string[: line.start()].rstrip("\n").rpartition("\n")[2]
    return above if above.lstrip().startswith("@") else ""


def with_globals(text: str, names: dict[str, Standing], classes: dict[str, Class], opened: bool) -> Surroundings:
    """What a section binds at its own level, and what its functions bind there by ``global`` and ``globals()``. Type
    parameters of classes count as names of that level: everything in the class sees them. Where it tells Python 2 from
    3, what only the one has is built in."""
    named = [name.strip() for line in _GLOBALS.findall(text) for name in line.split(",")]
    types = [name for opening in _GENERIC.finditer(text) for name in _type_parameters(text, opening.end())]
    known = dict.fromkeys(OF_PYTHON_2, Standing.BUILTIN) if _BOTH_PYTHONS.search(text) else {}
    known |= dict.fromkeys(types, Standing.CLASS) | dict.fromkeys(named, Standing.VARIABLE)
    added: dict[str, frozenset[str]] = {}
    for owner, member in _ADDED.findall(text):
        added[owner] = added.get(owner, frozenset()) | {member}
    return Surroundings(known | names, classes, opened or _OPENS.search(text) is not None, added)


def _type_parameters(text: str, start: int) -> list[str]:
    """The names in a bracket that opens before ``start``, without their bounds."""
    own: list[str] = []
    depth = 1
    for letter in text[start : start + _LONGEST_PARAMETERS]:
        depth += (letter in "[({") - (letter in "])}")
        if not depth:
            return _PARAMETER.findall("".join(own))
        if depth == 1:
            own.append(letter)
    return []


_LONGEST_PARAMETERS = 2_000


def opens_class(text: str) -> bool:
    """Whether a class may have members that no line of it names."""
    return _OPENS_CLASS.search(text) is not None


def members_in_lines(text: str, known: Collection[str]) -> dict[str, Standing]:
    """Members that the lines of a class store into, but for those that are known; and those that two of its methods
    use: nobody makes the same mistake twice, and a base from elsewhere or a class that it is mixed into has them."""
    uses = Counter(name for method in _METHOD.split(text) for name in set(_MEMBER.findall(method)))
    found = [name for name, methods in uses.items() if methods > 1]
    for store in _STORES.finditer(text):
        targets = store["targets"] or store["several"]
        found += _MEMBER.findall(targets) if targets else [store["typed"] or store["named"] or store["chained"]]
    return {name: Standing.FIELD for name in found if name not in known}
