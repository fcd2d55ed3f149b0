"""The table of grammars: one row makes a language known. Grammars load on first use."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import PurePath

import attrs
from tree_sitter import Language, Parser


class GrammarMissing(RuntimeError):
    """The language is in the table but its grammar's wheel is not installed."""


@attrs.frozen
class LanguageSpec:
    """How one language is parsed and where its functions are."""

    name: str
    """The LSP language identifier."""
    module: str
    """The grammar's Python module; its distribution has the same name with dashes."""
    suffixes: tuple[str, ...]
    function_types: tuple[str, ...]
    """Node types that define a named function with a body."""
    scope_types: tuple[str, ...] = ()
    """Node types that only add a name to the qualified name, such as classes."""
    entry: str = "language"
    """Name of the function in ``module`` that returns the grammar."""
    container_types: frozenset[str] = frozenset()
    """Node types a function can lie in; empty where any expression can hold one (JavaScript)."""
    comment: str = "//"
    """What opens a comment that ends with its line."""


_PYTHON_CONTAINERS = frozenset(
    (
        "module",
        "block",
        "function_definition",
        "class_definition",
        "decorated_definition",
        "if_statement",
        "elif_clause",
        "else_clause",
        "for_statement",
        "while_statement",
        "try_statement",
        "except_clause",
        "except_group_clause",
        "finally_clause",
        "with_statement",
        "match_statement",
        "case_clause",
    )
)

LANGUAGES: tuple[LanguageSpec, ...] = (
    LanguageSpec(
        "python",
        "tree_sitter_python",
        (".py", ".pyi", ".pyw"),
        ("function_definition",),
        ("class_definition",),
        container_types=_PYTHON_CONTAINERS,
        comment="#",
    ),
    LanguageSpec("c", "tree_sitter_c", (".c", ".h"), ("function_definition",)),
    LanguageSpec(
        "cpp",
        "tree_sitter_cpp",
        (".cc", ".cpp", ".cxx", ".hh", ".hpp"),
        ("function_definition",),
        ("class_specifier", "struct_specifier", "namespace_definition"),
    ),
    LanguageSpec(
        "java",
        "tree_sitter_java",
        (".java",),
        ("method_declaration", "constructor_declaration"),
        ("class_declaration", "interface_declaration", "enum_declaration"),
    ),
    LanguageSpec(
        "javascript",
        "tree_sitter_javascript",
        (".js", ".mjs", ".cjs", ".jsx"),
        ("function_declaration", "method_definition", "generator_function_declaration"),
        ("class_declaration",),
    ),
    LanguageSpec(
        "typescript",
        "tree_sitter_typescript",
        (".ts", ".mts", ".cts"),
        ("function_declaration", "method_definition", "generator_function_declaration"),
        ("class_declaration",),
        "language_typescript",
    ),
    LanguageSpec("go", "tree_sitter_go", (".go",), ("function_declaration", "method_declaration")),
    LanguageSpec(
        "php",
        "tree_sitter_php",
        (".php",),
        ("function_definition", "method_declaration"),
        ("class_declaration",),
        "language_php",
    ),
    LanguageSpec(
        "ruby", "tree_sitter_ruby", (".rb",), ("method", "singleton_method"), ("class", "module"), comment="#"
    ),
)

_BY_NAME = {spec.name: spec for spec in LANGUAGES}
_BY_SUFFIX = {suffix: spec for spec in LANGUAGES for suffix in spec.suffixes}


def language_named(name: str) -> LanguageSpec:
    """The row of an LSP language identifier; ``KeyError`` where there is none."""
    return _BY_NAME[name]


def language_of(path: str | PurePath) -> LanguageSpec | None:
    """The row a file name's suffix points at, or ``None``."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower())


@cache
def grammar(name: str) -> Language:
    """The language's grammar. Raises GrammarMissing with the wheel to install."""
    spec = language_named(name)
    try:
        module = importlib.import_module(spec.module)
    except ImportError as error:
        wheel = spec.module.replace("_", "-")
        raise GrammarMissing(f"no grammar for {name}: pip install {wheel}") from error
    return Language(getattr(module, spec.entry)())


def parser(name: str) -> Parser:
    """A fresh parser: parsers hold state and are not shared between threads."""
    return Parser(grammar(name))
