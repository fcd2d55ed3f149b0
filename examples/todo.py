"""Functions that are only described so far: `codehunch generate` writes their bodies.

Where a function like it stands nearby, as with `save_notes`, the body is fitted from that one; the others show what
the small model does alone.
"""

from __future__ import annotations


def count_words(text):
    """Return a dictionary that maps each word of the text to how often it occurs."""


def is_empty(items):
    """Return True if the list has no items."""


class Stack:
    def __init__(self):
        self.items = list[object]()

    def push(self, item):
        """Add an item to the top of the stack."""

    def pop(self):
        """Remove the top item of the stack and return it."""


def save_tasks(tasks, path):
    """Write the tasks to a file, one task a line."""
    with open(path, "w", encoding="utf-8") as file:
        for task in tasks:
            file.write(f"{task.title}: {task.owner}\n")


def save_notes(notes, path):
    """Write the notes to a file, one note a line."""


def initials(name):
    """The initials of a person's name, in capitals.

    >>> initials("Ada Lovelace")
    'AL'
    >>> initials("grace brewster hopper")
    'GBH'
    """
