"""What a file says around a request: imported names, classes with their attributes, the signatures nearby."""

from __future__ import annotations

import re
from functools import cached_property

import attrs
from tree_sitter import Node

from codehunch.syntax.bodies import file_unit
from codehunch.syntax.functions import Function, function_nodes
from codehunch.syntax.parsing import ParsedSource, text_of
from codehunch.syntax.spans import Span
from codehunch.syntax.words import split_words

_NAME = re.compile(r"[^\W\d]\w*")
_ALIAS = re.compile(r"^\s*([\w.]+)(?:\s+as\s+(\w+))?\s*$")
_SELF_ATTRIBUTE = re.compile(r"\bself\.([A-Za-z_]\w*)\s*(?::[^=\n]+)?=(?!=)")
_DESCENDED = {
    "module", "block", "class_definition", "decorated_definition", "if_statement", "elif_clause", "else_clause",
    "try_statement", "except_clause", "finally_clause", "with_statement", "function_definition",
}  # fmt: skip


@attrs.frozen
class ClassContext:
    """One class of the file."""

    name: str
    """Qualified name, as in ``Function.enclosing_class``."""
    header: str
    """``class Name(Bases)`` on one line."""
    span: Span
    fields: tuple[str, ...]
    """Names assigned directly in the class body."""


@attrs.frozen(slots=False)
class FileContext:
    """A parsed file, read once for any number of requests."""

    parsed: ParsedSource

    @cached_property
    def functions(self) -> tuple[tuple[Function, str], ...]:
        """Every function with its short signature, ``name(a, b)``."""
        return tuple((function, _signature(function.name, node)) for function, node in function_nodes(self.parsed))

    @cached_property
    def unit(self) -> str:
        """The file's unit of indentation."""
        return file_unit(self.parsed)

    @cached_property
    def words(self) -> frozenset[str]:
        """Everything in the file that could be a name."""
        return frozenset(_NAME.findall(self.parsed.text))

    @cached_property
    def _statements(self) -> tuple[tuple[str, ...], dict[str, ClassContext]]:
        imports: dict[str, None] = {}
        classes: dict[str, ClassContext] = {}
        stack: list[tuple[Node, str, bool]] = [(self.parsed.tree.root_node, "", True)]
        while stack:
            node, prefix, top = stack.pop()
            if node.type in ("import_statement", "import_from_statement"):
                if top:
                    imports.update(dict.fromkeys(_imported(text_of(node))))
                continue
            if node.type not in _DESCENDED:
                continue
            if node.type in ("class_definition", "function_definition"):
                name = node.child_by_field_name("name")
                prefix = ".".join(filter(None, (prefix, text_of(name))))
                top = False
                if node.type == "class_definition":
                    classes[prefix] = self._class(prefix, node)
            stack.extend((child, prefix, top) for child in reversed(node.named_children))
        return tuple(imports), classes

    @property
    def imports(self) -> tuple[str, ...]:
        """Names the module's imports bind, in file order."""
        return self._statements[0]

    @property
    def classes(self) -> dict[str, ClassContext]:
        return self._statements[1]

    def attributes(self, name: str, hidden: Span) -> tuple[str, ...]:
        """Attributes of a class: its fields and what its methods assign to ``self``, outside ``hidden``."""
        found = self.classes.get(name)
        if found is None:
            return ()
        text = self.parsed.text
        names = dict.fromkeys(found.fields)
        for start, end in ((found.span.start, hidden.start), (hidden.end, found.span.end)):
            if start < end:
                names.update(dict.fromkeys(match.group(1) for match in _SELF_ATTRIBUTE.finditer(text, start, end)))
        return tuple(names)

    def _class(self, name: str, node: Node) -> ClassContext:
        body = node.child_by_field_name("body")
        end = body.start_byte if body is not None else node.end_byte
        header = self.parsed.data[node.start_byte : end].decode("utf-8", "replace").split("\n#")[0]
        fields: list[str] = []
        for child in body.named_children if body is not None else ():
            if child.type == "expression_statement" and child.named_children:
                first = child.named_children[0]
                target = first.child_by_field_name("left") if first.type == "assignment" else None
                if target is not None and target.type == "identifier":
                    fields.append(text_of(target))
        header = " ".join(header.split()).rstrip(": ")
        return ClassContext(name, header, self.parsed.span(node), tuple(fields))


def words(text: str) -> frozenset[str]:
    """Lower-case words of a text, identifiers taken apart: ``readLine_2`` gives read, line, 2."""
    return frozenset(split_words(text))


def _imported(statement: str) -> list[str]:
    statement = re.sub(r"#[^\n]*", "", statement).replace("\\\n", " ").replace("\n", " ")
    if statement.startswith("from"):
        module, _, names = statement.partition(" import ")
        if "__future__" in module:
            return []
    else:
        names = statement.partition("import")[2]
    found = []
    for part in names.replace("(", " ").replace(")", " ").split(","):
        match = _ALIAS.match(part)
        if match:
            found.append(match.group(2) or (match.group(1).split(".")[0]))
    return found


def _signature(name: str, node: Node) -> str:
    parameters = node.child_by_field_name("parameters")
    names = []
    for child in parameters.named_children if parameters is not None else ():
        if child.type in ("default_parameter", "typed_default_parameter"):
            child = child.child_by_field_name("name") or child
        elif child.type == "typed_parameter" and child.named_children:
            child = child.named_children[0]
        if child.type in ("identifier", "list_splat_pattern", "dictionary_splat_pattern"):
            names.append(text_of(child))
    if names and names[0] in ("self", "cls"):
        names = names[1:]
    return f"{name}({', '.join(names)})"
