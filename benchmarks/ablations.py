"""What each part of the defect model's recipe brings: one part changed at a time, the same budget, the same rows.

    python benchmarks/ablations.py FUNCTIONS --held-out HELD_OUT --histories ROWS --tokenizer tokenizer.json \\
        --continued RUN --bundle BUNDLE --out WORK --minutes 4 --seeds 0 --seeds 1

``FUNCTIONS`` and ``HELD_OUT`` are what ``default_defects harvest`` writes, ``ROWS`` what ``codehunch corpus histories``
writes. Every arm has the same minutes of processor time on one core. From nothing: with and without masked lexemes
beside the defects, with masked lexemes alone first, with mined fixes in the annealing, and larger. From ``RUN`` (a run
folder of the shipped detector): continued on injected defects alone, and with mined fixes. With ``--bundle``: warnings
by suspicion alone, by all but the tried rewrites, and as shipped. Prints Markdown. An arm that is finished in ``WORK``
is not run again; Ctrl-C saves, and the same command goes on.

All are measured on functions and mined bugs of projects that train none of them: ``recall`` is the share of injected
defects found on the exact token where clean functions give ``--alarms`` warnings per 1,000 lines, the threshold chosen
so on these very functions; ``token`` the share whose most suspicious token is the wrong one, whatever the threshold;
AUCs are of a function's most suspicious token.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import torch
import typer
from defects import Case, cases
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle, load_bundle
from codehunch.defects.confidence import confidence
from codehunch.defects.inspection import Inspected
from codehunch.defects.repairs import repairs
from codehunch.defects.rewrites import apply
from codehunch.defects.surroundings import Standing
from codehunch.defects.verification import can_be_wrong
from codehunch.inference.classifier import Classifier
from codehunch.inference.encoding import STANDINGS_FROM, LexicalEncoder
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import around_of
from codehunch_training.corpus.harvest import read_functions
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.corpus.rows import DefectRow, FunctionRow, to_line
from codehunch_training.evaluation.defects import auc, read
from codehunch_training.export.calibration import Judged, fitted_weights, judge, threshold_for
from codehunch_training.models.encoder import DefectModel
from codehunch_training.tasks.default_defects import DEFAULT_RECIPE, LEFT_OUT, read_recipe
from codehunch_training.tasks.defect_data import Example, label_index, make_examples
from codehunch_training.tasks.defect_model import TOKEN_LABELS
from codehunch_training.tasks.defect_recipe import Recipe
from codehunch_training.tasks.defects import train

SMALL = {"hidden_size": 128, "layers": 4, "heads": 4, "intermediate_size": 352}
LARGE = {"hidden_size": 256, "layers": 6, "heads": 4, "intermediate_size": 704}
NOTHING = {"masked": 0.0, "mined": 0.0, "dense_until": 0.6, **SMALL}
CONTINUED = {"dense_until": 0.0, "learning_rate": 3e-4}
ARMS: dict[str, tuple[bool, dict[str, Any]]] = {
    "injected defects alone": (False, NOTHING),
    "+ masked lexemes beside them": (False, NOTHING | {"masked": 0.12}),
    "+ masked lexemes, mined fixes": (False, NOTHING | {"masked": 0.12, "mined": 0.2}),
    "continued, injected alone": (True, CONTINUED | {"mined": 0.0}),
    "continued, mined fixes": (True, CONTINUED | {"mined": 0.2}),
    "+ masked lexemes, functions alone": (False, NOTHING | {"masked": 0.12, "standings": False}),
    "masked lexemes alone first": (False, NOTHING | {"pretrain_until": 0.3}),
    "+ masked lexemes, larger": (False, NOTHING | {"masked": 0.12, **LARGE}),
}
"""Arm -> whether it begins from the run that is continued, and what differs from the default recipe."""
FUNCTIONS_TO_TRAIN = 20_000
SHOWN = 2
"""Warnings of one function at most, as in the detector."""


@attrs.frozen(eq=False)
class HeldOut:
    """The rows all arms are measured on; each is one window long."""

    clean: list[Example]
    lines: int
    faulty: list[Example]
    """The same functions with one injected defect each."""
    buggy: list[Example]
    fixed: list[Example]
    untouched: list[Example]


def main(
    functions: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Functions to train on.")],
    held_out: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Functions of the validation projects.")],
    histories: Annotated[
        list[Path],
        typer.Option(exists=True, dir_okay=False, help="Mined fixes; the first train and measure, others measure."),
    ],
    tokenizer: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Tokenizer of all arms.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the runs.")],
    continued: Annotated[Path | None, typer.Option(help="Run folder of the arms that go on from it.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle of the comparison of tried fixes.")] = None,
    minutes: Annotated[float, typer.Option(help="Processor time of each arm.")] = 4.0,
    seeds: Annotated[list[int] | None, typer.Option(help="Repeat; 0 without.")] = None,
    measured: Annotated[int, typer.Option(help="Held-out functions to measure on.")] = 800,
    alarms: Annotated[float, typer.Option(help="Warnings per 1,000 clean lines at which recall is taken.")] = 1.0,
    arm: Annotated[list[str] | None, typer.Option(help="Only arms whose name has this in it; repeat.")] = None,
) -> None:
    """Train what is not trained yet, measure, print the tables."""
    base = read_recipe(DEFAULT_RECIPE)
    out.mkdir(parents=True, exist_ok=True)
    data, start = training_rows(functions, base, out), start_of(continued, out)
    rows = held_out_rows(held_out, histories, base, tokenizer, measured)
    print(
        f"{len(rows.clean)} functions ({rows.lines} lines), {len(rows.faulty)} with a defect injected; "
        f"{len(rows.buggy)} mined bugs, {len(rows.untouched)} neighbours; {minutes:g} minutes an arm\n"
    )
    found: dict[str, list[dict[str, float]]] = {}
    if start is not None:
        found["the run that is continued"] = [
            measure(DefectModel.from_pretrained(start), rows, alarms, tokenizer) | {"tokens": 0.0}
        ]
    for seed in seeds or [0]:
        for name, (goes_on, changes) in ARMS.items():
            if (goes_on and start is None) or (arm and not any(each in name for each in arm)):
                continue
            recipe = attrs.evolve(
                base, minutes=minutes, clock="processor", seed=seed, threads=1, workers=0, compile=False,
                validation_functions=20, checkpoint_minutes=1e6, **changes,
            )  # fmt: skip
            folder = out / f"{name.replace(' ', '-').replace(',', '').replace('+-', '')}-{seed}"
            summary = trained(recipe, data, histories[0], folder, tokenizer, start if goes_on else None)
            result = measure(DefectModel.from_pretrained(folder / "model"), rows, alarms, tokenizer)
            found.setdefault(name, []).append(result | {"tokens": summary["tokens"] / 1e6})
            print(f"<!-- {name}, seed {seed}: {json.dumps(found[name][-1])} -->", flush=True)
    if found:
        print("\n".join(table(found, alarms)))
    if bundle is not None:
        print("\n".join(verification(load_bundle(bundle), held_out, base, measured)))


def training_rows(functions: Path, base: Recipe, out: Path) -> Path:
    """A random part of the functions, with a few of the validation projects, which the trainer asks for."""
    path = out / "functions.jsonl.gz"
    if not path.exists():
        import gzip

        rows = [row for row in read_functions(functions) if row.project not in LEFT_OUT]
        held = base.held_out
        training = [row for row in rows if row.project not in held]
        chosen = random.Random(0).sample(training, min(FUNCTIONS_TO_TRAIN, len(training)))
        chosen += [row for row in rows if row.project in held][:50]
        fresh = path.with_suffix(".tmp")
        with gzip.open(fresh, "wt", encoding="utf-8", compresslevel=4) as sink:
            sink.writelines(f"{to_line(row)}\n" for row in chosen)
        fresh.replace(path)
    return path


def start_of(run: Path | None, out: Path) -> Path | None:
    """A folder with model and tokenizer, as the trainer begins from."""
    if run is None:
        return None
    folder = out / "start"
    shutil.copytree(run / "model", folder, dirs_exist_ok=True)
    shutil.copy(run / "tokenizer.json", folder / "tokenizer.json")
    return folder


def trained(
    recipe: Recipe, data: Path, histories: Path, folder: Path, tokenizer: Path, start: Path | None
) -> dict[str, Any]:
    """A finished run's summary. Exits where it was stopped."""
    summary = folder / "run.json"
    if summary.exists() and json.loads(summary.read_text())["finished"]:
        known: dict[str, Any] = json.loads(summary.read_text())
        if known["recipe"] == json.loads(json.dumps(attrs.asdict(recipe))):
            return known
        raise typer.BadParameter(f"{folder} was trained by another recipe; take another --out")
    folder.mkdir(parents=True, exist_ok=True)
    if start is None and not (folder / "tokenizer.json").exists():
        shutil.copy(tokenizer, folder / "tokenizer.json")
    found = train(recipe, data, folder, histories if recipe.mined else None, start)
    if not found["finished"]:
        raise typer.Exit(130)
    return found


