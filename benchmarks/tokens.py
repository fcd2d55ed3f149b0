"""Tokens per line of Python code: the tokenizers that ship beside RoBERTa's, which CodeBERT reads with.

    python benchmarks/tokens.py PACKAGE... --vocabulary vocab.json --merges merges.txt

Fewer tokens a line mean more lines in a window and less work for the same code; a smaller vocabulary means fewer
weights. Read are functions without docstring and comments, which the defect model does not read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.table import Table
from tokenizers import ByteLevelBPETokenizer, Tokenizer

from codehunch.bundles.store import active_bundle
from codehunch.generation.layout import to_canonical
from codehunch.generation.prompt import encode_text
from codehunch.inference.encoding import LexicalEncoder
from codehunch.syntax.bodies import file_unit
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.lexemes import Lexeme, lexemes_of
from codehunch.syntax.parsing import parse

_WHOLE = 1 << 20
"""A window no function leaves."""


@attrs.define
class Reader:
    """One tokenizer: how many tokens it makes of a function's text, or of its lexemes."""

    name: str
    vocabulary: int
    count: Callable[[str, list[Lexeme]], int]
    tokens: int = 0


def readers(vocabulary: Path | None, merges: Path | None) -> list[Reader]:
    defects, generation = active_bundle("defects"), active_bundle("generation")
    read, written = (
        Tokenizer.from_file(str(bundle.file(bundle.manifest.encoding.tokenizer))) for bundle in (defects, generation)
    )
    lexical = LexicalEncoder(read, window=_WHOLE)
    found = [
        Reader(
            defects.manifest.id,
            read.get_vocab_size(),
            lambda _, lexemes: sum(len(window.input_ids) - 2 for window in lexical.encode(lexemes)),
        ),
        Reader(generation.manifest.id, written.get_vocab_size(), lambda text, _: len(encode_text(written, text))),
    ]
    if vocabulary is not None and merges is not None:
        roberta = ByteLevelBPETokenizer.from_file(str(vocabulary), str(merges))
        size = roberta.get_vocab_size()
        found.append(Reader("roberta-base", size, lambda text, _: len(roberta.encode(text).ids)))
    return found


def main(
    packages: Annotated[list[Path], typer.Argument(exists=True, help="Folders of Python code.")],
    vocabulary: Annotated[Path | None, typer.Option(help="RoBERTa's vocab.json.")] = None,
    merges: Annotated[Path | None, typer.Option(help="RoBERTa's merges.txt.")] = None,
) -> None:
    """Print the table."""
    compared, lines, functions = readers(vocabulary, merges), 0, 0
    for path in sorted(path for package in packages for path in package.rglob("*.py")):
        try:
            parsed = parse(decode_source(path.read_bytes()).source)
        except (OSError, SourceUnreadable):
            continue
        unit = file_unit(parsed)
        for function, node in function_nodes(parsed):
            text = function.span.of(parsed.text)
            if function.broken or function.docstring is not None or "#" in text:
                continue
            column = function.span.start - parsed.text.rfind("\n", 0, function.span.start) - 1
            text = to_canonical(parsed.text[function.span.start - column : function.span.end], unit)
            functions, lines = functions + 1, lines + text.count("\n") + 1
            lexemes = lexemes_of(parsed, node)
            for each in compared:
                each.tokens += each.count(text, lexemes)
    table = Table("", title=f"{lines:,} lines of {functions:,} functions")
    for name in ("vocabulary", "tokens a line", "against the last"):
        table.add_column(name, justify="right")
    for each in compared:
        share = each.tokens / max(1, compared[-1].tokens)
        table.add_row(each.name, f"{each.vocabulary:,}", f"{each.tokens / max(1, lines):.2f}", f"{share:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
