"""CodeBLEU (Ren et al. 2020, "CodeBLEU: a Method for Automatic Evaluation of Code Synthesis", section 3).

The mean of four matches between an answer and its reference: n-grams (BLEU), unigrams in which a keyword weighs five
times any other token, subtrees of the syntax trees, and edges of the data flow. Corpus-level: counts are summed over
all pairs before they are divided.

Two things the paper leaves open are decided here. Where the references have no data-flow edge (or no subtree), that
part cannot be measured and the others share its weight. An n-gram order without a match is smoothed by add-one (Lin
and Och 2004); a perfect answer is 1 either way.
"""

from __future__ import annotations

import keyword
import math
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs
from tree_sitter import Node

from codehunch.syntax.parsing import ParsedSource, parse

ORDER = 4
KEYWORD_WEIGHT = 5.0
"""Section 3.1: "we set the weights of keywords to 5 times the weights of other tokens"."""

_C_KEYWORDS = frozenset(
    (
        "auto break case char const continue default do double else enum extern float for goto if inline int long "
        "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
    ).split()
)
KEYWORDS = {"python": frozenset(keyword.kwlist), "c": _C_KEYWORDS}
_NAMES = {"identifier"}
_LITERALS = {"string", "concatenated_string", "string_literal", "char_literal", "comment"}
_ASSIGNMENTS = {
    "assignment": ("left", "right"),
    "augmented_assignment": ("left", "right"),
    "named_expression": ("name", "value"),
    "for_statement": ("left", "right"),
    "for_in_clause": ("left", "right"),
    "init_declarator": ("declarator", "value"),
    "assignment_expression": ("left", "right"),
}
_NOT_VARIABLES = {("attribute", "attribute"), ("keyword_argument", "name"), ("call", "function")}
"""Parent type and field of identifiers that name no variable."""


@attrs.frozen
class CodeBleu:
    """All between 0 and 1; NaN for a part that cannot be measured."""

    score: float
    ngrams: float
    weighted: float
    syntax: float
    flow: float


def code_bleu(answers: Sequence[str], references: Sequence[str], language: str = "python") -> CodeBleu:
    """CodeBLEU of a corpus of answers, one reference each. Raises KeyError for a language without a grammar."""
    ngrams = _Overlap()
    orders = [_Overlap() for _ in range(ORDER)]
    syntax, flow = _Overlap(), _Overlap()
    answer_length = reference_length = 0
    words = KEYWORDS.get(language, frozenset())
    for answer, reference in zip(answers, references, strict=True):
        trees = parse(answer, language), parse(reference, language)
        tokens = [code_tokens(tree) for tree in trees]
        answer_length += len(tokens[0])
        reference_length += len(tokens[1])
        for n, order in enumerate(orders, 1):
            found, wanted = _grams(tokens[0], n), _grams(tokens[1], n)
            order.add((found & wanted).total(), found.total())
        found, wanted = _grams(tokens[0], 1), _grams(tokens[1], 1)
        weight = {gram: KEYWORD_WEIGHT if gram[0] in words else 1.0 for gram in found}
        ngrams.add(
            sum(weight[g] * c for g, c in (found & wanted).items()), sum(weight[g] * c for g, c in found.items())
        )
        subtrees = [Counter(_subtrees(tree.tree.root_node)) for tree in trees]
        syntax.add((subtrees[0] & subtrees[1]).total(), subtrees[1].total())
        edges = [Counter(data_flow(tree)) for tree in trees]
        flow.add((edges[0] & edges[1]).total(), edges[1].total())
    brevity = 1.0
    if answer_length < reference_length:
        brevity = math.exp(1 - reference_length / answer_length) if answer_length else 0.0
    parts = (_bleu(orders) * brevity, ngrams.ratio() * brevity, syntax.ratio(), flow.ratio())
    if not answer_length and reference_length:
        parts = (0.0, 0.0, *parts[2:])
    known = [part for part in parts if not math.isnan(part)]
    return CodeBleu(sum(known) / len(known) if known else math.nan, *parts)


def code_tokens(parsed: ParsedSource) -> list[str]:
    """Leaves of the syntax tree in order: strings whole, comments left out."""
    found, stack = [], [parsed.tree.root_node]
    while stack:
        node = stack.pop()
        if node.type == "comment":
            continue
        if not node.child_count or node.type in _LITERALS:
            if node.start_byte < node.end_byte:
                found.append(parsed.data[node.start_byte : node.end_byte].decode("utf-8", "replace"))
            continue
        stack.extend(reversed(node.children))
    return found