def held_out_rows(functions: Path, histories: Sequence[Path], base: Recipe, tokenizer: Path, most: int) -> HeldOut:
    encoder = LexicalEncoder(Tokenizer.from_file(str(tokenizer)), base.window, base.stride, base.told)
    rows = measuring(functions, base)
    rng = random.Random(6)
    clean, faulty, lines = [], [], 0
    for row in rows[:most]:
        injected = injected_in(row.text, rng)
        one = example(row, {}, encoder)
        if one is not None:
            clean.append(one)
            lines += row.text.count("\n")
        if injected is not None and (two := example(attrs.evolve(row, text=injected[0]), injected[1], encoder)):
            faulty.append(two)
    mined = list(mined_cases(histories, base))
    return HeldOut(
        clean,
        lines,
        faulty,
        [e for case in mined if (e := example(case.buggy, dict(_labels(case)), encoder)) is not None],
        [e for case in mined if (e := example(case.fixed, {}, encoder)) is not None],
        [e for case in mined for row in case.untouched if (e := example(row, {}, encoder)) is not None],
    )


def measuring(functions: Path, base: Recipe) -> list[FunctionRow]:
    """Rows of the projects that only measure, in a random order."""
    projects = base.validation_projects
    rows = [row for row in read_functions(functions) if row.project in projects]
    random.Random(5).shuffle(rows)
    return rows


