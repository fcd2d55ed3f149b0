"""How often the detector warns on code that nobody has found fault with, project by project.

    python benchmarks/alarms.py PACKAGE... [--bundle DIR]

Every Python file of the packages is read as `codehunch check` reads it. Releases have few bugs that one function gives
away, so nearly every warning is a false alarm. Lines are those of what is read: outermost functions, and statements
outside of them that compute something; these have a row of their own as well. The row of all has a 95 % interval,
packages drawn with replacement. Names that have no value where they are read, which are seldom meant, have a row too;
`--listed` prints them. Tests are left out.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.statements import class_parts, outer_statements

SENSITIVITIES = ("low", "medium", "high")
VALUELESS = ("nothing in this file defines it", "it has no value here yet")
"""What a finding says of a name without a value."""


def main(
    packages: Annotated[list[Path], typer.Argument(exists=True, help="Packages no model was trained on.")],
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of the engine.")] = 1,
    listed: Annotated[bool, typer.Option(help="Print every finding on a name without a value.")] = False,
) -> None:
    """Print the table."""
    console = Console(width=120)
    found = load_bundle(bundle) if bundle else active_bundle("defects")
    if found.manifest.defects is None:
        raise typer.BadParameter(f"{found.path} is no defect bundle")
    thresholds, detector = found.manifest.defects.thresholds, Detector(found, threads)
    files = [
        (package, path) for package in packages for path in sorted(package.rglob("*.py")) if "tests" not in path.parts
    ]
    lines: Counter[Path] = Counter()
    warned: Counter[tuple[Path, str]] = Counter()
    outside_lines, outside_warned, valueless = 0, Counter[str](), Counter[str]()
    for package, path in track(files, "files", console=Console(stderr=True)):
        try:
            source = decode_source(path.read_bytes()).source
        except SourceUnreadable:
            continue
        parsed = parse(source)
        outermost = [each.span for each in find_functions(parsed) if each.nesting == 0]
        outside = [*outer_statements(parsed), *(part.span for part in class_parts(parsed))]
        counts = [sum(span.of(source.text).count("\n") + 1 for span in spans) for spans in (outermost, outside)]
        lines[package] += sum(counts)
        outside_lines += counts[1]
        for finding in detector.check(source, options=CheckOptions("high")):
            reached = [name for name in SENSITIVITIES if finding.confidence >= thresholds[name]]
            warned.update((package, name) for name in reached)
            outside_warned.update(reached if not finding.function else ())
            if finding.import_margin > 0 or any(reason in finding.message for reason in VALUELESS):
                valueless.update(reached)
                if listed:
                    row = source.row_of(finding.span.start)
                    console.print(f"{path}:{row + 1}: {finding.message}", markup=False, soft_wrap=True)
    if not lines:
        raise typer.BadParameter("no Python file in these folders")
    table = Table("", title=f"warnings per 1,000 lines, {found.manifest.id} {found.manifest.version}")
    for name in ("lines", *SENSITIVITIES):
        table.add_column(name, justify="right")
    for package, count in lines.items():
        rates = (f"{1000 * warned[package, name] / max(1, count):.2f}" for name in SENSITIVITIES)
        table.add_row(package.name, f"{count:,}", *rates)
    drawn = np.random.default_rng(0).integers(0, len(lines), (2000, len(lines)))
    sizes = np.array(list(lines.values()))
    cells = []
    for name in SENSITIVITIES:
        counts = np.array([warned[package, name] for package in lines])
        low, high = np.percentile(1000 * counts[drawn].sum(1) / np.maximum(1, sizes[drawn].sum(1)), [2.5, 97.5])
        cells.append(f"{1000 * counts.sum() / max(1, sizes.sum()):.2f} ({low:.2f} to {high:.2f})")
    table.add_row("all", f"{sizes.sum():,}", *cells)
    rates = (f"{1000 * outside_warned[name] / max(1, outside_lines):.2f}" for name in SENSITIVITIES)
    table.add_row("of these outside of functions", f"{outside_lines:,}", *rates)
    rates = (f"{1000 * valueless[name] / max(1, sizes.sum()):.2f}" for name in SENSITIVITIES)
    table.add_row("of all, names without a value", "", *rates)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
