"""The rule pages, and the command that shows them."""

from __future__ import annotations

import ast
import difflib
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from codehunch.defects.kinds import KINDS, Kind
from codehunch.rules_pages import rule_page, rule_uri
from codehunch.settings import parse_settings
from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.parsing import parse

from .conftest import Cli

DOCS = Path(__file__).parents[2] / "docs"
HEADINGS = ["What it means", "Why a model flags it", "Bad", "Good", "How to silence it", "Limits"]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)


def sections(kind: Kind) -> dict[str, str]:
    text = rule_page(kind.code).read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@each_kind
def test_a_page_says_everything(kind: Kind) -> None:
    text = rule_page(kind.code).read_text(encoding="utf-8")
    assert text.startswith(f"# {kind.code} {kind.name}\n\n> ")
    assert list(sections(kind)) == HEADINGS
    assert all(section.strip() for section in sections(kind).values())
    assert f"codehunch check --ignore {kind.code}" in text


@each_kind
def test_the_examples_are_code_and_differ_a_little(kind: Kind) -> None:
    language = "c" if kind.code == "CH100" else "python"
    (bad,), (good,) = (blocks(sections(kind)[name], language) for name in ("Bad", "Good"))
    for code in (bad, good):
        assert not parse(code, language).tree.root_node.has_error
        if language == "python":
            ast.parse(code)
    changed = [line for line in difflib.ndiff(bad.splitlines(), good.splitlines()) if line[0] in "+-"]
    assert 1 <= len(changed) <= 2


@each_kind
def test_what_the_page_says_about_silencing_works(kind: Kind) -> None:
    section = sections(kind)["How to silence it"]
    language = "c" if kind.code == "CH100" else "python"
    line, file = blocks(section, language)
    for code, row in ((line, 0), (f"x = 1\n{file}", 0)):
        suppressions = find_suppressions(parse(code, language))
        assert suppressions.silences(kind.code, kind.name, row)
        other = next(each for each in KINDS if each != kind)
        assert not suppressions.silences(other.code, other.name, row)
    bad = blocks(sections(kind)["Bad"], language)[0]
    assert line.split(f"  {'//' if language == 'c' else '#'} codehunch")[0] in [
        each.strip() for each in bad.splitlines()
    ]
    (toml,) = blocks(section, "toml")
    settings, problems = parse_settings(tomllib.loads(toml), "x", "/p")
    assert problems == ()
    assert settings.ignore == (kind.code,)
    assert settings.codes_ignored_in("/p/tests/a.py") == (kind.code,)


def test_there_is_a_page_for_every_rule_and_no_other() -> None:
    pages = {path.name for path in (DOCS / "rules").iterdir()}
    assert pages == {kind.page for kind in KINDS} | {"README.md"}
    index = (DOCS / "rules" / "README.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"| [{kind.code}]({kind.page}) | `{kind.name}` | {kind.title} |" in index


@each_kind
def test_a_page_has_a_uri_for_editors(kind: Kind) -> None:
    uri = rule_uri(kind.code)
    assert uri is not None
    assert urlsplit(uri).scheme == "file"
    assert Path(unquote(urlsplit(uri).path)).name == kind.page
    assert Path(unquote(urlsplit(uri).path)).is_file()


def test_unknown_codes_have_no_page() -> None:
    with pytest.raises(KeyError):
        rule_page("CH999")
    assert rule_uri("CH999") is None


@pytest.mark.parametrize("name", ["CH101", "ch101", "variable-misuse"])
def test_piped_a_page_is_plain_markdown(cli: Cli, name: str) -> None:
    result = cli("rule", name)
    assert (result.code, result.err) == (0, "")
    assert result.out == rule_page("CH101").read_text(encoding="utf-8")


def test_without_a_code_the_table(cli: Cli) -> None:
    result = cli("rule")
    assert result.code == 0
    assert [line.split()[:2] for line in result.out.splitlines()] == [[kind.code, kind.name] for kind in KINDS]


def test_on_a_terminal_the_page_is_rendered(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    page, table = cli("rule", "CH101").out, cli("rule").out
    assert "\x1b[" in page
    assert "```" not in page
    assert "variable-misuse" in table
