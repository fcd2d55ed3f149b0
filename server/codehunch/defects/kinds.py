"""The one table of defect kinds: stable code, name, title. Corpus, models and rule pages use these names."""

from __future__ import annotations

import attrs


@attrs.frozen
class Kind:
    """One row of the table."""

    code: str
    """Stable: never reused, never renumbered."""
    name: str
    """What corpora, model labels and settings call the kind."""
    title: str
    """What the rule is about, for lists and pages."""
    message: str
    """What a person reads at the flagged place; ``{token}`` is its text."""
    learned: bool = True
    """Whether models learn it; what is not learned is computed."""

    @property
    def page(self) -> str:
        """File name of the rule page under ``docs/rules``."""
        return f"{self.code}.md"


KINDS: tuple[Kind, ...] = (
    Kind("CH100", "defective-function", "this function reads as defective", "`{token}` reads as defective"),
    Kind("CH101", "variable-misuse", "this looks like the wrong variable", "`{token}` looks like the wrong variable"),
    Kind(
        "CH102", "wrong-comparison", "this looks like the wrong comparison", "`{token}` looks like the wrong comparison"
    ),
    Kind(
        "CH103",
        "wrong-boolean-operator",
        "this looks like the wrong boolean operator",
        "`{token}` looks like the wrong boolean operator",
    ),
    Kind(
        "CH104",
        "wrong-binary-operator",
        "this looks like the wrong operator",
        "`{token}` looks like the wrong operator",
    ),
    Kind("CH105", "wrong-negation", "this condition looks inverted", "this condition looks inverted at `{token}`"),
    Kind(
        "CH106",
        "argument-swap",
        "these arguments look swapped",
        "the argument `{token}` looks swapped with its neighbour",
    ),
    Kind("CH107", "wrong-literal", "this looks like the wrong literal", "`{token}` looks like the wrong literal"),
    Kind("CH108", "off-by-one", "this looks off by one", "`{token}` looks off by one"),
    Kind("CH109", "wrong-attribute", "this looks like the wrong attribute", "`{token}` looks like the wrong attribute"),
    Kind(
        "CH110", "wrong-call", "this looks like the wrong function", "`{token}` looks like the wrong function to call"
    ),
    Kind(
        "CH111",
        "missing-call-parentheses",
        "this looks like a call without its parentheses",
        "`{token}` looks as if it should be called",
    ),
    Kind(
        "CH112",
        "missing-return",
        "a `return` seems to be missing here",
        "a `return` seems to be missing before `{token}`",
    ),
    Kind(
        "CH113",
        "missing-await",
        "an `await` seems to be missing here",
        "an `await` seems to be missing before `{token}`",
    ),
    Kind(
        "CH114", "missing-raise", "a `raise` seems to be missing here", "a `raise` seems to be missing before `{token}`"
    ),
    Kind("CH115", "missing-self", "a `self.` seems to be missing here", "`self.` seems to be missing before `{token}`"),
    Kind(
        "CH116",
        "missing-f-prefix",
        "an `f` prefix seems to be missing here",
        "an `f` prefix seems to be missing before `{token}`",
    ),
    Kind("CH117", "missing-call", "a call seems to be missing here", "a call seems to be missing at `{token}`"),
    Kind(
        "CH118",
        "missing-argument",
        "an argument seems to be missing here",
        "an argument seems to be missing in the call of `{token}`",
    ),
    Kind("CH119", "missing-star", "a star seems to be missing here", "a `*` seems to be missing before `{token}`"),
    Kind(
        "CH120",
        "broken-example",
        "this does not do what an example or a test shows",
        "`{token}` does not do what an example or a test shows",
        learned=False,
    ),
    Kind("CH199", "wrong-statement", "this statement looks wrong", "this statement looks wrong at `{token}`"),
)

OF_EXAMPLES = next(kind for kind in KINDS if kind.name == "broken-example")
"""What examples say (``codehunch.defects.by_example``)."""
_BY_CODE = {kind.code: kind for kind in KINDS}
_BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of_code(code: str) -> Kind:
    """The row of a rule code, in any case; ``KeyError`` where there is none."""
    return _BY_CODE[code.upper()]


def kind_named(name: str) -> Kind:
    """The row of a kind name; ``KeyError`` where there is none."""
    return _BY_NAME[name]
