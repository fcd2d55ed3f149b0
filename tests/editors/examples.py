"""Files with a mistake, as people make them, and descriptions to write code for. Written for these tests only.

The tests use the first mistake that the shipped model sees. What is wrong, and what belongs there, is said here and
not by the model.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """``text`` holds the wrong token between « and »."""

    name: str
    marked: str
    right: str

    @property
    def text(self) -> str:
        return self.marked.replace("«", "").replace("»", "")

    @property
    def wrong(self) -> str:
        return self.marked[self.marked.index("«") + 1 : self.marked.index("»")]

    @property
    def line(self) -> int:
        """From 0."""
        return self.marked[: self.marked.index("«")].count("\n")

    @property
    def column(self) -> int:
        """From 0."""
        return self.marked.index("«") - self.marked.rfind("\n", 0, self.marked.index("«")) - 1

    @property
    def mended(self) -> str:
        return self.marked[: self.marked.index("«")] + self.right + self.marked[self.marked.index("»") + 1 :]


MISTAKES = (
    Mistake(
        "geometry.py",
        """class Field:
    def __init__(self, width, height):
        self.width = width
        self.height = «width»

    def surface(self):
        return self.width * self.height
""",
        "height",
    ),
    Mistake(
        "checks.py",
        """def surface(width, height):
    if width < 0 or «width» < 0:
        raise ValueError("lengths are positive")
    return width * height
""",
        "height",
    ),
    Mistake(
        "shelves.py",
        """def find_shelf(shelves, name):
    for shelf in shelves:
        if shelf.name «!=» name:
            return shelf
    return None
""",
        "==",
    ),
)

DESCRIBED = '''def is_even(number):
    """Return True if the number is even."""
    '''
"""Body wanted at the end of the text."""

COMMENTED = """def largest(values):
    # return the largest of the values
    """
