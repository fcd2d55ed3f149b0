"""The page a person reads after a retraining, and the same in Markdown. Every number comes from the run's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import attrs
import numpy as np

from codehunch.bundles.bundle import Bundle, load_bundle, write_bundle
from codehunch_training.corpus.around import source_of
from codehunch_training.export.calibration import ALARM_BUDGETS
from codehunch_training.retraining.defect_measure import subjects
from codehunch_training.retraining.findings import tree_findings
from codehunch_training.retraining.judging import Scores, share_interval
from codehunch_training.retraining.pipeline import Context
from codehunch_training.retraining.state import read_json, write_json
from codehunch_training.retraining.telling import stopper

EXAMPLES = 6
CARD = "MODEL_CARD.md"


@attrs.frozen
class Table:
    """A heading, columns and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@attrs.frozen
class Example:
    """Some code with one stretch marked."""

    title: str
    text: str
    marked: tuple[int, int] = (0, 0)
    detail: str = ""


@attrs.frozen
class Page:
    """What both formats are made of."""

    title: str
    verdicts: tuple[tuple[str, bool, str], ...]
    tables: tuple[Table, ...]
    examples: tuple[tuple[str, tuple[Example, ...]], ...]
    notes: tuple[str, ...]


def write_reports(context: Context, result: Mapping[str, Any]) -> None:
    """``report.html`` and ``report.md`` in the run folder, and the latter as the card of every new bundle."""
    page = make_page(context, result)
    for name, text in (("report.html", as_html(page)), ("report.md", as_markdown(page))):
        part = context.folder.file(name + ".part")
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        part.replace(context.folder.file(name))
    for task in result["tasks"]:
        folder = context.folder.file(task, "bundle")
        if folder.is_dir():
            (folder / CARD).write_text(as_markdown(page), encoding="utf-8", errors="backslashreplace")
            write_bundle(folder, load_bundle(folder).manifest)


def make_page(context: Context, result: Mapping[str, Any]) -> Page:
    tasks = result["tasks"]
    tables: list[Table] = [_repositories(result), _mined(context)]
    examples: list[tuple[str, tuple[Example, ...]]] = []
    if "later" in tasks.get("defects", {}):
        tables += _defect_tables(context, tasks["defects"])
        examples += _defect_examples(context)
        tables += _tree_tables(context, tasks["defects"])
    if "later" in tasks.get("generation", {}):
        tables += _generation_tables(tasks["generation"])
        examples += _generation_examples(context)
    tables.append(_training_table(tasks, result))
    names = ", ".join(each["project"] for each in result["repositories"])
    notes = [
        "Train on the past, judge on what came later: the split is in time. Injected defects are easier than people's.",
        "Intervals are 95 % bootstrap intervals, paired by function; thresholds are found anew in every draw.",
        f"{result['minutes']:.1f} of {result['budget_minutes']:.1f} minutes of {result['clock']} time;"
        f" peak memory {result['peak_megabytes']:,.0f} MB.",
    ]
    verdicts = tuple((task, bool(found["better"]), str(found["why"])) for task, found in tasks.items())
    return Page(f"Retrained on {names}", verdicts, tuple(tables), tuple(examples), tuple(notes))


def _repositories(result: Mapping[str, Any]) -> Table:
    rows = tuple(
        (r["project"], r["licence"], f"{r['commits_trained_on']:,} up to {r['trained_up_to'][:10]}",
         f"{r['commits_judged_on']:,} up to {r['head'][:10]}") for r in result["repositories"]
    )  # fmt: skip
    return Table("Repositories", ("project", "licence", "commits before the split", "commits judged on"), rows)


def _mined(context: Context) -> Table:
    rows = []
    for name, facts in context.mined.facts.items():
        if not isinstance(facts, Mapping):
            continue
        splits = facts["splits"]
        skipped = ", ".join(f"{reason} {count:,}" for reason, count in list(facts["skipped"].items())[:6] if count)
        rows.append((name, *(f"{splits.get(part, 0):,}" for part in ("train", "valid", "test")), skipped))
    for name, count in context.opinions.counts.items():
        rows.append((name, f"{count:,}", "", "", ""))
    columns = ("rows", "to learn from", "kept aside", "later", "left out, most frequent reasons")
    return Table("What was mined", columns, tuple(rows))