def _subtrees(root: Node) -> Iterator[str]:
    """Every subtree with at least one child as an s-expression of node types: leaves' texts are left out (section 3.2),
    so names do not count. Hashes stand for the parts, or a deep tree would cost its depth squared."""
    stack: list[tuple[Node, bool]] = [(root, False)]
    done: dict[int, str] = {}
    while stack:
        node, visited = stack.pop()
        children = [child for child in node.children if child.type != "comment"]
        if not children:
            done[node.id] = node.type
            continue
        if not visited:
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(children))
            continue
        expression = f"({node.type} {' '.join(done[child.id] for child in children)})"
        done[node.id] = expression if len(expression) < 400 else f"#{hash(expression)}"
        yield done[node.id]


def data_flow(parsed: ParsedSource) -> list[tuple[str, tuple[str, ...]]]:
    """Edges ``(variable, where its value comes from)`` in the order of the text, variables renamed to ``v0``, ``v1`` by
    their first appearance in an edge (section 3.3, after Guo et al. 2021, GraphCodeBERT).

    An assignment's target comes from the variables of its right side; a later use comes from the last target of its
    name. Attributes, keyword names and called names are no variables.
    """
    raw: list[tuple[str, tuple[str, ...]]] = []
    bound: set[str] = set()
    for kind, names, sources in _events(parsed):
        if kind == "use":
            raw += [(name, (name,)) for name in names if name in bound]
        else:
            raw += [(name, tuple(sources)) for name in names if sources]
            bound.update(names)
    number: dict[str, str] = {}
    return [
        (number.setdefault(name, f"v{len(number)}"), tuple(number.setdefault(s, f"v{len(number)}") for s in sources))
        for name, sources in raw
    ]


def _events(parsed: ParsedSource) -> Iterator[tuple[str, list[str], list[str]]]:
    """``("use", [name], [])`` and ``("set", targets, sources)``, in order; a right side is read before its target."""
    stack: list[Node | tuple[str, list[str], list[str]]] = [parsed.tree.root_node]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            yield node
            continue
        if node.type in _NAMES:
            yield "use", [_text(parsed, node)], []
            continue
        if node.type in ("parameters", "parameter_list", "lambda_parameters"):
            yield "set", _variables(parsed, node), []
            continue
        fields = _ASSIGNMENTS.get(node.type)
        left = node.child_by_field_name(fields[0]) if fields else None
        right = node.child_by_field_name(fields[1]) if fields else None
        if left is not None and right is not None:
            later = [child for child in node.named_children if child.id not in (left.id, right.id)]
            stack.extend(reversed(later))
            targets = _variables(parsed, left)
            sources = _variables(parsed, right) + (targets if node.type.startswith("augmented") else [])
            stack.append(("set", targets, sources))
            stack.append(right)
            continue
        for at in range(node.child_count - 1, -1, -1):
            if (node.type, node.field_name_for_child(at) or "") not in _NOT_VARIABLES or (
                node.children[at].type not in _NAMES
            ):
                stack.append(node.children[at])


def _variables(parsed: ParsedSource, node: Node) -> list[str]:
    """Names of variables under a node, in order, each once."""
    found: dict[str, None] = {}
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type in _NAMES:
            found[_text(parsed, current)] = None
            continue
        for at in range(current.child_count - 1, -1, -1):
            child = current.children[at]
            if child.type not in _NAMES or (current.type, current.field_name_for_child(at) or "") not in _NOT_VARIABLES:
                stack.append(child)
    return list(found)


def _text(parsed: ParsedSource, node: Node) -> str:
    return parsed.data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _grams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))


def _bleu(orders: Sequence[_Overlap]) -> float:
    """Geometric mean of the precisions; orders above the first that match nothing are smoothed by add-one."""
    if not orders[0].matched:
        return 0.0
    logs = [
        math.log(each.matched / each.total if each.matched or not at else (each.matched + 1) / (each.total + 1))
        for at, each in enumerate(orders)
    ]
    return math.exp(sum(logs) / len(logs))


@attrs.define
class _Overlap:
    matched: float = 0.0
    total: float = 0.0

    def add(self, matched: float, total: float) -> None:
        self.matched += matched
        self.total += total

    def ratio(self) -> float:
        return self.matched / self.total if self.total else math.nan
