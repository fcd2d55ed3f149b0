"""A study as a page: how it went, what mattered, what the best trial was."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from codehunch_training.evaluation.page import to_json
from codehunch_training.evaluation.svg import Line, bars, plot
from codehunch_training.run_folder import write_text

if TYPE_CHECKING:
    from codehunch_training.tuning.study import Tuned

_PAGE = Path(__file__).parents[1] / "evaluation" / "page.html"


def write_study(tuned: Tuned, greater: bool) -> None:
    """Write ``study.json`` and ``report.html``."""
    tree = {
        "metric": tuned.metric,
        "best_value": tuned.best_value,
        "best_run": str(tuned.best_run) if tuned.best_run else None,
        "importances": tuned.importances,
        "trials": tuned.trials,
    }
    write_text(tuned.folder / "study.json", to_json(tree))
    finished = [each for each in tuned.trials if each["state"] == "COMPLETE"]
    sections = [
        ("history", "How it went", _history(tuned, finished, greater)),
        ("importance", "What mattered", bars("Importance of each field (PED-ANOVA)", tuned.importances, 1.0)),
        ("fields", "Field by field", _fields(tuned, finished)),
        ("trials", "Trials", _trials(tuned, greater)),
    ]
    kept = [section for section in sections if section[2]]
    states = {state: sum(each["state"] == state for each in tuned.trials) for state in ("COMPLETE", "PRUNED", "FAIL")}
    facts = {
        "metric": f"{tuned.metric}, {'more' if greater else 'less'} is better",
        "best": f"{tuned.best_value:.5g}" if tuned.best_value is not None else "none yet",
        "trials": f"{states['COMPLETE']} finished, {states['PRUNED']} pruned, {states['FAIL']} failed or interrupted",
        "best run": str(tuned.best_run or ""),
    }
    page = Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Study {tuned.folder.name}"),
        contents=" ".join(f"<a href='#{name}'>{title}</a>" for name, title, _ in kept),
        facts="".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value),
        body="\n".join(f"<h2 id={name}>{title}</h2>\n{content}" for name, title, content in kept),
    )
    write_text(tuned.folder / "report.html", page)


def _history(tuned: Tuned, finished: Sequence[dict[str, Any]], greater: bool) -> str:
    best: list[float] = []
    for each in finished:
        best.append(each["value"] if not best else (max if greater else min)(best[-1], each["value"]))
    numbers = [float(each["number"]) for each in finished]
    lines = [
        Line("best so far", numbers, best),
        Line("trial", numbers, [each["value"] for each in finished], dots=True),
    ]
    found = [plot("Value of each finished trial", "trial", tuned.metric, lines)]
    curves = [
        Line("", list(map(float, each["reports"])), list(each["reports"].values()), plain=each["state"] == "PRUNED")
        for each in tuned.trials
        if len(each["reports"]) > 1
    ]
    if curves:
        names = {False: "finished", True: "pruned"}
        shown = [Line(names[line.plain], line.x, line.y, plain=line.plain) for line in curves[-40:]]
        figure = plot("Learning curves; dashed: pruned", "evaluation", tuned.metric, shown)
        # One colour for all that finished, and no legend of forty equal names.
        head, _, tail = figure.partition("<div class=legend>")
        found.append(head + ("</figure>" if tail else ""))
    return f"<div class=plots>{''.join(found)}</div>" if numbers or curves else ""


def _fields(tuned: Tuned, finished: Sequence[dict[str, Any]]) -> str:
    found = []
    for name in dict.fromkeys(name for each in finished for name in each["params"]):
        pairs = [(each["params"][name], each["value"]) for each in finished if name in each["params"]]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value, _ in pairs):
            pairs.sort()
            # Points only: a line between them would be a claim.
            dots = [Line("", [float(x)], [y], dots=True, plain=True) for x, y in pairs]
            found.append(plot(name, name, tuned.metric, dots))
        else:
            means = {
                str(value): sum(y for x, y in pairs if x == value) / sum(x == value for x, _ in pairs)
                for value in dict.fromkeys(x for x, _ in pairs)
            }
            found.append(bars(f"{name}: mean {tuned.metric}", means))
    return f"<div class=plots>{''.join(found)}</div>" if found else ""


def _trials(tuned: Tuned, greater: bool) -> str:
    order = sorted(
        tuned.trials,
        key=lambda each: (
            each["value"] is None,
            (-each["value"] if greater else each["value"]) if each["value"] else 0,
        ),
    )
    names = list(dict.fromkeys(name for each in order for name in each["params"]))
    head = "<tr><th>trial<th>state<th class=n>" + escape(tuned.metric) + "<th class=n>seconds"
    head += "".join(f"<th class=n>{escape(name)}" for name in names)
    rows = "".join(
        f"<tr><td>{each['number']}<td>{each['state'].lower()}<td class=n>"
        + (f"{each['value']:.5g}" if each["value"] is not None else "")
        + f"<td class=n>{'' if each['seconds'] is None else format(each['seconds'], '.0f')}"
        + "".join(f"<td class=n>{escape(_short(each['params'].get(name, '')))}" for name in names)
        for each in order
    )
    return f"<div class=wide><table>{head}{rows}</table></div>" if order else ""


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