def _defect_tables(context: Context, found: Mapping[str, Any]) -> list[Table]:
    functions = read_json(context.folder.file("defects", "functions.json"))
    scores = {name: Scores.of(functions, name) for name in ("old", "new")}
    ones = np.ones(len(functions))
    rows = []
    for level, rate in ALARM_BUDGETS.items():
        hits = {name: int(score.found(rate, ones).sum()) for name, score in scores.items()}
        count = len(scores["old"].hits)
        cells = [f"{hits[n] / max(1, count):.1%} ({low:.0%} to {high:.0%})" for n in ("old", "new")
                 for low, high in (share_interval(hits[n], count),)]  # fmt: skip
        rows.append((f"{level}: {rate:g} alarms per 1,000 clean lines", *cells))
    later = found["later"]
    rows.append(("mean of the three", f"{later['old']:.1%}", f"{later['new']:.1%} ({_change(later)})"))
    general = found["general"]
    rows.append(("the same on general code", f"{general['old']:.1%}", f"{general['new']:.1%} ({_change(general)})"))
    judged = found["judged"]
    note = (
        f"{judged['defects']:,} injected defects in {judged['functions']:,} functions ({judged['lines']:,} lines) that"
        " came or changed after the split; both models at the same alarm rate on these functions as they are."
    )
    tables = [Table("Defects found at the exact place", ("alarm rate", "old", "new"), tuple(rows), note)]
    kinds = sorted(found["kinds"].items(), key=lambda item: -item[1]["n"])
    tables.append(
        Table("By kind", ("kind", "defects", "old", "new", "change, 95 % interval"), tuple(
            (kind, str(v["n"]), f"{v['old']:.0%}", f"{v['new']:.0%}", _change(v)) for kind, v in kinds))
    )  # fmt: skip
    tables.append(_fixes_table(found))
    return tables


def _fixes_table(found: Mapping[str, Any]) -> Table:
    fixes = found["fixes"]
    if not fixes["old"]:
        return Table("Bugs people fixed later", ("", ""), (), "None of the later commits is a fix that can be read.")
    rows = tuple(
        (name, f"{sum(each['hit'] > 0 for each in fixes[key])} of {len(fixes[key])}",
         f"{sum(each['twin'] > 0 for each in fixes[key])} of {len(fixes[key])}")
        for name, key in (("old", "old"), ("new", "new"))
    )  # fmt: skip
    columns = ("model", "wrong place among its two most suspicious", "fixed function has a suspicious place")
    return Table("Bugs people fixed later", columns, rows, "Too few for an interval to say anything.")


def _tree_tables(context: Context, found: Mapping[str, Any]) -> list[Table]:
    path = context.folder.file("defects", "findings.json")
    if not path.is_file():
        context.teller.stage("reading the repositories with both models")
        bundles: dict[str, Bundle] = {
            "old": load_bundle(found["old_path"]),
            "new": load_bundle(context.folder.file("defects", "bundle")),
        }
        left = context.options.seconds - context.folder.elapsed
        seconds = max(3.0, min(0.04 * context.options.seconds, left - 2))
        write_json(path, tree_findings(context.lines, bundles, seconds, context.threads, stopper(context.stop)))
    tree = read_json(path)
    new = load_bundle(context.folder.file("defects", "bundle")).manifest.defects
    assert new is not None
    rows = tuple(
        (level, f"{ALARM_BUDGETS[level]:g}", f"{new.alarms_per_kloc[level]:.2f}", f"{new.thresholds[level]:.4f}",
         *(f"{tree['per_kloc'][name][level]:.2f}" for name in ("old", "new"))) for level in ALARM_BUDGETS
    )  # fmt: skip
    columns = ("sensitivity", "allowed", "where calibrated", "confidence from", "old on this tree", "new on this tree")
    note = f"Alarms per 1,000 lines; read: {tree['files']:,} of {tree['of']:,} files, {tree['lines']:,} lines."
    strongest = tree["strongest"]["new" if found["better"] else "old"]
    listed = tuple(
        (
            f"{each['confidence']:.3f}",
            f"{each['path']}:{each['line']}",
            f"{each['code']} {each['message']}",
            each["source"],
        )
        for each in strongest
    )
    columns2 = ("confidence", "place", "finding", "line")
    who = "new" if found["better"] else "present"
    return [
        Table("Calibration, and alarms on this tree", columns, rows, note),
        Table(
            "Strongest findings in the repositories today",
            columns2,
            listed,
            f"By the {who} model, at high sensitivity.",
        ),
    ]


