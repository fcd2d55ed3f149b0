"""What the detector says: findings, each with its verified fixes."""

from __future__ import annotations

import attrs

from codehunch.syntax.spans import Span

PER_FUNCTION = 2
"""Findings told of a function: a third says the model does not understand it."""


@attrs.frozen
class Edit:
    """Replace ``span`` of the checked text by ``content``; an empty span inserts."""

    span: Span
    content: str


@attrs.frozen
class Fix:
    """Edits that together undo one defect. The edits of a fix never overlap."""

    message: str
    edits: tuple[Edit, ...]
    margin: float
    """How much cleaner the rewritten function reads than the original: the drop of the defect
    probability at the edited place, between 0 and 1."""
    imports: tuple[str, ...] = ()
    """Statements of which any brings the name that is wanting, the best first; the edits write one of them."""

    def collides(self, other: Fix) -> bool:
        """Whether the two cannot be applied together: their edits touch. Imports may stand in any order, and one that
        both write is written once."""
        if self.imports and other.imports:
            return False
        return any(one.span.touches(two.span) for one in self.edits for two in other.edits)


@attrs.frozen
class Alternative:
    """Another reading of the flagged place and the probability the model gives it."""

    text: str
    probability: float


@attrs.frozen
class Finding:
    """One warning, exact to the token, in the coordinates of the text that was checked."""

    code: str
    """Stable rule code, such as ``CH101``."""
    kind: str
    """The kind's name, such as ``variable-misuse``."""
    message: str
    span: Span
    function: str
    """Qualified name of the function the token belongs to; empty outside of functions."""
    confidence: float
    """Calibrated probability between 0 and 1."""
    fixes: tuple[Fix, ...] = ()
    """Verified fixes, the best first."""
    alternatives: tuple[Alternative, ...] = ()
    evidence: tuple[Span, ...] = ()
    """Other places that speak for the finding, such as the use of the name the model expected."""
    import_margin: float = 0.0
    """How much cleaner the function reads once its file imports the name that is flagged, as ``Fix.margin``; 0 where
    that is no fix. ``codehunch.defects.imports.with_imports`` makes it one."""
    fingerprint: str = ""
    """What dismissals and baselines know it by; see ``codehunch.defects.fingerprints``."""


def shifted(finding: Finding, by: int) -> Finding:
    """The finding with all its places that many code points further on."""

    def place(span: Span) -> Span:
        return Span(span.start + by, span.end + by)

    if not by:
        return finding
    return attrs.evolve(
        finding,
        span=place(finding.span),
        fixes=tuple(
            attrs.evolve(fix, edits=tuple(Edit(place(edit.span), edit.content) for edit in fix.edits))
            for fix in finding.fixes
        ),
        evidence=tuple(place(span) for span in finding.evidence),
    )
