"""Retraining the generation model, step by step."""

from __future__ import annotations

import random
from typing import Any

import attrs

from codehunch.bundles.bundle import Bundle, load_bundle
from codehunch_training.corpus.rows import BodyRow
from codehunch_training.retraining import generation_measure
from codehunch_training.retraining.generation_task import BodyData, BodyLearner, export_generation, with_threshold
from codehunch_training.retraining.judging import compare_means, judge_bodies
from codehunch_training.retraining.mining import Mined
from codehunch_training.retraining.options import Recipe, RetrainError
from codehunch_training.retraining.pipeline import Context
from codehunch_training.retraining.state import write_json
from codehunch_training.retraining.steps import (
    CHECKED,
    Judge,
    enough,
    into_manifest,
    plan_of,
    provenance_of,
    restored,
    trained_by,
)
from codehunch_training.retraining.telling import quiet, stopper


def can_generate(context: Context, old: Bundle) -> None:
    """Raises RetrainError where the repositories have too little to learn from or to judge by."""
    if not any(row.kind == "docstring" for row in context.mined.bodies):
        raise RetrainError("no docstrings with bodies to learn from, so the generation model stays as it is")
    recipe = context.options.recipe
    enough(len(later_bodies(context.mined, recipe)), recipe.least_later, "documented functions")


def generation(context: Context, old: Bundle, dry: bool) -> dict[str, Any]:
    """Fine-tune the generation model; what the report and the verdict need. ``can_generate`` must have passed."""
    from transformers import T5ForConditionalGeneration

    mined, recipe = context.mined, context.options.recipe
    rows = {split: [as_row(row) for row in mined.bodies if row.split == split] for split in ("train", "valid", "test")}
    later = later_bodies(mined, recipe)
    documented = [row for row in context.general.held_out_bodies if row["kind"] == "docstring"]
    judge = Judge(context, "generation", later, documented)
    start = restored(context, "generation", old)
    ends = context.folder.elapsed + context.share_of_budget("generation")
    before = judge.before(old)
    kept = [row for row in rows["valid"] if row["kind"] == "docstring"]
    data = BodyData(
        tuple(rows["train"]),
        context.general.rehearsal_bodies,
        tuple(kept or rows["train"][:16]),
        context.opinions.bodies,
    )
    learner = BodyLearner(start, old, data, recipe.generation, recipe.seed)
    plan = plan_of(context, "generation", learner, before, ends, float(CHECKED))
    if dry:
        return {"better": False, "why": "nothing was trained", "old": old.manifest.id, "plan": plan}
    trained = trained_by(context, "generation", learner, plan)
    facts = provenance_of(context, "generation", old, learner.model, trained, plan)
    out = context.folder.file("generation", "bundle")
    if not out.is_dir():
        context.teller.stage("exporting the generation model")
        assert isinstance(learner.model, T5ForConditionalGeneration)
        checked = later[: CHECKED // 2]
        with quiet():
            export_generation(learner.model, old, start / "tokenizer.json", out, checked=checked, provenance=facts)
        context.check()
    new = load_bundle(out)
    after = judge.after(new, before)
    pairs = [(row, a, b) for row, a, b in zip(later, before["later"], after["later"], strict=False) if a and b]
    if not pairs:
        raise RetrainError("no later body is short enough for the model to write, so there is nothing to judge by")
    tokens = [a["tokens"] for _, a, _ in pairs]
    nats = compare_means([-a["nats"] / a["tokens"] for _, a, _ in pairs],
                         [-b["nats"] / b["tokens"] for _, _, b in pairs], tokens)  # fmt: skip
    similarity = compare_means([a["similarity"] for _, a, _ in pairs], [b["similarity"] for _, _, b in pairs])
    right = compare_means([a["right"] / a["tokens"] for _, a, _ in pairs],
                          [b["right"] / b["tokens"] for _, _, b in pairs], tokens)  # fmt: skip
    both = [(a, b) for a, b in zip(before["general"], after["general"], strict=False) if a and b]
    forgotten = compare_means([a["right"] / a["tokens"] for a, _ in both], [b["right"] / b["tokens"] for _, b in both],
                              [a["tokens"] for a, _ in both])  # fmt: skip
    verdict = judge_bodies(nats, similarity, forgotten, recipe.sure, recipe.forgetting)
    found = {
        "better": verdict.better,
        "why": verdict.why,
        "old": f"{old.manifest.id} {old.manifest.version}",
        "old_path": str(old.path),
        "later": nats.as_json(),
        "similarity": similarity.as_json(),
        "right_tokens": right.as_json(),
        "exact": {"old": sum(a["similarity"] == 1 for _, a, _ in pairs),
                  "new": sum(b["similarity"] == 1 for _, _, b in pairs)},
        "general": forgotten.as_json(),
        "judged": {"bodies": len(pairs), "tokens": sum(tokens)},
        "training": attrs.asdict(trained),
        "plan": plan,
    }  # fmt: skip
    shown = [{"path": r["path"], "name": r["name"], "prompt": r["prompt"], "target": r["target"],
              "old": a["text"], "new": b["text"], "change": b["similarity"] - a["similarity"]}
             for r, a, b in pairs]  # fmt: skip
    write_json(context.folder.file("generation", "bodies.json"), shown)
    if kept:
        stop = stopper(context.stop)
        seconds = 0.05 * context.options.seconds
        readings = [r for r in generation_measure.measure(new, kept[:40], seconds=seconds, stop=stop) if r]
        new = with_threshold(new, readings)
    into_manifest(out, {"held_out": {key: found[key] for key in ("later", "similarity", "general", "judged")}})
    return found


def later_bodies(mined: Mined, recipe: Recipe) -> list[dict[str, Any]]:
    """Documented functions whose body came after the split, in an order that is the same for every model."""
    later = [as_row(row) for row in mined.bodies if row.split == "test" and row.kind == "docstring"]
    random.Random(recipe.seed).shuffle(later)
    return later[: recipe.most_judged]


def as_row(row: BodyRow) -> dict[str, Any]:
    return {"kind": row.kind, "prompt": row.prompt, "target": row.target, "path": row.path, "name": row.name,
            "package": row.project, "function": row.name, "nearest": row.nearest}  # fmt: skip
