"""The loop behind ``codehunch check``: every file to its end, one at a time, each left-out file named."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import attrs

from codehunch import baseline
from codehunch.baseline import BaselineUnreadable
from codehunch.changes import RevisionUnknown
from codehunch.cli import console
from codehunch.cli.fixes import NotWritten, coloured, patch, write_fixed
from codehunch.cli.formats import Checked, Report, open_report
from codehunch.cli.interrupt import Interrupt
from codehunch.cli.options import STDIN, Format
from codehunch.cli.progress import ProgressBar
from codehunch.cli.reading import Loaded, load
from codehunch.defects.findings import Finding
from codehunch.defects.fixing import Fixed, fix
from codehunch.defects.models import Detectors
from codehunch.defects.options import CheckOptions
from codehunch.feedback import Dismissals
from codehunch.files import Missing, Skipped, SourceFile, too_large, walk
from codehunch.inference.errors import Cancelled
from codehunch.interpreter.around import NOTHING_AROUND
from codehunch.project import Project
from codehunch.settings import Settings, SettingsReader
from codehunch.showing import Screen, Shown
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.languages import language_of
from codehunch.syntax.text import SourceText

CLEAN, FINDINGS, FAILED = 0, 1, 2

Item = Loaded | Skipped | Missing


@attrs.frozen
class Mode:
    """What a run is for, besides reporting."""

    feedback: bool = True
    """Leave out what the person dismissed."""
    fix: bool = False
    diff: bool = False
    write_baseline: bool = False


@attrs.define
class Tally:
    """What a run amounts to."""

    files: int = 0
    findings: int = 0
    skipped: int = 0
    fixed: int = 0
    dismissed: int = 0
    known: int = 0
    untouched: int = 0
    problems: list[str] = attrs.field(factory=list)
    """Why the run is not complete; each was told when it happened."""
    remembered: dict[str, tuple[baseline.Known, ...]] = attrs.field(factory=dict)
    """What a baseline has to hold, by path."""

    @property
    def exit_code(self) -> int:
        """Skipped files do not count: they were named."""
        if self.problems:
            return FAILED
        return FINDINGS if self.findings else CLEAN

    def left_out(self, shown: Shown) -> None:
        self.dismissed += shown.dismissed
        self.known += shown.known
        self.untouched += shown.untouched

    def summary(self) -> str:
        files = "1 file" if self.files == 1 else f"{self.files} files"
        found = {0: "no findings", 1: "1 finding"}.get(self.findings, f"{self.findings} findings")
        more = (
            (self.fixed, "fixed"),
            (self.dismissed, "dismissed"),
            (self.known, "in the baseline"),
            (self.untouched, "in unchanged code"),
            (self.skipped, "skipped"),
        )
        return f"{found} in {files}" + "".join(f", {count} {what}" for count, what in more if count)


def scan(
    paths: Sequence[str],
    format: Format,
    settings: SettingsReader,
    stdin_name: str | None,
    mode: Mode = Mode(),
) -> int:
    """Check ``paths`` (``["-"]`` for stdin) and give back the exit code."""
    here = settings.for_folder(os.curdir)
    if here.inference_endpoint is not None:
        console.note(f"functions are read by the model server {here.inference_endpoint}")
    detectors = Detectors(
        here.models, here.threads, endpoint=here.inference_endpoint, notify=console.warning, cached=here.cache
    )
    for text in detectors.warnings:
        console.warning(text)
    languages = detectors.languages
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
    run = _Run(detectors, Screen(Dismissals() if mode.feedback else None), mode, report, bar, interrupt)
    tally = run.tally
    with interrupt:
        report.begin()
        try:
            with bar:
                run.check_all(items)
        except KeyboardInterrupt:
            tally.problems.append("interrupted")
            raise
        finally:
            report.end(tally.problems)
            sys.stdout.flush()
    if mode.write_baseline:
        return _write_baseline(Path(here.baseline or baseline.DEFAULT_NAME), tally)
    if mode.diff:
        console.note(f"{tally.findings} findings of {tally.files} files can be fixed")
    elif format is Format.TEXT:
        console.note(tally.summary())
    return tally.exit_code


@attrs.define
class _Run:
    """One walk over the files."""

    detectors: Detectors
    screen: Screen
    mode: Mode
    report: Report
    bar: ProgressBar
    interrupt: Interrupt
    tally: Tally = attrs.field(factory=Tally)
    project: Project = attrs.field(factory=Project)

    def check_all(self, items: Iterator[Item]) -> None:
        for item in items:
            self.interrupt.stop()
            if not isinstance(item, Loaded):
                with self.bar.aside():
                    _left_out(item, self.report, self.tally)
                continue
            if not item.settings.languages or item.language in item.settings.languages:
                self.bar.reading(item.path)
                checked = self._check_one(item)
                if checked is not None and checked.findings and not self.mode.write_baseline:
                    with self.bar.aside():
                        self.report.checked(checked)
                        sys.stdout.flush()
            self.bar.done(item.size)

    def _check_one(self, item: Loaded) -> Checked | None:
        try:
            shown = self._shown(item, item.source, first=True)
            checked = Checked(item.path, item.source, shown)
            if self.mode.fix or self.mode.diff:
                checked = self._fixed(item, shown)
        except Cancelled:
            raise KeyboardInterrupt from None
        except (BaselineUnreadable, RevisionUnknown) as error:
            # The wish cannot be met for any file: reporting everything instead would help nobody.
            raise console.CommandError(str(error)) from error
        except Exception as failure:  # One file must not end the run; the exit code tells that it failed.
            self._problem(f"{console.shown(item.path)}: could not be checked ({type(failure).__name__}: {failure})")
            return None
        self.tally.files += 1
        self.tally.findings += len(checked.findings)
        if self.mode.write_baseline and item.path != STDIN:
            self.tally.remembered[item.path] = baseline.known(checked.findings, item.source)
        return checked

    def _shown(self, item: Loaded, source: SourceText, first: bool = False) -> tuple[Finding, ...]:
        """What is found in ``source`` and wanted; the first time it counts what is left out."""
        settings = attrs.evolve(item.settings, baseline=None) if self.mode.write_baseline else item.settings
        rev = settings.changed_since if item.path != STDIN else None
        if rev is not None and self.screen.revision(rev).is_unchanged(item.path, source, item.language):
            return ()
        # Opening the model waits for the first file that needs it.
        detector = self.detectors.detector(item.language)
        options = _options(settings, item.path)
        is_file = item.path != STDIN and item.language == "python"
        around = self.project.around(item.path) if is_file else NOTHING_AROUND
        found = detector.check(source, item.language, options, self.interrupt, around=around)
        path = item.path if item.path != STDIN else "stdin://"
        shown = self.screen.show(found, path, source, item.language, settings)
        if first:
            self.tally.left_out(shown)
        return shown.findings

    def _fixed(self, item: Loaded, shown: tuple[Finding, ...]) -> Checked:
        done: Fixed = fix(item.source, shown, lambda source: self._shown(item, source))
        if not done.applied:
            return Checked(item.path, item.source, () if self.mode.diff else shown)
        if self.mode.diff:
            with self.bar.aside():
                _print_patch(patch(item.path, item.source, done.source))
            self.tally.findings += len(done.applied)
            return Checked(item.path, item.source, ())
        try:
            write_fixed(item, done.source)
        except NotWritten as error:
            self._problem(str(error))
            return Checked(item.path, item.source, shown)
        self.tally.fixed += len(done.applied)
        return Checked(item.path, done.source, done.remaining)

    def _problem(self, text: str) -> None:
        self.tally.problems.append(text)
        with self.bar.aside():
            console.error(text)


def _write_baseline(path: Path, tally: Tally) -> int:
    if tally.problems:
        console.error(f"{path}: not written, because not every file could be checked")
        return FAILED
    try:
        before = baseline.read_baseline(path)
    except BaselineUnreadable:
        before = baseline.Baseline()
    count = baseline.write_baseline(path, tally.remembered, before)
    console.note(f"{path}: {count} findings of {tally.files} files are known from now on")
    return CLEAN


def _print_patch(text: str) -> None:
    if not sys.stdout.isatty():
        console.write_out(text)
        return
    terminal = console.stdout_console()
    for line, style in coloured(text):
        terminal.print(console.printable(line.rstrip("\r\n")), style=style, markup=False)


def _left_out(item: Skipped | Missing, report: Report, tally: Tally) -> None:
    if isinstance(item, Missing):
        problem = f"{console.shown(item.path)}: there is no such file or folder"
        tally.problems.append(problem)
        console.error(problem)
        return
    tally.skipped += 1
    report.skipped(item)
    console.skipped(item.path, item.reason)


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
