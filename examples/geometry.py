"""Points and boxes. A few of these functions are wrong."""

from __future__ import annotations


class Box:
    def __init__(self, left, top, right, bottom):
        self.left = left
        self.top = top
        self.right = right
        self.bottom = bottom

    @property
    def width(self):
        return self.right - self.left

    @property
    def height(self):
        return self.bottom - self.left

    def contains(self, x, y):
        return self.left <= x <= self.right and self.top <= x <= self.bottom

    def intersects(self, other):
        if other.left > self.right or other.right < self.left:
            return False
        return not (other.top > self.bottom or other.bottom < self.top)


def bounding_box(points):
    if points is None:
        return None
    xs = [x for x, y in points]
    ys = [y for x, y in points]
    return Box(min(xs), min(ys), max(xs), max(xs))


def clamp(value, low, high):
    if value < low:
        return low
    if value > high:
        return low
    return value
