"""An evaluation as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from codehunch_training.evaluation.meanings import less_is_better, meaning
from codehunch_training.evaluation.measuring import headline
from codehunch_training.evaluation.svg import Line, bars, plot
from codehunch_training.run_folder import write_text

Tree = Mapping[str, Any]
_UNIT = (0.0, 1.0)


def write_page(tree: Tree, path: Path) -> Path:
    """Write the page of ``evaluate``'s tree. Raises OSError."""
    sections = [
        ("metrics", "Metrics", _metrics(tree)),
        ("curves", "Curves", _curves(tree)),
        ("points", "Operating points", _points(tree)),
        ("confusion", "Confusion", _confusion(tree)),
        ("breakdowns", "Breakdowns", _breakdowns(tree)),
        ("fairness", "Bias and fairness", _fairness(tree)),
        ("learning", "Learning curves", _learning(tree)),
        ("provenance", "How it was made", _provenance(tree)),
    ]
    kept = [section for section in sections if section[2]]
    page = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(_title(tree)),
        contents=" ".join(f"<a href='#{name}'>{title}</a>" for name, title, _ in kept),
        facts=_facts(tree),
        body="\n".join(f"<h2 id={name}>{title}</h2>\n{content}" for name, title, content in kept),
    )
    write_text(path, page)
    return path


def _title(tree: Tree) -> str:
    names = [str(model["path"]) for model in tree["models"]]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"Evaluation of {names[0]}{more}"


def _facts(tree: Tree) -> str:
    data, model = tree["data"], tree["models"][0]
    facts = {
        "data": f"{data['source']}, split {data['split']}, {data['rows']:,} rows",
        "fingerprint of the rows": data["fingerprint"],
        "model": ", ".join(f"{k} {v}" for k, v in model.items() if k not in ("path", "metrics")),
        "threshold": f"{tree['threshold']:g}",
        "what is drawn below": tree.get("drawn", "") if len(tree["models"]) > 1 else "",
        "notes": "; ".join(tree.get("notes", ())),
    }
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)


def _metrics(tree: Tree) -> str:
    spread, together = tree.get("spread", {}), tree.get("ensemble", {})
    metrics, intervals = tree["metrics"], tree.get("intervals", {})
    names = headline(metrics, len(metrics))
    head = "<tr><th>metric<th class=n>"
    if spread:
        head += "mean<th class=n>± deviation<th class=n>each model" + ("<th class=n>ensemble" if together else "")
    else:
        head += "value<th class=n>95 % interval"
    rows = []
    for name in names:
        sign = " ↓" if less_is_better(name) else ""
        line = f"<tr><td>{escape(name)}{sign}<td class=n>{_value(metrics[name])}"
        if spread:
            each = spread[name]
            line += f"<td class=n>± {_value(each['deviation'])}"
            line += f"<td class=n>{' '.join(_value(value) for value in each['values'])}"
            line += f"<td class=n>{_value(together[name]) if name in together else ''}" if together else ""
        else:
            pair = intervals.get(name)
            line += f"<td class=n>{_value(pair[0])} to {_value(pair[1])}" if pair else "<td>"
        rows.append(f"{line}<td class=soft>{escape(meaning(name))}")
    note = (
        f"<p class=soft>Mean over {len(tree['models'])} models; the deviation is that of a sample.</p>"
        if spread
        else "<p class=soft>Intervals: percentile bootstrap over the rows. ↓: less is better.</p>"
    )
    return f"<div class=wide><table>{head}<th>{''.join(rows)}</table></div>{note}" if rows else ""


