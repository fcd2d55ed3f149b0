"""Retraining the defect model, step by step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import attrs

from codehunch.bundles.bundle import Bundle, load_bundle
from codehunch_training.corpus.around import Source, source_of
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.retraining import defect_measure
from codehunch_training.retraining.defect_task import (
    MOST_CHECKED,
    DefectData,
    DefectLearner,
    export_defects,
    known_fixes,
)
from codehunch_training.retraining.judging import compare_defects, judge_defects
from codehunch_training.retraining.mining import Mined
from codehunch_training.retraining.options import Recipe, RetrainError
from codehunch_training.retraining.pipeline import Context
from codehunch_training.retraining.state import write_json
from codehunch_training.retraining.steps import (
    Judge,
    enough,
    into_manifest,
    plan_of,
    provenance_of,
    restored,
    trained_by,
)
from codehunch_training.retraining.telling import quiet


def can_detect(context: Context, old: Bundle) -> None:
    """Raises RetrainError where the bundle cannot learn, or the repositories have too little to learn from or to judge
    by."""
    mined, recipe = context.mined, context.options.recipe
    if old.manifest.defects is None or not old.manifest.defects.token_head:
        raise RetrainError(
            f"{old.manifest.id} has no token head; retraining improves the model that ships and its descendants"
        )
    enough(len(later_functions(mined, recipe)), recipe.least_later, "functions")
    if not mined.sources("train"):
        raise RetrainError("no functions to learn from before the split")


def defects(context: Context, old: Bundle, dry: bool) -> dict[str, Any]:
    """Fine-tune the defect model; what the report and the verdict need. ``can_detect`` must have passed."""
    mined, recipe = context.mined, context.options.recipe
    later = later_functions(mined, recipe)
    fixes = [row for row in mined.fixes if row.split == "train"]
    if not any(row.role == "buggy" for row in fixes):
        context.teller.note("no bug fixes found in the earlier commits: it trains on injected defects alone")
    own = judged_on(mined, recipe)
    general = [(f"general:{i}", source) for i, source in enumerate(context.general.held_out)]
    judge = Judge(context, "defects", own, defect_measure.subjects(general, 1, 1))
    start = restored(context, "defects", old)
    ends = context.folder.elapsed + context.share_of_budget("defects")
    before = judge.before(old)
    valid = tuple(mined.sources("valid")) or tuple(mined.sources("train")[:16])
    said = (*context.opinions.clean, *context.opinions.right)
    data = DefectData(
        (*mined.sources("train"), *map(Source, said)),
        context.general.rehearsal,
        valid,
        known_fixes(fixes, old.manifest.defects.labels),
        context.opinions.known(old.manifest.defects.labels, recipe.seed),
    )
    learner = DefectLearner(start, old, data, recipe.defects, recipe.seed)
    calibration = calibration_rows(context)
    plan = plan_of(context, "defects", learner, before, ends, 2.0 * len(calibration))
    if dry:
        return {"better": False, "why": "nothing was trained", "old": old.manifest.id, "plan": plan}
    trained = trained_by(context, "defects", learner, plan)
    facts = provenance_of(context, "defects", old, learner.model, trained, plan)
    reads = old.manifest.encoding
    facts["recipe"] |= {"window": reads.window, "stride": reads.stride, "standings": reads.standings}
    facts["calibrated_on"] = {"lines": sum(row.text.count("\n") for row in calibration), "functions": len(calibration)}
    out = context.folder.file("defects", "bundle")
    if not out.is_dir():
        context.teller.stage("exporting and calibrating the defect model")
        checked = [*later, *map(_row_of, context.general.rehearsal)]
        with quiet():
            export_defects(
                learner.model,
                old,
                start / "tokenizer.json",
                out,
                calibration=calibration,
                checked=checked[:MOST_CHECKED],
                provenance=facts,
            )
        context.check()
    new = load_bundle(out)
    after = judge.after(new, before)
    functions = paired(own, before["later"], after["later"])
    whole = compare_defects(functions)
    forgotten = compare_defects(paired(judge.general, before["general"], after["general"]))
    verdict = judge_defects(whole, forgotten, recipe.sure, recipe.forgetting)
    kinds = sorted({kind for row in functions for kind in row["kinds"]})
    real = [row for row in mined.fixes if row.split == "test"]
    found = {
        "better": verdict.better,
        "why": verdict.why,
        "old": f"{old.manifest.id} {old.manifest.version}",
        "old_path": str(old.path),
        "later": whole.as_json(),
        "general": forgotten.as_json(),
        "kinds": {
            kind: {
                **compare_defects(functions, kind, 300).as_json(),
                "n": sum(row["kinds"].count(kind) for row in functions),
            }
            for kind in kinds
        },
        "judged": {"functions": len(functions), "lines": sum(row["lines"] for row in functions),
                   "defects": sum(len(row["kinds"]) for row in functions)},
        "fixes": {"old": defect_measure.measure_fixes(old, real), "new": defect_measure.measure_fixes(new, real)},
        "training": attrs.asdict(trained),
        "plan": plan,
    }  # fmt: skip
    write_json(context.folder.file("defects", "functions.json"), functions)
    into_manifest(out, {"held_out": {key: found[key] for key in ("later", "general", "judged")}})
    return found


def later_functions(mined: Mined, recipe: Recipe) -> list[FunctionRow]:
    """What came or changed after the split, in an order that is the same for every model."""
    later = [row for row in mined.functions if row.split == "test"]
    random.Random(recipe.seed).shuffle(later)
    return later


def judged_on(mined: Mined, recipe: Recipe) -> list[defect_measure.Subject]:
    """Later functions with their defective copies."""
    chosen = later_functions(mined, recipe)[: recipe.most_judged]
    return defect_measure.subjects([(row.id, source_of(row)) for row in chosen], recipe.injections, 1)


def calibration_rows(context: Context) -> list[FunctionRow]:
    """The functions kept aside, filled up with general code where they are few."""
    rows = [row for row in context.mined.functions if row.split == "valid"]
    lines = sum(row.text.count("\n") for row in rows)
    most = 3 * context.options.recipe.least_calibration_lines
    kept: list[FunctionRow] = []
    for row in rows:
        if sum(each.text.count("\n") for each in kept) < most:
            kept.append(row)
    for source in reversed(context.general.rehearsal):
        if lines >= context.options.recipe.least_calibration_lines:
            break
        kept.append(_row_of(source))
        lines += source.text.count("\n")
    return kept


def _row_of(source: Source) -> FunctionRow:
    return FunctionRow(project="python", text=source.text, around=source.around)


def paired(subjects: Sequence[Any], old: Sequence[Any], new: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"key": subject.key, "lines": subject.lines, "kinds": [case.kind for case in subject.cases], "old": a, "new": b}
        for subject, a, b in zip(subjects, old, new, strict=False)
    ]
