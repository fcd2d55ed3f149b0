"""The loop behind ``codehunch check``: every file to its end, one at a time, each left-out file named."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from codehunch.bundles.store import active_bundle
from codehunch.cli import console
from codehunch.cli.formats import Checked, Report, open_report
from codehunch.cli.interrupt import Interrupt
from codehunch.cli.options import STDIN, Format
from codehunch.cli.progress import ProgressBar
from codehunch.cli.reading import Loaded, load
from codehunch.defects.options import CheckOptions
from codehunch.files import Missing, Skipped, SourceFile, too_large, walk
from codehunch.inference.errors import Cancelled
from codehunch.settings import Settings, SettingsReader
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.languages import language_of

if TYPE_CHECKING:
    from codehunch.bundles.bundle import Bundle
    from codehunch.defects.detector import Detector

CLEAN, FINDINGS, FAILED = 0, 1, 2

Item = Loaded | Skipped | Missing


@attrs.define
class Tally:
    """What a run amounts to."""

    files: int = 0
    findings: int = 0
    skipped: int = 0
    problems: list[str] = attrs.field(factory=list)
    """Why the run is not complete; each was told when it happened."""

    @property
    def exit_code(self) -> int:
        """Skipped files do not count: they were named."""
        if self.problems:
            return FAILED
        return FINDINGS if self.findings else CLEAN

    def summary(self) -> str:
        files = "1 file" if self.files == 1 else f"{self.files} files"
        found = {0: "no findings", 1: "1 finding"}.get(self.findings, f"{self.findings} findings")
        left_out = f", {self.skipped} skipped" if self.skipped else ""
        return f"{found} in {files}{left_out}"


def scan(paths: Sequence[str], format: Format, settings: SettingsReader, stdin_name: str | None) -> int:
    """Check ``paths`` (``["-"]`` for stdin) and give back the exit code."""
    warnings: list[str] = []
    bundle = active_bundle("defects", warnings)
    for text in warnings:
        console.warning(text)
    languages = bundle.manifest.languages
    interrupt = Interrupt()

    def entries() -> Iterator[SourceFile | Skipped | Missing]:
        return walk(paths, languages, settings.for_folder)

    def measure() -> tuple[int, int]:
        files = size = 0
        for entry in entries():
            interrupt.stop()
            if isinstance(entry, SourceFile):
                files, size = files + 1, size + entry.size
        return files, size

    items: Iterator[Item]
    if list(paths) == [STDIN]:
        items, bar = iter([_stdin(stdin_name, settings, languages)]), ProgressBar(lambda: (1, 0))
    else:
        items, bar = load(entries(), settings.for_file), ProgressBar(measure)
    terminal = console.stdout_console() if sys.stdout.isatty() else None
    report = open_report(format, console.write_out, terminal)
    tally = Tally()
    with interrupt:
        report.begin()
        try:
            with bar:
                _check_all(items, bundle, report, bar, tally, interrupt)
        except KeyboardInterrupt:
            tally.problems.append("interrupted")
            raise
        finally:
            report.end(tally.problems)
            sys.stdout.flush()
    if format is Format.TEXT:
        console.note(tally.summary())
    return tally.exit_code


def _check_all(
    items: Iterator[Item], bundle: Bundle, report: Report, bar: ProgressBar, tally: Tally, interrupt: Interrupt
) -> None:
    detector: Detector | None = None
    for item in items:
        interrupt.stop()
        if isinstance(item, Loaded):
            # Opening the model waits for the first file that needs it.
            detector = detector or _open_detector(bundle, item.settings)
            bar.reading(item.path)
            checked = _check_one(item, detector, bar, tally, interrupt)
            if checked is not None and checked.findings:
                with bar.aside():
                    report.checked(checked)
                    sys.stdout.flush()
            bar.done(item.size)
        else:
            with bar.aside():
                _left_out(item, report, tally)


def _check_one(
    item: Loaded, detector: Detector, bar: ProgressBar, tally: Tally, interrupt: Interrupt
) -> Checked | None:
    options = _options(item.settings, item.path)
    try:
        findings = detector.check(item.source, item.language, options, interrupt)
    except Cancelled:
        raise KeyboardInterrupt from None
    except Exception as failure:  # One file must not end the run; the exit code tells that it failed.
        problem = f"{console.shown(item.path)}: could not be checked ({type(failure).__name__}: {failure})"
        tally.problems.append(problem)
        with bar.aside():
            console.error(problem)
        return None
    tally.files += 1
    tally.findings += len(findings)
    return Checked(item.path, item.source, findings)


def _left_out(item: Skipped | Missing, report: Report, tally: Tally) -> None:
    if isinstance(item, Missing):
        problem = f"{console.shown(item.path)}: there is no such file or folder"
        tally.problems.append(problem)
        console.error(problem)
        return
    tally.skipped += 1
    report.skipped(item)
    console.skipped(item.path, item.reason)


def _open_detector(bundle: Bundle, settings: Settings) -> Detector:
    from codehunch.defects.detector import Detector

    return Detector(bundle, threads=settings.threads)


def _options(settings: Settings, path: str) -> CheckOptions:
    ignore = settings.codes_ignored_in(path) if path != STDIN else settings.ignore
    return CheckOptions(sensitivity=settings.sensitivity, select=settings.select, ignore=ignore)


def _stdin(name: str | None, reader: SettingsReader, languages: Collection[str]) -> Item:
    """The text of stdin, in the settings of the file it is named after (else of the working folder)."""
    path = os.path.abspath(name) if name is not None else STDIN
    settings = reader.for_file(path) if name is not None else reader.for_folder(os.curdir)
    spec = language_of(path)
    language = spec.name if spec else "python"
    limit = settings.max_file_bytes
    data = sys.stdin.buffer.read(limit + 1)
    if len(data) > limit:
        return Skipped(path, too_large(len(data), limit))
    try:
        source = decode_source(data).source
    except SourceUnreadable as error:
        return Skipped(path, error.reason)
    if language not in languages:
        return Skipped(path, f"no installed model reads {language}")
    return Loaded(path, language, len(data), source, settings)
