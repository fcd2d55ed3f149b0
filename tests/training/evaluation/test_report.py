"""From predictions to numbers, breakdowns, the question of bias, and the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch.cli.app import run
from codehunch_training.compression.ensembles import mean_predictions
from codehunch_training.data import DataError
from codehunch_training.evaluation.breakdown import breakdowns, length_class
from codehunch_training.evaluation.evaluating import evaluate
from codehunch_training.evaluation.fairness import fairness
from codehunch_training.evaluation.localisation import Places
from codehunch_training.evaluation.measuring import Options, measure
from codehunch_training.evaluation.page import write_page
from codehunch_training.evaluation.predictions import Predictions, clean_label
from codehunch_training.evaluation.style import natural_language, traits
from codehunch_training.evaluation.svg import ticks

RANDOM = np.random.default_rng(1)


def judged(scores: list[float], truth: list[int], rows: list[dict[str, object]] | None = None) -> Predictions:
    given = np.array(scores)
    return Predictions(
        task="classify",
        rows=rows or [{"text": f"def f{at}():\n    return {at}\n"} for at in range(len(truth))],
        labels=("clean", "defective"),
        clean="clean",
        probabilities=np.stack([1 - given, given], 1),
        truth=np.array(truth),
    )


def test_every_metric_of_judgements_is_there() -> None:
    rows = [
        {"text": "a = 1\nb = 2\n", "group": f"g{at // 2}", "role": "buggy" if at % 2 else "fixed"} for at in range(60)
    ]
    truth = [at % 2 for at in range(60)]
    scores = np.clip(np.array(truth) * 0.4 + RANDOM.random(60) * 0.6, 0, 1).tolist()
    found = measure(judged(scores, truth, rows))
    assert {
        *("accuracy", "precision", "recall", "f1", "mcc", "roc_auc", "pr_auc", "calibration_error"),
        *("calibration_error_tempered", "pair_correct", "misses_at_0.5_percent_false_alarms", "warnings_per_kloc"),
    } <= set(found.metrics)
    alarms = sum(score >= 0.5 for score, wrong in zip(scores, truth, strict=True) if not wrong)
    assert found.metrics["warnings_per_kloc"] == pytest.approx(1000 * alarms / 60)
    assert found.metrics["pairs"] == 30
    assert set(found.curves) == {"roc", "precision_recall", "reliability"}
    low, high = found.intervals["roc_auc"]
    assert low <= found.metrics["roc_auc"] <= high
    # The loosest threshold within the budget: 60 clean lines allow no warning at 3 in 1,000.
    assert found.points[-1]["warnings_per_kloc"] == 0


def test_several_kinds_and_several_labels() -> None:
    kinds = Predictions(
        task="classify",
        rows=[{"text": "x"}] * 4,
        labels=("clean", "a", "b"),
        clean="clean",
        probabilities=np.array([[0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]]),
        truth=np.array([0, 1, 1, 2]),
    )
    found = measure(kinds).metrics
    assert found["accuracy"] == 0.5  # Of the kind.
    assert found["any_defect_accuracy"] == 0.75  # Of whether anything is wrong.
    assert found["any_defect_recall"] == pytest.approx(2 / 3)
    many = Predictions(
        task="classify", rows=[{"text": "x"}] * 2, labels=("a", "b"),
        probabilities=np.array([[0.9, 0.2], [0.6, 0.7]]), truth=np.array([[1, 0], [0, 1]]),
    )  # fmt: skip
    assert measure(many).metrics["exact_match"] == 0.5


def test_written_code_with_tests() -> None:
    rows = [{"text": "add", "tests": "assert add(1, 2) == 3"}, {"text": "one", "tests": "assert one() == 1"}]
    right, wrong = "def add(a, b):\n    return a + b\n", "def one():\n    return 2\n"
    answers = [[right, "def add(a, b): return 0"], [wrong, wrong]]
    written = Predictions(task="generation", rows=rows, answers=answers, references=[right, "def one():\n    return 1"])
    found = measure(written)
    assert found.metrics["pass@1"] == 0.25
    assert found.metrics["exact_match"] == 0.5
    assert found.passed == [[True, False], [False, False]]
    assert "sandbox" in found.notes[0]
    assert "pass@1" not in measure(written, Options(run_tests=False)).metrics


def test_no_rows_and_one_class_are_no_errors() -> None:
    assert measure(judged([], [])).metrics == {}
    found = measure(judged([0.2, 0.9], [0, 0])).metrics
    assert "roc_auc" not in found  # Not defined, so not shown.
    assert found["accuracy"] == 0.5


def test_breakdowns_by_hand() -> None:
    rows = [
        {"text": "x\n" * 5, "project": "a", "date": "2019-05-01", "label": "clean"},
        {"text": "x\n" * 5, "project": "a", "date": "2019-06-01", "label": "negated-condition"},
        {"text": "x\n" * 30, "project": "b", "date": "2024-01-01", "label": "clean"},
        {"text": "x\n" * 30, "project": "b", "date": "2024-01-01", "label": "variable-misuse"},
    ]
    found = breakdowns(judged([0.1, 0.9, 0.6, 0.4], [0, 1, 0, 1], rows))
    assert [(group.name, group.rows, group.defective) for group in found["length"]] == [
        ("1 to 10 lines", 2, 1),
        ("26 to 50 lines", 2, 1),
    ]
    assert [group.name for group in found["year"]] == ["2019", "2024"]
    by_project = {group.name: group.metrics for group in found["project"]}
    assert by_project["a"]["accuracy"] == 1.0
    assert by_project["b"]["roc_auc"] == 0.0
    assert by_project["b"]["false_alarms"] == 1.0
    by_kind = {group.name: group.metrics for group in found["kind"]}
    assert by_kind["negated-condition"] == {"recall": 1.0, "roc_auc_against_all_clean": 1.0}
    assert by_kind["variable-misuse"] == {"recall": 0.0, "roc_auc_against_all_clean": 0.5}
    assert "language" not in found
    assert [length_class(lines) for lines in (1, 10, 11, 100, 101)] == [
        "1 to 10 lines", "1 to 10 lines", "11 to 25 lines", "51 to 100 lines", "more than 100 lines",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("def get_name(user):\n    return user.name", "English"),
        ("def hole_wert(datei):\n    ergebnis = datei.zeile\n    return ergebnis", "German"),
        ("def suma(valor, siguiente):\n    resultado = valor + siguiente\n    return resultado", "Spanish"),
        ("def f(x):\n    # 计算总和 并 返回 结果\n    return x", "Chinese or Japanese"),
        ("def f(x):\n    # сумма всех чисел\n    return x", "Cyrillic script"),
        ("def jiancha(shuju, jieguo):\n    return shuju", "Chinese (pinyin)"),
        ("def f(x): return x", "other"),
        ("", "other"),
    ],
)
def test_natural_language(code: str, language: str) -> None:
    assert natural_language(code) == language


def test_traits_of_style() -> None:
    found = traits("def firstName(userName):\n\treturn userName  \n\n# note\n")
    assert found["tabs"] == 1.0
    assert found["names in camelCase"] == pytest.approx(3 / 6)
    assert found["names in snake_case"] == 0.0
    assert traits("") == {}


def _functions(count: int) -> list[dict[str, object]]:
    rows = []
    for at in range(count):
        snake = at % 2 == 0
        name = "first_value" if snake else "firstValue"
        year = 2012 + at // 2 % 8
        extra = "".join(f"    {name}{n} = {n}\n" for n in range(RANDOM.integers(1, 6)))
        rows.append(
            {"text": f"def f({name}):\n{extra}    return {name}\n", "date": f"{year}-01-01", "author": "ab"[snake]}
        )
    return rows


def test_a_score_that_follows_style_or_age_is_found_and_an_honest_one_is_not() -> None:
    rows = _functions(300)
    honest = RANDOM.random(300)
    truth = [0] * 300
    found = fairness(judged(honest.tolist(), truth, rows))
    assert found is not None
    assert found.findings == []
    by_style = np.clip(honest * 0.5 + [0.5 if row["author"] == "b" else 0.0 for row in rows], 0, 1)
    found = fairness(judged(by_style.tolist(), truth, rows))
    assert found is not None
    assert {each.question for each in found.traits if each.follows} >= {
        "the style trait “names in snake_case”", "the style trait “names in camelCase”",
    }  # fmt: skip
    assert {each.name for each in found.groups if each.about == "author" and each.differs} == {"a", "b"}
    by_age = np.clip(honest * 0.5 + [(int(str(row["date"])[:4]) - 2012) / 14 for row in rows], 0, 1)
    found = fairness(judged(by_age.tolist(), truth, rows))
    assert found is not None
    assert [each.question for each in found.traits if each.follows] == ["the age of the code"]


def test_groups_of_the_callers_own_are_told_apart() -> None:
    rows = _functions(300)
    tests = ["test" if at % 3 == 0 else "no test" for at in range(300)]
    scores = np.clip(RANDOM.random(300) * 0.5 + [0.5 if name == "test" else 0.0 for name in tests], 0, 1)
    found = fairness(judged(scores.tolist(), [0] * 300, rows), further={"tests": tests})
    assert found is not None
    assert {each.name: each.differs for each in found.groups if each.about == "tests"} == {
        "test": True, "no test": True,
    }  # fmt: skip


def test_length_alone_is_no_bias() -> None:
    rows = _functions(300)
    length = np.array([len(str(row["text"])) for row in rows], dtype=float)
    found = fairness(judged((length / length.max()).tolist(), [0] * 300, rows))
    assert found is not None
    assert found.findings == []


def test_bias_is_not_asked_of_few_rows() -> None:
    assert fairness(judged([0.1] * 5, [0] * 5)) is None


def test_the_mean_of_models() -> None:
    one, other = judged([0.9, 0.1], [1, 0]), judged([0.5, 0.3], [1, 0])
    assert mean_predictions([one, other]).scores == pytest.approx([0.7, 0.2])
    with pytest.raises(DataError, match="different labels"):
        mean_predictions([one, judged([0.5], [1])])
    with pytest.raises(DataError, match="write text"):
        mean_predictions([Predictions(task="g", rows=[]), Predictions(task="g", rows=[])])
    places = Predictions(task="t", rows=[{}], places={"line": [Places(np.array([0.2, 0.4]), np.array([True, False]))]})
    more = Predictions(task="t", rows=[{}], places={"line": [Places(np.array([0.6, 0.0]), np.array([True, False]))]})
    assert mean_predictions([places, more]).places["line"][0].scores == pytest.approx([0.4, 0.2])


@pytest.mark.parametrize(
    ("labels", "named", "found"),
    [(("clean", "x"), None, "clean"), (("0", "1"), None, "0"), (("cat", "dog"), None, "cat"),
     (("a", "b", "c"), "b", "b"), (("a", "b", "c"), None, None), (("vulnerable", "secure"), None, "secure")],
)  # fmt: skip
def test_which_label_is_clean(labels: tuple[str, ...], named: str | None, found: str | None) -> None:
    assert clean_label(labels, named) == found


def test_ticks_are_round() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0, 950) == [0, 200, 400, 600, 800]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [f"{k}={v}" for k, v in attrs if k in ("src", "href") and not str(v).startswith("#")]


def _table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def rows_and_answers(tmp_path: Path) -> tuple[Path, Path, Path]:
    rows = [
        {**row, "label": "defective" if at % 3 == 0 else "clean", "project": f"<p{at % 2}>"}
        for at, row in enumerate(_functions(90))
    ]
    scores = [float(np.clip((row["label"] == "defective") * 0.3 + RANDOM.random() * 0.6, 0, 1)) for row in rows]
    data = _table(tmp_path / "test.jsonl", rows)
    one = _table(tmp_path / "one.jsonl", [{"score": score} for score in scores])
    two = _table(tmp_path / "two.jsonl", [{"probabilities": [1 - s / 2, s / 2]} for s in scores])
    return data, one, two


def test_the_page_needs_nothing_else(rows_and_answers: tuple[Path, Path, Path], tmp_path: Path) -> None:
    data, one, two = rows_and_answers
    page, numbers = tmp_path / "page.html", tmp_path / "numbers.json"
    command = ["evaluate", str(one), str(two), "--data", str(data), "--ensemble", "--report", str(page)]
    assert run([*command, "--json", str(numbers)]) == 0
    html, tree = page.read_text(), json.loads(numbers.read_text())
    reader = _Reader()
    reader.feed(html)
    assert reader.outside == []
    assert "script" not in reader.tags
    assert reader.tags.count("svg") == 3
    assert "http" not in re.sub(r"http-equiv", "", html)
    assert "&lt;p0&gt;" in html  # What data say is text on the page, never markup.
    assert "<p0>" not in html
    # The second model halves every score: it ranks alike and flags less.
    assert tree["spread"]["roc_auc"]["deviation"] == 0.0
    assert tree["models"][0]["metrics"]["recall"] > tree["models"][1]["metrics"]["recall"]
    assert set(tree["breakdowns"]) == {"project", "year"}
    assert tree["data"] | {"source": ""} == tree["data"] | {"source": "", "rows": 90, "split": "test"}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"score": 0.5}], "has 1 answers, the data 90 rows"),
        ([{"guess": 1}] * 90, "neither `score`"),
        ([{"score": "high"}] * 90, "no number"),
        ([{"score": 3.5}] * 90, "between 0 and 1"),
        ([{"probabilities": [0.1, 0.2, 0.7]}] * 90, "give 2 finite probabilities"),
        ([{"score": float("nan")}] * 90, "finite"),
    ],
)
def test_answers_that_cannot_be_read(
    rows_and_answers: tuple[Path, Path, Path],
    tmp_path: Path,
    answers: list[dict[str, object]],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = _table(tmp_path / "made.jsonl", answers)
    assert run(["evaluate", str(made), "--data", str(rows_and_answers[0])]) == 2
    assert message in capsys.readouterr().err


def test_what_is_not_there_is_said(
    rows_and_answers: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, one, _ = rows_and_answers
    empty = tmp_path / "empty"
    empty.mkdir()
    for command, message in (
        ([str(tmp_path / "no"), "--data", str(data)], "no such run folder, bundle or table"),
        ([str(empty), "--data", str(data)], "holds no finished model"),
        ([str(one), "--data", str(tmp_path / "no.jsonl")], "does not exist"),
        ([str(one), "--data", str(data), "--split", "valid"], "no rows of the split 'valid'"),
        ([str(one), "--data", str(data), "--set", "data.text=nope"], "no column 'nope'"),
    ):
        assert run(["evaluate", *command]) == 2
        assert message in capsys.readouterr().err


def test_a_bundle_is_read_as_it_is_served(tmp_path: Path) -> None:
    from codehunch.bundles.store import default_bundle
    from codehunch.defects.detector import Detector
    from codehunch.defects.options import CheckOptions
    from codehunch.defects.surroundings import ALONE
    from codehunch.syntax.text import SourceText

    bundle = default_bundle("defects")
    assert bundle is not None
    wrong = "def area(width, height):\n    size = width * width\n    return size\n"
    right = "def area(width, height):\n    size = width * height\n    return size\n"
    rows = [
        {"text": wrong, "label": "variable-misuse", "spans": [[44, 49]], "group": "g", "role": "buggy"},
        {"text": right, "label": "clean", "group": "g", "role": "fixed"},
        {"text": "", "label": "clean"},
        {"text": "def (:", "label": "clean"},
    ]
    found = evaluate([bundle.path], _table(tmp_path / "test.jsonl", rows))
    metrics = found.tree["metrics"]
    assert {"line_top_1", "token_top_1", "recall_medium", "warnings_per_kloc_high", "pair_ranked"} <= set(metrics)
    detector, options = Detector(bundle), CheckOptions(sensitivity="high")
    # Rows of a table say nothing of their files.
    assert metrics["recall_high"] == bool(detector.check(SourceText(wrong), options=options, surroundings=ALONE))
    alarms = len(detector.check(SourceText(right), options=options, surroundings=ALONE))
    assert metrics["warnings_per_kloc_high"] == pytest.approx(1000 * alarms / 4)  # `def (:` is a line of code too.
    write_page(found.tree, tmp_path / "page.html")
