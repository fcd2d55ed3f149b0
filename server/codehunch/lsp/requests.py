"""What the server asks the worker, and what comes back: plain values that travel between the two processes."""

from __future__ import annotations

import attrs

from codehunch.defects.findings import Edit, Finding
from codehunch.lsp.parcels import Parcel
from codehunch.settings import Sensitivity
from codehunch.syntax.spans import Span


@attrs.frozen
class ServiceOptions:
    """What a worker is started with."""

    threads: int | None = None
    models: tuple[tuple[str, str], ...] = ()
    """Pairs of language and bundle, see ``codehunch.settings.Settings``."""
    generation_model: str | None = None
    index: str | None = None
    """File with the index of the workspace's functions; ``None`` for no retrieval."""
    endpoint: str | None = None
    """Address of a model server that is asked first."""
    cached: bool = False
    """Whether findings are kept on disk."""


@attrs.frozen
class Patch:
    """A text as what has changed since one that the worker knows: a large one need not travel again."""

    base: int
    """The number of the text that is known."""
    start: int
    end: int
    """What is replaced there."""
    content: str


@attrs.frozen
class CheckRequest:
    """One text to check, as the command line would check it."""

    uri: str
    """What the text is a version of: findings of unchanged parts are not computed again. Empty for a file that
    is read once."""
    text: str
    language: str
    sensitivity: Sensitivity = "medium"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    number: int = 0
    """What the text is to be known by once it is checked; 0 for not at all."""
    patch: Patch | None = None
    """In the place of ``text``. The answer is TextUnknown where the worker does not know the base."""
    path: str = ""
    """Where the text lies; empty for what is no file."""


@attrs.frozen
class CheckReply:
    findings: tuple[Finding, ...]
    bundle: str
    """Id and version of the bundle that read the text; empty where none serves the language."""
    sure: float = 0.8
    """Confidence of what the bundle reports even at low sensitivity."""
    parcels: tuple[Parcel, ...] = ()
    """In the place of ``findings``, for a document that is edited; see ``codehunch.lsp.parcels``."""


@attrs.frozen
class Flagged:
    """What has to be known of a finding to silence it."""

    code: str
    kind: str
    row: int
    """0-based."""


@attrs.frozen
class OffersQuery:
    """What can be offered at an offset, and for these findings?"""

    text: str
    language: str
    offset: int
    flagged: tuple[Flagged, ...] = ()


@attrs.frozen
class BodyPlace:
    """A described place without code."""

    start: int
    """Where the function or the comment that asks begins."""
    replace: Span
    at_cursor: bool
    """Whether ghost text at the cursor can show the body."""
    name: str
    """Qualified name of the function the code is for; empty for a comment outside functions."""
    described_by: str
    """``docstring`` or ``comment``."""


@attrs.frozen
class Silence:
    """Edits that silence one finding; ``None`` where no comment can do it."""

    line: Edit | None
    file: Edit | None


@attrs.frozen
class Offers:
    place: BodyPlace | None = None
    """Something that could be written at the offset."""
    silences: tuple[Silence, ...] = ()
    """In the order of the findings in the query."""


@attrs.frozen
class GenerateRequest:
    text: str
    language: str
    offset: int
    candidates: int = 1
    seconds: float = 5.0
    """No candidate after this long."""
    automatic: bool = False
    """Nobody asked by name: what the model is not sure of stays unsaid."""
    path: str = ""
    """Where the text lies on disk; empty for untitled ones."""


@attrs.frozen
class Body:
    """One candidate, ready to replace ``place.replace``."""

    text: str
    confidence: float
    origin: str = ""
    """Where it was adapted from, ``path: name``; empty for what the model wrote."""
    examples: int = 0
    """How many examples of the description it was found by, and fits."""


@attrs.frozen
class GenerateReply:
    place: BodyPlace | None
    bodies: tuple[Body, ...] = ()
    bundle: str = ""
    """Id and version of the bundle that wrote them."""


@attrs.frozen
class IndexRequest:
    """Files whose functions are to be found again."""

    read: tuple[tuple[str, tuple[int, int]], ...] = ()
    """Paths with their stamps, see ``codehunch.generation.index.Stamp``."""
    forget: tuple[str, ...] = ()
    """Paths that are gone."""