def mined_cases(histories: Sequence[Path], base: Recipe) -> Iterator[Case]:
    """Bugs of the projects that no arm reads: the recipe's validation projects and those left out altogether."""
    for path in histories:
        yield from cases(path, {*base.held_out, *LEFT_OUT}, True)


def _labels(case: Case) -> Iterator[tuple[int, str]]:
    for start, _ in case.buggy.spans:
        yield start, case.buggy.label if case.buggy.label in TOKEN_LABELS else TOKEN_LABELS[1]


def injected_in(text: str, rng: random.Random) -> tuple[str, dict[int, str]] | None:
    parsed = parse(text)
    node = definition(parsed)
    found = inject(parsed, node, 1, rng) if node is not None else None
    return (found.text, found.labels) if found is not None else None


def example(row: FunctionRow | DefectRow, labels: dict[int, str], encoder: LexicalEncoder) -> Example | None:
    """The function as a model that knows files reads it; ``None`` where it fits into no window. Lexemes that no defect
    stands on are left out, as in the detector."""
    found = make_examples(row.text, labels, {}, encoder, label_index(TOKEN_LABELS), around=around_of(row.around))
    if len(found) != 1:
        return None
    parsed = parse(row.text)
    node = definition(parsed)
    assert node is not None
    lexemes = lexemes_of(parsed, node)
    window = found[0].window
    owner = np.array([at if at >= 0 and can_be_wrong(lexemes[at]) else -1 for at in window.lexemes])
    return attrs.evolve(found[0], window=attrs.evolve(window, lexemes=owner))


def measure(model: DefectModel, rows: HeldOut, alarms: float, tokenizer: Path) -> dict[str, float]:
    """All columns of one row of the table."""
    torch.set_num_threads(1)
    model.eval()
    pad = Tokenizer.from_file(str(tokenizer)).token_to_id("<pad>")
    parts = {
        name: suspicions(model, getattr(rows, name), pad) for name in ("clean", "faulty", "buggy", "fixed", "untouched")
    }
    peaks = {name: np.array([each[0].max(initial=0.0) for each in part]) for name, part in parts.items()}
    shown = np.concatenate([np.sort(scores)[-SHOWN:] for scores, _ in parts["clean"]])
    least = threshold_for(shown, rows.lines, alarms)
    return {
        "recall": float(np.mean([_found(*each, least) for each in parts["faulty"]])),
        "token": float(np.mean([_found(*each, 0.0, 1) for each in parts["faulty"]])),
        "auc_twin": auc(peaks["faulty"], peaks["clean"]),
        "mined_token": float(np.mean([_found(*each, 0.0, 1) for each in parts["buggy"]])),
        "mined_recall": float(np.mean([_found(*each, least) for each in parts["buggy"]])),
        "mined_auc_twin": auc(peaks["buggy"], peaks["fixed"]),
        "mined_auc_neighbour": auc(peaks["buggy"], peaks["untouched"]),
        "parameters": sum(p.numel() for p in model.parameters()) / 1e6,
    }


