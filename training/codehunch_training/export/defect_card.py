"""What the model card of a defect bundle says of held-out functions. Every number comes from the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codehunch.bundles.manifest import DefectSpec

_WIDTH = 20
"""Characters of a full bar."""


def held_out_sections(spec: DefectSpec, held: Mapping[str, Any], knows_files: bool) -> Iterator[str]:
    """Lines of Markdown. Bundles measured before a part was known lack it, and their cards too."""
    yield "## What a person sees"
    yield ""
    yield (
        f"Measured on {held.get('functions')} functions ({held.get('lines')} lines) of "
        f"{', '.join(held.get('projects', []))}, which neither trained nor calibrated the model: "
        "once as they are, once with one injected defect each."
    )
    yield ""
    yield "Right warnings are counted as if one function in fifty were defective."
    yield ""
    yield from _levels(spec, held.get("levels", {}))
    yield f"AUC of the most suspicious token against the clean twin: {held.get('auc_against_clean_twin')}."
    yield ""
    if held.get("by_kind"):
        yield from _kinds(held["by_kind"])
    else:
        yield from _found(held.get("by_kind_high", {}))
    if held.get("at_false_alarms"):
        yield from _joint(held["at_false_alarms"])
    if held.get("calibration"):
        yield from _calibration(held["calibration"])
    if held.get("slices"):
        yield from _slices(held["slices"], held["lines"])
    if held.get("names"):
        yield from _names(held["names"])
    yield "## Limits"
    yield ""
    rest = "and of the rest of the file only what it binds" if knows_files else "without the rest of the file"
    yield (
        f"It reads one function at a time, {rest}. Injected defects are easier than people's: "
        "expect it to find less. The confidence assumes one defective function in fifty."
    )
    yield ""


def _levels(spec: DefectSpec, levels: Mapping[str, Any]) -> Iterator[str]:
    yield "| sensitivity | confidence from | alarms per 1,000 clean lines | exact token | first fix right | right |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, row in levels.items():
        yield (
            f"| {name} | {spec.thresholds[name]:.3f} | {row['clean_alarms_per_kloc']:.2f} "
            f"| {row['injected_found_exact_token']:.1%} | {row['first_fix_right']:.1%} "
            f"| {row['precision_at_one_in_fifty']:.0%} |"
        )
    yield ""
    if not all(row.get("intervals") for row in levels.values()):
        return
    yield "With 95 % intervals, projects drawn with replacement; `line`: a warning stands on the defect's line; `twin`:"
    yield "the function without the defect draws a warning."
    yield ""
    yield "| sensitivity | alarms per 1,000 clean lines | exact token | right | line | twin |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, row in levels.items():
        low, high = row["intervals"]["clean_alarms_per_kloc"]
        cells = [f"{row['clean_alarms_per_kloc']:.2f} ({low:.2f} to {high:.2f})"]
        for key in ("injected_found_exact_token", "precision_at_one_in_fifty", "injected_found_line"):
            low, high = row["intervals"][key]
            cells.append(f"{row[key]:.1%} ({low:.1%} to {high:.1%})")
        yield f"| {name} | {' | '.join(cells)} | {row['clean_twin_warns']:.1%} |"
    yield ""


def _found(kinds: Mapping[str, Sequence[int]]) -> Iterator[str]:
    yield "Exact tokens found by kind, at high sensitivity:"
    yield ""
    yield "| kind | injected | found |"
    yield "|---|---:|---:|"
    for kind, (found, count) in kinds.items():
        yield f"| {kind} | {count} | {found / count:.0%} |"
    yield ""


def _kinds(by_kind: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    yield "## Where it fails"
    yield ""
    yield "By kind, the worst first, at high sensitivity. `right`: of the warnings that name the kind, the share that"
    yield "would stand on a defect, and in brackets how many do and how many clean functions draw one."
    yield ""
    yield "| kind | injected | exact token | line | first fix right | exact token at medium | right |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    high, medium = by_kind["high"], by_kind["medium"]
    for kind, row in sorted(high.items(), key=lambda item: (item[1]["token"] / item[1]["injected"], item[0])):
        count, right = row["injected"], row["precision_at_one_in_fifty"]
        shares = [f"{value / count:.0%}" for value in (row["token"], row["line"], row["fix"], medium[kind]["token"])]
        said = f"({row['named_rightly']}, {row['named_in_clean']})"
        yield f"| {kind} | {count} | {' | '.join(shares)} | {'' if right is None else f'{right:.0%} {said}'} |"
    yield ""


def _joint(kinds: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "## Detection, localisation and repair"
    yield ""
    yield "By suspicion alone, as variable misuse is usually reported. `located`: the function's most suspicious token"
    yield "is the wrong one; `joint`: and its first fix gives the original back. Where a share of clean twins may be"
    yield "flagged, the defective function must be flagged too. Defects are drawn as people make them: nearby names"
    yield "more often, one in four misspelt or bound nowhere. `any for any` is drawn as published sets are (Vasic"
    yield "et al. 2019; Hellendoorn et al. 2020): any variable that is read becomes any other that has a value there."
    yield ""
    yield "| defects | clean twins flagged | flagged | located | joint |"
    yield "|---|---:|---:|---:|---:|"
    for name, row in kinds.items():
        if not row["functions"]:
            continue
        yield f"| {row['functions']} {name} | no threshold | | {row['located']:.1%} | {row['joint']:.1%} |"
        for key, point in row.items():
            if key.startswith("at_"):
                cells = " | ".join(f"{point[each]:.1%}" for each in ("false_alarms", "flagged", "located", "joint"))
                yield f"| {name} | {cells} |"
    yield ""


def _calibration(found: Mapping[str, Any]) -> Iterator[str]:
    yield "## Does the confidence mean what it says?"
    yield ""
    yield "All places that were looked into, as if one function in fifty were defective: what the confidence promised,"
    yield f"and what was right; the mean distance is {found['error']:.3f}. `places`: defects, places in clean code."
    yield ""
    yield "| confidence | promised | right | places | |"
    yield "|---|---:|---:|---:|---|"
    for row in found["bins"]:
        bar = "█" * round(row["right"] * _WIDTH) + "░" * (_WIDTH - round(row["right"] * _WIDTH))
        yield (
            f"| {row['from']:g} to {row['to']:g} | {row['confidence']:.1%} | {row['right']:.1%} "
            f"| {row['places'][0]}, {row['places'][1]} | `{bar}` |"
        )
    yield ""


def _slices(rows: Sequence[Mapping[str, Any]], lines: int) -> Iterator[str]:
    every = [row for row in rows if row["about"] == "size"]
    yield "## Alarms on clean code, by what should not matter"
    yield ""
    yield "A warning on these functions is a false alarm, whoever wrote them and how. `rank`: mean rank of the group's"
    yield "suspicion among all clean functions, from 0 to 1, length partialled out. It differs where chance does not"
    yield "explain it (p < 0.01, corrected for all questions) and it lies 0.1 away from 0.5 or is looked into half"
    yield "as often again as all. Warnings at medium and at high are few, and the rates, at high, no better than their"
    yield "counts. docs/models.md says how such a page is made for your own code."
    yield ""
    yield "| property | group | functions | lines | at medium | at high | per 1,000 lines | per 100 functions | rank |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---|"
    total = [sum(row[key] for row in every) for key in ("functions", "alarms_medium", "alarms_high")]
    yield f"| all | | {total[0]} | {lines} | {total[1]} | {total[2]} | {_rates(total[2], lines, total[0])} | |"
    for row in rows:
        rank = "" if row["mean_rank"] is None else f"{row['mean_rank']:.2f}{' differs' if row['differs'] else ''}"
        rates = _rates(row["alarms_high"], row["lines"], row["functions"])
        yield (
            f"| {row['about']} | {row['group']} | {row['functions']} | {row['lines']} | {row['alarms_medium']} "
            f"| {row['alarms_high']} | {rates} | {rank} |"
        )
    yield ""


def _rates(alarms: int, lines: int, functions: int) -> str:
    """Cells of two rates: by lines and by functions, which differ most for the short ones."""
    return f"{1000 * alarms / max(1, lines):.2f} | {100 * alarms / max(1, functions):.1f}"


def _names(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"The same {rows[0]['functions']} clean functions with their local names replaced by words of one language:"
    yield ""
    yield "| local names | warnings at medium | at high | per 1,000 lines at high | functions looked into |"
    yield "|---|---:|---:|---:|---:|"
    for row in rows:
        rate = f"{1000 * row['alarms_high'] / max(1, row['lines']):.2f}"
        yield f"| {row['names']} | {row['alarms_medium']} | {row['alarms_high']} | {rate} | {row['looked_into']} |"
    yield ""
