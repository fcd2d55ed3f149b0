"""The progress bar of a long run: on a terminal only, on stderr, out of the way of what is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from codehunch.cli.console import shown

if TYPE_CHECKING:
    from rich.progress import Progress

_FEWEST = 2
"""Runs over fewer files show no bar."""


class ProgressBar:
    """Counts bytes, because files differ. Without a terminal every method does nothing."""

    def __init__(self, measure: Callable[[], tuple[int, int]]) -> None:
        """``measure`` gives the files and the bytes to expect; it is asked on a terminal only."""
        self._measure = measure
        self._bar: Progress | None = None
        self._files = 0

    def __enter__(self) -> ProgressBar:
        if sys.stderr.isatty():
            files, size = self._measure()
            if files >= _FEWEST:
                self._bar = _bar()
                self._bar.add_task("", total=max(1, size), files=files, done=0, name="")
                self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def reading(self, path: str) -> None:
        """The file that is being checked now."""
        if self._bar is not None:
            name = os.path.join(*shown(path).rsplit(os.sep, 2)[-2:])
            self._bar.update(self._bar.task_ids[0], name=name)

    def done(self, size: int) -> None:
        """A file of ``size`` bytes is finished."""
        self._files += 1
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=size, done=self._files)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Clears the bar away while something else is printed on the terminal."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    return Progress(
        TextColumn("checking", table_column=Column(no_wrap=True, min_width=8)),
        BarColumn(bar_width=20, table_column=Column(min_width=20)),
        TaskProgressColumn(table_column=Column(no_wrap=True, min_width=4)),
        TextColumn("{task.fields[done]}/{task.fields[files]} files", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn(
            "{task.fields[name]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
        ),
        expand=True,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