def suspicions(
    model: DefectModel, examples: Sequence[Example], pad: int
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Per function: the suspicion of each lexeme, and whether it is wrong."""
    found = []
    examples = [_told(one, model.config.standings) for one in examples]
    for one, (_, tokens) in zip(examples, read(model, examples, pad), strict=True):
        kept = one.window.lexemes >= 0
        found.append(((1 - tokens[kept, 0]).astype(np.float64), one.token_labels[kept] > 0))
    return found


def _told(example: Example, known: int) -> Example:
    """The example as a model is told that knows so many standings: a later one is that of a local name."""
    window = example.window
    names, standing = window.identifier_ids % STANDINGS_FROM, window.identifier_ids // STANDINGS_FROM
    told = np.where(standing < known, standing, Standing.LOCAL if known else 0)
    return attrs.evolve(example, window=attrs.evolve(window, identifier_ids=names + told * STANDINGS_FROM))


def _found(scores: NDArray[np.float64], wrong: NDArray[np.bool_], least: float, shown: int = SHOWN) -> bool:
    """Whether one of the most suspicious lexemes, of those that reach ``least``, is wrong."""
    best = np.argsort(-scores, kind="stable")[:shown]
    return bool((wrong[best] & (scores[best] >= least)).any())


COLUMNS = {
    "tokens": ("M tokens", "{:.1f}"),
    "parameters": ("M par.", "{:.1f}"),
    "recall": ("recall", "{:.1%}"),
    "token": ("token", "{:.1%}"),
    "auc_twin": ("AUC, twin", "{:.3f}"),
    "mined_recall": ("mined: recall", "{:.1%}"),
    "mined_token": ("mined: token", "{:.1%}"),
    "mined_auc_twin": ("mined: AUC, twin", "{:.3f}"),
    "mined_auc_neighbour": ("mined: AUC, neighbours", "{:.3f}"),
}


def table(found: dict[str, list[dict[str, float]]], alarms: float) -> Iterator[str]:
    """Markdown; where there are several seeds, their mean and each of them."""
    yield f"Recall at {alarms:g} warnings per 1,000 clean lines.\n"
    yield f"| arm | {' | '.join(head for head, _ in COLUMNS.values())} |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for name, results in found.items():
        cells = []
        for key, (_, form) in COLUMNS.items():
            values = [result[key] for result in results]
            cell = form.format(float(np.mean(values)))
            same = key == "parameters" or len(values) == 1
            cells.append(cell if same else f"{cell} ({', '.join(form.format(value) for value in values)})")
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def verification(bundle: Bundle, held_out: Path, base: Recipe, most: int) -> Iterator[str]:
    """What trying the fixes brings: the same places of one bundle ranked three ways, at the same alarm rates."""
    spec = bundle.manifest.defects
    assert spec is not None
    classifier = Classifier(bundle)
    rows = list(read_functions(held_out))
    random.Random(5).shuffle(rows)
    calibrating = [row for row in rows if row.project in base.calibration_projects][: 2 * most]
    fit = judge(classifier, calibrating, 3, spec.candidate)
    clean, faulty = judge(classifier, measuring(held_out, base)[:most], 4, spec.candidate)
    blind = fitted_weights(*(_unverified(each) for each in fit))
    ways = {
        "suspicion alone": lambda item: item.evidence.suspicion,
        "regression without what the rewrites showed": lambda item: confidence(_plain(item).evidence, blind),
        "regression with it, as shipped": lambda item: confidence(item.evidence, spec.confidence),
    }
    budgets = (0.3, 1.0, 3.0)
    yield f"{clean.functions} clean functions, {faulty.functions} with a defect; places of {bundle.manifest.version}.\n"
    heads = " | ".join(f"exact token at {budget:g} / 1,000" for budget in budgets)
    yield f"| ranked by | {heads} | fix right, of those at {budgets[-1]:g} |"
    yield "|---|" + "---:|" * (len(budgets) + 1)
    for name, score in ways.items():
        false = np.array([score(item) for item in clean.places])
        true = np.array([score(item) for item in faulty.places])
        cells, last = [], np.zeros(0, dtype=bool)
        for budget in budgets:
            last = (true >= threshold_for(false, clean.lines, budget)) & faulty.right
            cells.append(f"{len(set(faulty.function[last].tolist())) / max(1, faulty.functions):.1%}")
        tried = name.endswith("shipped")
        fixes = [_fix(item, tried, classifier) == faulty.originals[faulty.function[at]].split()
                 for at, item in enumerate(faulty.places) if last[at]]  # fmt: skip
        yield f"| {name} | {' | '.join(cells)} | {np.mean(fixes) if fixes else 0.0:.1%} |"
    yield "\nWithout trying, the fix is the first rewrite of the likeliest kind."


def _plain(item: Inspected) -> Inspected:
    """As if nothing had been tried: only what the one reading of the function says."""
    return attrs.evolve(item, evidence=attrs.evolve(item.evidence, mended=None, sequence_mended=None, options=0))


def _unverified(judged: Judged) -> Judged:
    return attrs.evolve(judged, places=[_plain(item) for item in judged.places])


def _fix(item: Inspected, tried: bool, classifier: Classifier) -> list[str]:
    """Words of the function after the fix that is offered first."""
    place = item.place
    if tried:
        best = next((trial.rewrite for trial in item.trials if not trial.spreads), None)
    else:
        offered = repairs(place.unit, place.at, item.evidence.kind)
        best = offered[0] if offered else None
    return apply(place.unit.text, best.edits).split() if best is not None else []


if __name__ == "__main__":
    typer.run(main)
