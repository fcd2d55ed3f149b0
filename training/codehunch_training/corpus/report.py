"""The page a person reads before training on a corpus: counts, plots, and samples to leaf through.

One HTML file without outside parts: plots are inline SVG, samples are data in the page, nothing is fetched.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from codehunch_training.corpus.folder import read_manifest, shards

SAMPLES = 240
PLOTTED = 4000
"""Rows the histograms are drawn from, evenly spaced over the corpus."""
_BARS = 40
_COMMON = ("id", "project", "path", "line", "commit", "date", "licence", "split", "name", "enclosing_class")


def write_report(folder: Path) -> Path:
    """Write ``report.html`` beside ``corpus.json``; returns its path. Raises CorpusError as ``read_manifest``."""
    manifest = read_manifest(folder)
    rows = [json.loads(line) for line in _spaced(folder, manifest["total"], PLOTTED)]
    step = max(1, len(rows) // SAMPLES)
    page = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"{manifest['total']:,} rows of {manifest['rows']}"),
        facts=_facts(manifest),
        plots="".join(_plots(manifest, rows)),
        tables="".join(_tables(manifest)),
        samples=_script_safe([_sample(row) for row in rows[::step][:SAMPLES]]),
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _spaced(folder: Path, total: int, wanted: int) -> Iterator[bytes]:
    """Evenly spaced lines of all shards."""
    step = max(1, total // wanted)
    number = 0
    for shard in shards(folder):
        with gzip.open(shard, "rb") as lines:
            for line in lines:
                if number % step == 0:
                    yield line
                number += 1


def _script_safe(value: object) -> str:
    """JSON that may stand inside a script element: no closing tag and no comment can begin in it."""
    return (
        json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace("\u2028", "\\u2028")
    )


def _facts(manifest: Mapping[str, Any]) -> str:
    facts = {
        "command": manifest.get("command", ""),
        "fingerprint": manifest["fingerprint"],
        "made by": f"codehunch {manifest.get('codehunch', '')}",
        "time": f"{manifest.get('seconds', 0):,} s; {manifest.get('cpu_seconds', 0):,} s of CPU",
        "peak memory of a process": f"{manifest.get('peak_megabytes', 0):,} MB",
        "inputs": str(len(manifest.get("inputs", []))),
        "skipped": f"{sum(manifest['skipped'].values()):,}",
        "inputs not read": str(len(manifest["unreadable"])),
    }
    confounds = {name.replace("_", " "): str(value) for name, value in manifest.get("confounds", {}).items()}
    return "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in {**facts, **confounds}.items() if v)


def _tables(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from _coverage(manifest.get("coverage", {}))
    groups = {**manifest["counts"], "skipped": manifest["skipped"]}
    for name, counts in groups.items():
        if not counts:
            continue
        ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        largest = ordered[0][1]
        lines = "".join(
            f"<tr><td>{escape(str(value) or '(none)')}<td class=n>{count:,}"
            f"<td><i style='width:{max(1, round(160 * count / largest))}px'></i>"
            for value, count in ordered[:60]
        )
        rest = f"<tr><td>{len(ordered) - 60} more<td><td>" if len(ordered) > 60 else ""
        yield f"<section><h2>{escape(name)}</h2><table>{lines}{rest}</table></section>"
    if manifest["unreadable"]:
        lines = "".join(f"<tr><td>{escape(a)}<td>{escape(b)}" for a, b in manifest["unreadable"])
        yield f"<section><h2>inputs not read</h2><table>{lines}</table></section>"


def _coverage(splits: Mapping[str, Any]) -> Iterator[str]:
    """Labels down, splits across: what is rare or missing where."""
    if not splits:
        return
    labels = sorted({label for split in splits.values() for label in split["labels"]})
    head = "".join(f"<th>{escape(name)}" for name in splits)
    lines = [
        f"<tr><td>{escape(label)}" + "".join(f"<td class=n>{s['labels'].get(label, 0):,}" for s in splits.values())
        for label in labels
    ]
    projects = "<tr><td>projects" + "".join(f"<td class=n>{split['projects']:,}" for split in splits.values())
    yield f"<section><h2>coverage</h2><table><tr><th>{head}{''.join(lines)}{projects}</table></section>"


def _plots(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Histograms of size and year, one colour for all and one for what is labelled buggy."""
    sizes = [(_code(row).count("\n") + 1, _is_buggy(row)) for row in rows]
    years = [(int(row["date"][:4]), _is_buggy(row)) for row in rows if row.get("date", "")[:4].isdecimal()]
    note = f"of {len(rows):,} evenly spaced rows" if manifest["total"] > len(rows) else "of all rows"
    if not rows:
        return
    yield _histogram(f"lines of code, {note}", [(min(size, 80), buggy) for size, buggy in sizes], 80)
    if years:
        yield _histogram(f"year, {note}", years, max(year for year, _ in years))


def _code(row: Mapping[str, Any]) -> str:
    return str(row.get("target") or row.get("text", ""))


def _is_buggy(row: Mapping[str, Any]) -> bool:
    return row.get("label", "clean") != "clean"


def _histogram(title: str, values: Sequence[tuple[int, bool]], last: int) -> str:
    first = min(value for value, _ in values)
    width = max(1, -(-(last - first + 1) // _BARS))
    every: Counter[int] = Counter((value - first) // width for value, _ in values)
    buggy: Counter[int] = Counter((value - first) // width for value, flag in values if flag)
    top = max(every.values())
    bars = []
    for index in range((last - first) // width + 1):
        for counts, name in ((every, "all"), (buggy, "buggy")):
            height = 100 * counts[index] / top
            low = first + index * width
            label = f"{low}" if width == 1 else f"{low} to {low + width - 1}"
            bars.append(
                f"<rect class={name} x={8 * index} y={100 - height:.1f} width=7 height={height:.1f}>"
                f"<title>{label}: {counts[index]} {name}</title></rect>"
            )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption><svg viewBox='0 0 330 116' role=img>{''.join(bars)}"
        f"<text x=0 y=114>{first}</text><text x=300 y=114>{last}</text></svg></figure>"
    )


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of one row."""
    other = {key: value for key, value in row.items() if key not in (*_COMMON, "text", "target", "spans", "edits")}
    return {
        "about": {key: row[key] for key in _COMMON if row.get(key)},
        "more": {key: value for key, value in other.items() if key not in ("imports", "siblings", "docstring")},
        "text": row.get("text", ""),
        "target": row.get("target", ""),
        "spans": row.get("spans", []),
        "edits": row.get("edits", []),
        "label": row.get("label") or row.get("kind") or "",
    }