def _defect_examples(context: Context) -> list[tuple[str, tuple[Example, ...]]]:
    functions = {row["key"]: row for row in read_json(context.folder.file("defects", "functions.json"))}
    ordered = list(functions.values())
    ones = np.ones(len(ordered))
    rate = ALARM_BUDGETS["medium"]
    least = {name: Scores.of(ordered, name).threshold(rate, ones) for name in ("old", "new")}
    rows = {row.id: row for row in context.mined.functions if row.id in functions}
    fixed: list[Example] = []
    broken: list[Example] = []
    for subject in subjects([(key, source_of(rows[key])) for key in functions], context.options.recipe.injections, 1):
        held, row = functions[subject.key], rows[subject.key]
        for number, case in enumerate(subject.cases):
            hit = {name: held[name]["hits"][number] >= least[name] for name in ("old", "new")}
            if hit["old"] == hit["new"] or len(case.text) > 1600:
                continue
            at = min(case.places)
            word = case.text[at:].split("(")[0].split()[0].rstrip(",:)]") if case.text[at:].split() else ""
            detail = f"confidence {held['old']['hits'][number]:.3f} to {held['new']['hits'][number]:.3f}"
            example = Example(
                f"{row.path}:{row.line} {row.name} ({case.kind})", case.text, (at, at + len(word)), detail
            )
            (fixed if hit["new"] else broken).append(example)
    return [
        (f"Injected defects only the new model finds ({len(fixed)})", tuple(fixed[:EXAMPLES])),
        (f"Injected defects only the old model finds ({len(broken)})", tuple(broken[:EXAMPLES])),
    ]


def _generation_tables(found: Mapping[str, Any]) -> list[Table]:
    later, similarity, right = found["later"], found["similarity"], found["right_tokens"]
    rows = (
        ("nats per token of the real body (less is better)", f"{-later['old']:.3f}", f"{-later['new']:.3f}",
         f"{-later['difference']:+.3f} ({-later['high']:+.3f} to {-later['low']:+.3f})"),
        ("next tokens right", f"{right['old']:.1%}", f"{right['new']:.1%}", _change(right)),
        ("edit similarity of what it writes", f"{similarity['old']:.1%}", f"{similarity['new']:.1%}",
         _change(similarity)),
        ("written exactly", str(found["exact"]["old"]), str(found["exact"]["new"]), ""),
        ("general code: next tokens right", f"{found['general']['old']:.1%}", f"{found['general']['new']:.1%}",
         _change(found["general"])),
    )  # fmt: skip
    judged = found["judged"]
    note = f"{judged['bodies']:,} documented functions ({judged['tokens']:,} tokens) whose body came after the split."
    return [Table("Bodies from docstrings", ("", "old", "new", "change, 95 % interval"), rows, note)]


