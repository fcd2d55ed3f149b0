"""A service with rules instead of models, for tests of order and timing: every ``wrong`` is a finding.

A text may hold ``# slow N`` for N steps of a hundredth of a second, ``# die`` to end the worker, ``# fail`` to raise.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

from codehunch.defects.findings import Alternative, Edit, Finding, Fix
from codehunch.inference.errors import Cancelled
from codehunch.lsp.requests import (
    Body,
    CheckReply,
    CheckRequest,
    GenerateReply,
    GenerateRequest,
    OffersQuery,
)
from codehunch.lsp.service import ModelService
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request
from codehunch.syntax.spans import Span

_WRONG = re.compile(r"\bwrong(?:_(\d+))?\b")


class RuleService(ModelService):
    """Finds places with the real code and findings with a regular expression."""

    _loaded = False

    def check(self, request: CheckRequest, cancelled: Callable[[], bool]) -> CheckReply:
        if not self._loaded:
            self._loaded = True
            self._emit("loading", "defects")
            self._emit("loaded", "defects")
        request = self._texts.whole(request)
        _obey(request.text, cancelled)
        self._texts.keep(request)
        if "CH101" in request.ignore:
            return CheckReply((), "rules 1")
        return CheckReply(tuple(_finding(match, request.text) for match in _WRONG.finditer(request.text)), "rules 1")

    def generate(self, request: GenerateRequest, cancelled: Callable[[], bool]) -> GenerateReply:
        place = self.offers(OffersQuery(request.text, request.language, request.offset), cancelled).place
        if place is None:
            return GenerateReply(None)
        _obey(request.text, cancelled)
        found = find_request(parse(request.text), request.offset)
        assert found is not None
        bodies = tuple(
            Body(found.render(f"value = {index}\nreturn value"), 0.9 - index / 10)
            for index in range(request.candidates)
        )
        return GenerateReply(place, bodies)


def create(options: object, emit: Callable[[str, object], None]) -> RuleService:
    return RuleService(options, emit)  # type: ignore[arg-type]


def _finding(match: re.Match[str], text: str) -> Finding:
    span = Span(match.start(), match.end())
    confidence = int(match.group(1)) / 100 if match.group(1) else 0.95
    right = text.find("right")
    return Finding(
        code="CH101",
        kind="variable-misuse",
        message=f"`{match.group()}` looks like the wrong variable: did you mean `right`?",
        span=span,
        function="f",
        confidence=confidence,
        fixes=(
            Fix("Replace by `right`", (Edit(span, "right"),), 0.9),
            Fix("Replace by `left`", (Edit(span, "left"),), 0.2),
        ),
        alternatives=(Alternative("right", 0.9), Alternative("left", 0.05)),
        evidence=(Span(right, right + 5),) if right >= 0 else (),
        fingerprint=f"{match.group()} {text[: match.start()].count('wrong')}",
    )


def _obey(text: str, cancelled: Callable[[], bool]) -> None:
    if "# die" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "# fail" in text:
        raise RuntimeError("the rules do not like this text")
    slow = re.search(r"# slow (\d+)", text)
    for _ in range(int(slow.group(1)) if slow else 1):
        if cancelled():
            raise Cancelled
        if slow:
            time.sleep(0.01)