def _value(value: float) -> str:
    if value != value:
        return "-"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def _curves(tree: Tree) -> str:
    curves = tree.get("curves", {})
    found = []
    diagonal = Line("", (0, 1), (0, 1), plain=True)
    if "roc" in curves:
        line = Line("ROC", [0, *curves["roc"]["x"]], [0, *curves["roc"]["y"]])
        found.append(plot("Receiver operating characteristic", "false-positive rate", "recall", [line, diagonal],
                          _UNIT, _UNIT))  # fmt: skip
    if "precision_recall" in curves:
        line = Line("precision", curves["precision_recall"]["x"], curves["precision_recall"]["y"])
        found.append(plot("Precision and recall", "recall", "precision", [line], _UNIT, _UNIT))
    if "reliability" in curves:
        lines = [
            Line(name, [v for v in bins["confidence"] if v is not None],
                 [a for a, v in zip(bins["accuracy"], bins["confidence"], strict=True) if v is not None], dots=True)
            for name, bins in curves["reliability"].items()
        ]  # fmt: skip
        found.append(plot("Reliability", "confidence", "accuracy", [*lines, diagonal], _UNIT, _UNIT,
                          "On the dashed line, confidence is what it says."))  # fmt: skip
    if "effort" in curves:
        line = Line("model", [0, *curves["effort"]["x"]], [0, *curves["effort"]["y"]])
        found.append(plot("Defective lines found by lines read", "share of the code read", "share found",
                          [line, diagonal], _UNIT, _UNIT, "Dashed: reading in any order."))  # fmt: skip
    return f"<div class=plots>{''.join(found)}</div>" if found else ""


def _points(tree: Tree) -> str:
    points = tree.get("points") or []
    rows = "".join(
        f"<tr><td class=n>{each['budget']:g}<td class=n>{each['threshold']:.4f}<td class=n>{each['recall']:.4f}"
        f"<td class=n>{each['precision']:.4f}<td class=n>{each['warnings_per_kloc']:.2f}"
        for each in points
    )
    head = "<tr><th>warnings allowed in 1,000 clean lines<th>threshold<th>recall<th>precision<th>warnings there are"
    return f"<div class=wide><table>{head}{rows}</table></div>" if points else ""


def _confusion(tree: Tree) -> str:
    labels, table = tree.get("confusion", {}).get("labels", []), tree.get("confusion", {}).get("table", [])
    if not 0 < len(labels) <= 40:
        return ""
    head = "<tr><th>is \\ called" + "".join(f"<th class=n>{escape(name)}" for name in labels)
    rows = "".join(
        f"<tr><th>{escape(name)}" + "".join(f"<td class=n>{count:,}" for count in row)
        for name, row in zip(labels, table, strict=True)
    )
    return f"<div class=wide><table>{head}{rows}</table></div>"


def _breakdowns(tree: Tree) -> str:
    return "".join(
        f"<h3>By {escape(way)}</h3><div class=wide><table>{_groups(groups)}</table></div>"
        for way, groups in tree.get("breakdowns", {}).items()
    )


def _groups(groups: Sequence[Tree]) -> str:
    names = list(dict.fromkeys(name for group in groups for name in group["metrics"]))
    head = "<tr><th><th class=n>rows<th class=n>defective" + "".join(
        f"<th class=n>{escape(name.replace('_', ' '))}" for name in names
    )
    rows = "".join(
        f"<tr><td>{escape(group['name'])}<td class=n>{group['rows']:,}<td class=n>{group['defective']:,}"
        + "".join(f"<td class=n>{_value(group['metrics'][name]) if name in group['metrics'] else ''}" for name in names)
        for group in groups
    )
    return head + rows


