"""Files with a mistake, as people make them, and descriptions to write code for. Written for these tests only.

The tests use the first mistake that the shipped model sees with the settings everybody begins with. What is wrong, and
what belongs there, is said here and not by the model.
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
    def repair(self) -> str:
        """How the title of the repair begins."""
        return "Insert" if self.wrong in self.right else "Swap" if "," in self.right else "Replace"

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
        "tickets.py",
        """def ticket_price(age, discount):
    if discount > 1:
        «ValueError»("a discount is a share of the price")
    price = 12 if age >= 18 else 6
    return price * (1 - discount)
""",
        "raise ValueError",
    ),
    Mistake(
        "parcels.py",
        """class Parcel:
    def __init__(self, weight, zone):
        self.weight = weight
        self.zone = zone

    def __repr__(self):
        «f»"Parcel({self.weight!r}, {self.zone!r})"
""",
        "return f",
    ),
    Mistake(
        "shelves.py",
        """class Shelf:
    def __init__(self, boxes):
        self.boxes = boxes

    def __len__(self):
        «len»(self.boxes)
""",
        "return len",
    ),
    Mistake(
        "sensors.py",
        """def read_level(sensor, highest):
    level = sensor.read()
    if level is None:
        «RuntimeError»("the sensor gave no level")
    return min(level, highest)
""",
        "raise RuntimeError",
    ),
    Mistake(
        "seats.py",
        """def seat(plan, row, number):
    if row not in plan:
        «KeyError»(f"there is no row {row}")
    return plan[row][number]
""",
        "raise KeyError",
    ),
    Mistake(
        "ropes.py",
        """def longest_rope(ropes):
    best = None
    for rope in ropes:
        if best is None or rope.length > best.length:
            best = rope
    «best»
""",
        "return best",
    ),
    Mistake(
        "letters.py",
        """def greeting(reader, due):
    name = reader.name.title()
    return «"»{name}, your book is due on {due}."
""",
        'f"',
    ),
    Mistake(
        "clocks.py",
        """class Clock:
    def __init__(self, hours, minutes):
        self.hours = hours
        self.minutes = minutes

    def __eq__(self, other):
        if not isinstance(other, Clock):
            return NotImplemented
        «self».hours == other.hours and self.minutes == other.minutes
""",
        "return self",
    ),
    Mistake(
        "words.py",
        """def shout(word):
    return word.strip().«upper» + "!"
""",
        "upper()",
    ),
    Mistake(
        "notes.py",
        """def is_note(thing):
    return isinstance(«str, thing»)
""",
        "thing, str",
    ),
    Mistake(
        "lookup.py",
        """def find_shelf(shelves, name):
    for shelf in shelves:
        if shelf.name «!=» name:
            return shelf
    return None
""",
        "==",
    ),
    Mistake(
        "fields.py",
        """class Field:
    def __init__(self, width, height):
        self.width = width
        self.height = «width»

    def surface(self):
        return self.width * self.height
""",
        "height",
    ),
)

DESCRIBED = (
    '''def longest_book(books):
    """Return the book with the most pages, or None if there are no books."""
    if not books:
        return None
    return max(books, key=lambda book: book.pages)


def longest_report(reports):
    """Return the report with the most pages, or None if there are no reports."""
    ''',
    '''def is_even(number):
    """Return True if the number is even."""
    ''',
)
"""A body is wanted at the end of the text, after a docstring. The tests use the first for which one is offered
unasked."""

EXEMPLIFIED = (
    '''def initials(name):
    """The initials of a name, in capitals.

    >>> initials("grace brewster hopper")
    'GBH'
    >>> initials("Ada Lovelace")
    'AL'
    """
    ''',
)
"""A docstring that shows what the body has to give."""

COMMENTED = (
    *(
        f"def {signature}:\n    # {comment}\n    "
        for signature, comment in (
            ("is_empty(items)", "return True if there are no items"),
            ("has_name(person)", "return True if the person has a name"),
            ("to_text(data)", "decode the data and return the text"),
            ("read_lines(path)", "read the file and return its lines"),
            ("largest(values)", "return the largest of the values"),
            ("absolute(number)", "return the absolute value of the number"),
        )
    ),
    """def check(name, title):
    # the name must be a string
    if not isinstance(name, str):
        raise TypeError("name must be a string")
    # the title must be a string
    """,
    """class Reader:
    def open(self, path):
        # the path must be a string
        if not isinstance(path, str):
            raise TypeError("path must be a string")
        # the path must not be empty
        """,
    """class Reader:
    def close(self):
        # close the file if it is open
        if self.file is not None:
            self.file.close()
        # close the file again if it is open
        """,
)
"""Likewise, after a comment."""

TESTED = '''class Account:
    """Money, and how it came and went."""

    def __init__(self, balance=0):
        self.balance = balance
        self.history = []

    def deposit(self, amount):
        self.balance += amount
        self.history.append(amount)

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError("not enough")
        self.balance -= amount
        self.history.append(-amount)

    def largest(self):
        return min(self.history)
'''
TESTS = """from tested import Account


def test_largest():
    account = Account()
    account.deposit(5)
    account.deposit(20)
    account.withdraw(10)
    assert account.largest() == 20
"""
"""What a test says of it, in a file beside."""
CONTRADICTED = '''def running_totals(values):
    """The sum of all values up to each.

    >>> running_totals([1, 2, 3])
    [1, 3, 6]
    """
    totals = []
    total = 0
    for value in values:
        total += value
        totals.append(value)
    return totals
'''
"""What the last name but one gives is not what the example shows."""
