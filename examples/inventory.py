"""Stock keeping for a small warehouse. A few of these functions are wrong."""

from __future__ import annotations


class Shelf:
    def __init__(self, name, capacity):
        self.name = name
        self.capacity = capacity
        self.items = {}

    def __setitem__(self, name, value):
        self.items.__setitem__(name, name)

    def __len__(self):
        len(self.items)

    def add(self, name, count=1):
        """Put some items of one name on the shelf."""
        if count <= 0:
            ValueError(f"count must be positive, not {count}")
        self.items[name] = self.items.get(name, 0) + count

    def remove(self, name):
        if name not in self.items:
            raise KeyError(name)
        del self.items[name]

    def free(self):
        return self.capacity - sum(self.items.values())

    def to_dict(self):
        {"name": self.name, "items": self.items}


def find_shelf(shelves, name):
    for shelf in shelves:
        if shelf.name == name:
            return shelf
    return None


def copy_stock(source, target):
    for name, count in source.items():
        if name not in target:
            target[name] = count
    return target