def _fairness(tree: Tree) -> str:
    fair = tree.get("fairness")
    if not fair:
        return ""
    findings = fair["findings"]
    verdict = (
        "<ul>" + "".join(f"<li class=bad>{escape(each)}" for each in findings) + "</ul>"
        if findings
        else "<p class=good>The score follows none of the traits that were asked.</p>"
    )
    traits = "".join(
        f"<tr><td>{escape(each['question'])}<td class=n>{each['correlation']:+.3f}<td class=n>{each['chance']:.3g}"
        f"<td class={'bad' if each['follows'] else 'soft'}>{'follows' if each['follows'] else 'no'}"
        for each in fair["traits"]
    )
    groups = "".join(
        f"<tr><td>{each['about']}<td>{escape(each['name'])}<td class=n>{each['rows']:,}"
        f"<td class=n>{each['false_alarms']:.1%}<td class=n>{each['mean_rank']:.3f}"
        f"<td class=n>{'' if each['recall'] is None else format(each['recall'], '.1%')}<td class=n>{each['chance']:.3g}"
        f"<td class={'bad' if each['differs'] else 'soft'}>{'differs' if each['differs'] else 'no'}"
        for each in fair["groups"]
    )
    asked = (
        f"<p>Asked of {fair['rows']:,} clean rows, of which {fair['false_alarms']:.1%} are flagged. There every "
        "difference in score is unearned: does the score follow the author's style, the age of the code, the "
        "natural language of its identifiers, or (of Python) docstring, annotations, tests and project? Length is "
        "partialled out; chances are corrected for the number of questions. A correlation counts from 0.2, a group "
        "from a mean rank 0.1 away from 0.5 or half as many false alarms again."
        "</p>"
    )
    missing = "".join(f"<li>{escape(each)}" for each in fair["missing"])
    return (
        asked
        + verdict
        + "<h3>Traits</h3><div class=wide><table><tr><th>question<th>rank correlation<th>by chance<th>"
        + f"{traits}</table></div>"
        + (
            "<h3>Groups</h3><div class=wide><table><tr><th><th>group<th class=n>clean rows<th class=n>false alarms"
            f"<th class=n>mean rank<th class=n>recall<th class=n>by chance<th>{groups}</table></div>"
            if groups
            else ""
        )
        + (f"<h3>Not asked</h3><ul class=soft>{missing}</ul>" if missing else "")
    )


def _learning(tree: Tree) -> str:
    runs = [run for run in tree.get("learning", ()) if run["log"]]
    if not runs:
        return ""
    figures = [
        plot("Training loss", "step", "loss", [
            Line(Path(run["path"]).name, *_series(run["log"], "loss", True)) for run in runs
        ])
    ]  # fmt: skip
    names = dict.fromkeys(name for run in runs for name in headline(_last(run["log"]), 4))
    for name in names:
        lines = [Line(Path(run["path"]).name, *_series(run["log"], name, False), dots=True) for run in runs]
        figures.append(plot(f"{name} on validation rows", "step", name, lines))
    return f"<div class=plots>{''.join(figures)}</div>"


def _series(log: Sequence[Tree], name: str, training: bool) -> tuple[list[float], list[float]]:
    rows = [row for row in log if name in row and _is_training(row) == training]
    return [row["step"] for row in rows], [row[name] for row in rows]


def _is_training(row: Tree) -> bool:
    return set(row) <= {"step", "loss"}


def _last(log: Sequence[Tree]) -> Tree:
    measured = [row for row in log if not _is_training(row)]
    return {k: v for k, v in measured[-1].items() if k not in ("step", "epoch")} if measured else {}


def _provenance(tree: Tree) -> str:
    def lines(values: Tree, before: str = "") -> Iterator[str]:
        for name, value in values.items():
            if isinstance(value, Mapping):
                yield from lines(value, f"{before}{name} ")
            else:
                yield f"<dt>{escape(before + name)}</dt><dd>{escape(str(value))}</dd>"

    sizes = {Path(model["path"]).name: model["metrics"][headline(model["metrics"], 1)[0]] for model in tree["models"]
             if model["metrics"]}  # fmt: skip
    several = len(tree["models"]) > 1 and len(sizes) == len(tree["models"])
    chart = bars(headline(tree["models"][0]["metrics"], 1)[0] + " of each model", sizes) if several else ""
    return f"{chart}<dl>{''.join(lines(tree.get('made_by', {})))}</dl>"


def to_json(tree: Tree) -> str:
    """The tree as JSON text; numbers that are not finite become null."""
    return json.dumps(_plain(tree), indent=2, ensure_ascii=False, default=str) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value