def _generation_examples(context: Context) -> list[tuple[str, tuple[Example, ...]]]:
    rows = sorted(read_json(context.folder.file("generation", "bodies.json")), key=lambda row: -row["change"])

    def shown(chosen: Sequence[Mapping[str, Any]]) -> tuple[Example, ...]:
        found = []
        for row in chosen:
            asked = "\n".join(text for marker, text in row["prompt"] if marker in ("def", "doc"))
            text = f"{asked}\n\n--- written by a person\n{row['target']}\n--- old\n{row['old']}\n--- new\n{row['new']}"
            found.append(Example(f"{row['path']} {row['name']}", text, detail=f"similarity {row['change']:+.0%}"))
        return tuple(found)

    better, worse = [r for r in rows if r["change"] > 0], [r for r in reversed(rows) if r["change"] < 0]
    return [
        (f"Bodies that came nearer ({len(better)})", shown(better[:EXAMPLES])),
        (f"Bodies that went astray ({len(worse)})", shown(worse[:EXAMPLES])),
    ]


def _training_table(tasks: Mapping[str, Any], result: Mapping[str, Any]) -> Table:
    rows = []
    for task, found in tasks.items():
        if "training" not in found:
            rows.append((task, "", "", "", str(found["why"])))
            continue
        training, plan = found["training"], found["plan"]
        losses = ", ".join(f"{step}: {loss:.3f}" for step, loss, _ in training["losses"])
        where = f"{plan['device']}, {plan['threads']} thread(s), {plan['processes']} process(es)"
        rows.append((task, f"{training['steps']:,}", f"{training['seconds'] / 60:.1f} min", where,
                     f"{losses}; the weights of step {training['best_step']} were taken"))  # fmt: skip
    columns = ("task", "steps", "time", "on", "loss on the functions kept aside, by step")
    return Table("Training", columns, tuple(rows))


def _change(interval: Mapping[str, Any]) -> str:
    return f"{interval['difference']:+.1%} ({interval['low']:+.1%} to {interval['high']:+.1%})"


def as_markdown(page: Page) -> str:
    lines = [f"# {page.title}", ""]
    for task, better, why in page.verdicts:
        lines += [f"**{task}: {_judgement(better)}**: {why}", ""]
    for table in page.tables:
        lines += [f"## {table.title}", ""]
        if table.rows:
            lines += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
            lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows]
            lines.append("")
        if table.note:
            lines += [table.note, ""]
    for title, examples in page.examples:
        lines += [f"## {title}", ""]
        for example in examples:
            fence = "`" * max(
                3, 1 + max((len(run) for run in example.text.split("\n") if set(run) == {"`"}), default=0)
            )
            lines += [f"{_cell(example.title)}, {example.detail}", "", fence, example.text.rstrip(), fence, ""]
    return "\n".join([*lines, "## How to read this", "", *(f"- {note}" for note in page.notes), ""])


def _judgement(better: bool) -> str:
    return "better" if better else "the present model stays"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def as_html(page: Page) -> str:
    verdicts = "".join(
        f"<p class={'better' if better else 'same'}><b>{escape(task)}: {_judgement(better)}</b><br>{escape(why)}</p>"
        for task, better, why in page.verdicts
    )
    template = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(page.title),
        verdicts=verdicts,
        tables="".join(_tables_html(page.tables)),
        examples="".join(_examples_html(page)),
        notes="".join(f"<li>{escape(note)}" for note in page.notes),
    )


def _tables_html(tables: Sequence[Table]) -> Iterator[str]:
    for table in tables:
        head = "".join(f"<th>{escape(column)}" for column in table.columns)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in table.rows)
        note = f"<p class=note>{escape(table.note)}</p>" if table.note else ""
        grid = f"<div class=wide><table><tr>{head}{body}</table></div>" if table.rows else ""
        yield f"<section><h2>{escape(table.title)}</h2>{note}{grid}</section>"


def _examples_html(page: Page) -> Iterator[str]:
    for title, examples in page.examples:
        items = []
        for example in examples:
            start, end = example.marked
            text = example.text
            code = (
                f"{escape(text[:start])}<mark>{escape(text[start:end])}</mark>{escape(text[end:])}"
                if end
                else escape(text)
            )
            items.append(
                f"<details><summary>{escape(example.title)} <small>{escape(example.detail)}</small></summary>"
                f"<pre>{code}</pre></details>"
            )
        yield f"<section><h2>{escape(title)}</h2>{''.join(items) or '<p class=note>None.</p>'}</section>"
