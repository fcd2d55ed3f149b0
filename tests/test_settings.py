"""Settings: which file counts, what a wrong value does, what the command line outranks."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from codehunch.defects.kinds import KINDS
from codehunch.patterns import PathPatterns
from codehunch.settings import (
    DEFAULTS,
    HOSTS_VARIABLE,
    Settings,
    SettingsProblem,
    SettingsReader,
    load_settings,
    parse_settings,
    read_settings_file,
    setting_keys,
    settings_table,
)
from codehunch.settings_values import codes_of

DOCS = Path(__file__).parents[1] / "docs"
ALL_CODES = tuple(kind.code for kind in KINDS)


def parse(table: dict[str, object]) -> tuple[Settings, list[str]]:
    settings, problems = parse_settings(table, "x.toml", "/project")
    return settings, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("table", "attribute", "expected"),
    [
        ({"sensitivity": "high"}, "sensitivity", "high"),
        ({"sensitivity": "LOW"}, "sensitivity", "low"),
        ({"select": ["CH108", "ch101", "variable-misuse"]}, "select", ("CH101", "CH108")),
        ({"select": "off_by_one"}, "select", ("CH108",)),
        ({"select": ["ALL"]}, "select", ALL_CODES),
        ({"select": []}, "select", ()),
        ({"ignore": ["argument-swap"]}, "ignore", ("CH106",)),
        ({"exclude": ["a/", "!a/b"]}, "exclude", PathPatterns(("a/", "!a/b"), "/project")),
        ({"exclude": "a/"}, "exclude", PathPatterns(("a/",), "/project")),
        ({"default-excludes": False}, "default_excludes", False),
        ({"default_excludes": False}, "default_excludes", False),
        ({"defaultExcludes": False}, "default_excludes", False),
        ({"respectGitignore": False}, "respect_gitignore", False),
        ({"max-file-size": 1}, "max_file_size", 1.0),
        ({"maxFileSize": 0.5}, "max_file_size", 0.5),
        ({"threads": 3}, "threads", 3),
        (
            {"per-file-ignores": {"tests/": ["CH101"]}},
            "per_file_ignores",
            ((PathPatterns(("tests/",), "/project"), ("CH101",)),),
        ),
        ({"per-file-ignores": {}}, "per_file_ignores", ()),
    ],
)
def test_a_right_value_is_taken(table: dict[str, object], attribute: str, expected: object) -> None:
    settings, problems = parse(table)
    assert problems == []
    assert settings == attrs.evolve(DEFAULTS, **{attribute: expected})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"sensitivity": "loud"},
            "x.toml: `sensitivity`: 'loud' is not one of low, medium, high; using \"medium\"",
        ),
        (
            {"sensitivity": "hihg"},
            "x.toml: `sensitivity`: 'hihg' is not one of low, medium, high; did you mean 'high'?; using \"medium\"",
        ),
        ({"sensitivity": 3}, 'x.toml: `sensitivity`: 3 is not one of low, medium, high; using "medium"'),
        ({"default-excludes": 1}, "x.toml: `default-excludes`: 1 is neither true nor false; using true"),
        ({"respect-gitignore": "no"}, "x.toml: `respect-gitignore`: 'no' is neither true nor false; using true"),
        ({"max-file-size": 0}, "x.toml: `max-file-size`: 0 is not a number of at least 0.001; using 2"),
        ({"max-file-size": "2"}, "x.toml: `max-file-size`: '2' is not a number of at least 0.001; using 2"),
        (
            {"max-file-size": float("inf")},
            "x.toml: `max-file-size`: inf is not a number of at least 0.001; using 2",
        ),
        (
            {"max-file-size": float("nan")},
            "x.toml: `max-file-size`: nan is not a number of at least 0.001; using 2",
        ),
        ({"threads": 0}, "x.toml: `threads`: 0 is not a whole number of at least 1; using unset"),
        ({"threads": 1.5}, "x.toml: `threads`: 1.5 is not a whole number of at least 1; using unset"),
        ({"threads": True}, "x.toml: `threads`: True is not a whole number of at least 1; using unset"),
        ({"exclude": [1]}, "x.toml: `exclude`: [1] is not a list of strings; using []"),
        ({"select": {"a": 1}}, "x.toml: `select`: {'a': 1} is not a list of strings; using []"),
        (
            {"select": ["CH1O1"]},
            "x.toml: `select`: 'CH1O1' is neither a rule code nor a kind; did you mean 'CH101'?; using []",
        ),
        (
            {"per-file-ignores": ["CH101"]},
            "x.toml: `per-file-ignores`: ['CH101'] is not a table of path patterns, each with its rule codes; using []",
        ),
        ({"selct": []}, "x.toml: `selct`: there is no such setting; did you mean 'select'?"),
        ({"max-filesize": 1}, "x.toml: `max-filesize`: there is no such setting; did you mean 'max-file-size'?"),
        ({"qqq": 1}, "x.toml: `qqq`: there is no such setting"),
        # Not a setting, although it is an attribute.
        ({"source": "x"}, "x.toml: `source`: there is no such setting"),
    ],
)
def test_a_wrong_value_is_named_and_falls_back(table: dict[str, object], message: str) -> None:
    settings, problems = parse(table)
    assert problems == [message]
    assert settings == DEFAULTS


@pytest.mark.parametrize(
    ("table", "attribute", "expected", "message"),
    [
        (
            {"select": ["CH101", "wrong-compare"]},
            "select",
            ("CH101",),
            "x.toml: `select`: 'wrong-compare' is neither a rule code nor a kind; did you mean 'wrong-comparison'?; "
            "the rest stands",
        ),
        (
            {"exclude": ["ok/", "bad\\"]},
            "exclude",
            PathPatterns(("ok/",), "/project"),
            "x.toml: `exclude`: 'bad\\\\' is no valid pattern (the syntax is that of .gitignore); the rest stands",
        ),
        (
            {"exclude": ["ok/", " "]},
            "exclude",
            PathPatterns(("ok/",), "/project"),
            "x.toml: `exclude`: ' ' is empty; the rest stands",
        ),
        (
            {"per-file-ignores": {"a/": ["CH101"], "b/": ["nothing"]}},
            "per_file_ignores",
            ((PathPatterns(("a/",), "/project"), ("CH101",)),),
            "x.toml: `per-file-ignores`: 'b/': 'nothing' is neither a rule code nor a kind; the rest stands",
        ),
    ],
)
def test_what_is_right_beside_a_wrong_item_stands(
    table: dict[str, object], attribute: str, expected: object, message: str
) -> None:
    settings, problems = parse(table)
    assert problems == [message]
    assert settings == attrs.evolve(DEFAULTS, **{attribute: expected})


def test_one_wrong_key_leaves_the_others_alone() -> None:
    settings, problems = parse({"sensitivity": "loud", "threads": 2})
    assert len(problems) == 1
    assert settings == attrs.evolve(DEFAULTS, threads=2)


def test_a_long_wrong_value_is_cut() -> None:
    _, (problem,) = parse({"threads": "x" * 1000})
    assert len(problem) < 160


@pytest.mark.parametrize(
    ("selector", "expected"),
    [("CH101", ("CH101",)), ("ch101", ("CH101",)), (" variable-misuse ", ("CH101",)), ("Wrong_Call", ("CH110",))]
    + [("all", ALL_CODES)]
    + [(kind.name, (kind.code,)) for kind in KINDS],
)
def test_selectors(selector: str, expected: tuple[str, ...]) -> None:
    assert codes_of(selector) == expected


@pytest.mark.parametrize("selector", ["", "CH1", "CH9999", "misuse", "CH101,CH102"])
def test_unknown_selectors(selector: str) -> None:
    with pytest.raises(ValueError, match="neither a rule code nor a kind"):
        codes_of(selector)


def tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


OWN_LOW = 'sensitivity = "low"\n'
OWN_HIGH = 'sensitivity = "high"\n'
PROJECT_LOW = '[tool.codehunch]\nsensitivity = "low"\n'
PROJECT_HIGH = '[tool.codehunch]\nsensitivity = "high"\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "medium"),
        ({".codehunch.toml": OWN_LOW}, "low"),
        ({"pyproject.toml": PROJECT_LOW}, "low"),
        # In one folder our own file outranks pyproject.toml.
        ({".codehunch.toml": OWN_LOW, "pyproject.toml": PROJECT_HIGH}, "low"),
        # The nearest of a kind counts.
        ({".codehunch.toml": OWN_LOW, "a/.codehunch.toml": OWN_HIGH}, "high"),
        ({".codehunch.toml": OWN_LOW, "a/b/.codehunch.toml": OWN_HIGH}, "high"),
        ({"pyproject.toml": PROJECT_LOW, "a/pyproject.toml": PROJECT_HIGH}, "high"),
        # pyproject.toml is asked only where no .codehunch.toml lies above.
        ({".codehunch.toml": OWN_LOW, "a/b/pyproject.toml": PROJECT_HIGH}, "low"),
        # A pyproject.toml without our table says nothing.
        ({"pyproject.toml": PROJECT_LOW, "a/pyproject.toml": "[tool.other]\nx = 1\n"}, "low"),
        ({"pyproject.toml": PROJECT_LOW, "a/pyproject.toml": ""}, "low"),
        # An empty table is a table: it asks for the defaults.
        ({"pyproject.toml": PROJECT_LOW, "a/pyproject.toml": "[tool.codehunch]\n"}, "medium"),
        ({".codehunch.toml": OWN_LOW, "a/.codehunch.toml": ""}, "medium"),
        # Files beside the way up do not count.
        ({"a/c/.codehunch.toml": OWN_LOW}, "medium"),
        # A folder of that name is no file.
        ({".codehunch.toml/x": "", "pyproject.toml": PROJECT_LOW}, "low"),
        ({".codehunch.toml": "\ufeff" + OWN_LOW}, "low"),
    ],
)
def test_which_file_counts(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    tree(tmp_path, files)
    (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
    # The file itself need not exist.
    assert load_settings(tmp_path / "a" / "b" / "x.py").sensitivity == expected
    assert load_settings(tmp_path / "a" / "b").sensitivity == expected


@pytest.mark.parametrize(
    ("name", "text", "fragment"),
    [
        (".codehunch.toml", "sensitivity = ", ".codehunch.toml: is not valid TOML"),
        (".codehunch.toml", "\udcff", ".codehunch.toml: is not valid TOML"),
        ("pyproject.toml", "[tool.codehunch\n", "pyproject.toml: is not valid TOML"),
        ("pyproject.toml", "[tool]\ncodehunch = 3\n", "pyproject.toml: `tool.codehunch`: is not a table"),
    ],
)
def test_a_broken_file_gives_the_defaults_and_one_warning(tmp_path: Path, name: str, text: str, fragment: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    problems: list[SettingsProblem] = []
    settings = load_settings(tmp_path, problems.append)
    assert attrs.evolve(settings, source=None) == DEFAULTS
    assert len(problems) == 1
    assert fragment in str(problems[0])
    assert "using the defaults" in str(problems[0])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings, problems = read_settings_file(tmp_path / ".codehunch.toml")
    assert settings is not None
    assert [problem.message for problem in problems] == [
        "cannot be read (No such file or directory); using the defaults"
    ]


def test_problems_are_told_once_and_name_the_file(tmp_path: Path) -> None:
    tree(tmp_path, {".codehunch.toml": 'sensitivity = "loud"\n', "a/x.py": "", "b/y.py": ""})
    problems: list[SettingsProblem] = []
    reader = SettingsReader(warn=problems.append)
    for name in ("a/x.py", "b/y.py", "a/x.py"):
        assert reader.for_file(tmp_path / name).sensitivity == "medium"
    assert [problem.source for problem in problems] == [str(tmp_path / ".codehunch.toml")]
    reader.forget()
    reader.for_file(tmp_path / "a/x.py")
    assert len(problems) == 2


def test_a_reader_forgets_on_demand(tmp_path: Path) -> None:
    reader = SettingsReader()
    assert reader.for_folder(tmp_path).sensitivity == "medium"
    tree(tmp_path, {".codehunch.toml": OWN_LOW})
    assert reader.for_folder(tmp_path).sensitivity == "medium"
    reader.forget()
    assert reader.for_folder(tmp_path).sensitivity == "low"
    assert reader.for_folder(tmp_path).source == tmp_path / ".codehunch.toml"


def test_overrides_outrank_files_and_defaults(tmp_path: Path) -> None:
    tree(tmp_path, {"a/.codehunch.toml": 'sensitivity = "low"\nthreads = 4\nignore = ["CH101", "CH102"]\n'})
    reader = SettingsReader({"sensitivity": "high", "select": ("CH101",)})
    inside, outside = reader.for_folder(tmp_path / "a"), reader.for_folder(tmp_path)
    assert (inside.sensitivity, inside.threads) == ("high", 4)
    assert (outside.sensitivity, outside.threads) == ("high", None)
    # What is selected by name is not silenced by the file.
    assert inside.ignore == ("CH102",)
    both = SettingsReader({"select": ("CH101",), "ignore": ("CH101",)}).for_folder(tmp_path / "a")
    assert both.ignore == ("CH101",)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/a.py", ("CH103",)),
        ("tests/a.py", ("CH103", "CH107")),
        ("src/tests/a.py", ("CH103", "CH107")),
        ("docs/conf.py", ("CH103", "CH101")),
        ("src/docs/conf.py", ("CH103",)),
        ("../elsewhere/tests/a.py", ("CH103",)),
    ],
)
def test_per_file_ignores(tmp_path: Path, path: str, expected: tuple[str, ...]) -> None:
    project = tmp_path / "project"
    text = 'ignore = ["CH103"]\nper-file-ignores = { "tests/" = ["CH107", "CH103"], "/docs/*.py" = ["CH101"] }\n'
    tree(project, {".codehunch.toml": text})
    settings = load_settings(project)
    assert settings.codes_ignored_in(os.path.normpath(project / path)) == expected


def test_deep_folders_do_not_exhaust_the_stack(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 900)
    assert load_settings(deep / "x.py") == DEFAULTS


def test_the_reference_is_generated_from_the_class() -> None:
    table = settings_table()
    assert table in (DOCS / "settings.md").read_text(encoding="utf-8")
    assert all(f"| `{key}` |" in table for key in setting_keys())


def test_the_defaults_of_the_reference_read_back_as_the_defaults() -> None:
    import tomllib

    rows = [row.split(" | ") for row in settings_table().splitlines()[2:]]
    lines = [f"{row[0].strip('| `')} = {row[2].strip('`')}" for row in rows if row[2] != "`unset`"]
    settings, problems = parse_settings(tomllib.loads("\n".join(lines)), "x", os.sep)
    assert problems == ()
    assert settings == DEFAULTS


@pytest.mark.parametrize(
    ("text", "hosts", "expected", "complaint"),
    [
        ('[inference]\nendpoint = "http://localhost:8080/"\n', "", "http://localhost:8080", ""),
        ('inference.endpoint = "http://127.0.0.9"\n', "", "http://127.0.0.9", ""),
        ('inference-endpoint = "https://[::1]:8000/models"\n', "", "https://[::1]:8000/models", ""),
        (
            '[inference]\nendpoint = "https://models.example"\n',
            "a.example, Models.example",
            "https://models.example",
            "",
        ),
        ('[inference]\nendpoint = "https://models.example"\n', "", None, "is not named in the environment variable"),
        (
            '[inference]\nendpoint = "https://localhost.models.example"\n',
            "models.example",
            None,
            "nothing is sent there",
        ),
        ('[inference]\nendpoint = "https://localhost@models.example"\n', "", None, "no name, password"),
        ('[inference]\nendpoint = "https://me:secret@localhost"\n', "", None, "token stands in the environment"),
        ('[inference]\nendpoint = "http://localhost/v1?key=1"\n', "", None, "query"),
        ('[inference]\nendpoint = "ftp://localhost"\n', "", None, "no http or https address"),
        ('[inference]\nendpoint = "http://"\n', "", None, "no http or https address"),
        ('[inference]\nendpoint = "http://localhost:99999"\n', "", None, "no http or https address"),
        ('[inference]\nendpoint = "http://local\\nhost"\n', "", None, "no http or https address"),
        ("[inference]\nendpoint = 8080\n", "", None, "no http or https address"),
        ('[inference]\nendpont = "http://localhost"\n', "", None, "did you mean 'inference.endpoint'"),
        ('inference = "http://localhost"\n', "", None, "there is no such setting"),
    ],
)
def test_a_model_server_is_asked_only_where_the_person_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, hosts: str, expected: str | None, complaint: str
) -> None:
    """A project's settings file is not the person's word: only hosts that the environment names are accepted."""
    monkeypatch.setenv(HOSTS_VARIABLE, hosts)
    (tmp_path / ".codehunch.toml").write_text(text)
    told: list[SettingsProblem] = []
    settings = load_settings(tmp_path, told.append)
    assert settings.inference_endpoint == expected
    assert [complaint in str(problem) for problem in told] == ([True] if complaint else [])
