"""Bodies that fit the examples of a docstring: where they land, who is shown them, and when there are none."""

from __future__ import annotations

import pytest

from codehunch.bundles.store import default_bundle
from codehunch.generation.by_example import Exemplified, exemplified, fits, stated
from codehunch.generation.context import FileContext
from codehunch.generation.generator import Generator
from codehunch.generation.sources import told_source
from codehunch.inference.errors import Cancelled
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request

INITIALS = '''def initials(name: str) -> str:
    """Upper-case initials of a name.

    >>> initials("ada lovelace")
    "AL"
    >>> initials("grace brewster hopper")
    "GBH"
    """
'''


def found_in(text: str, mark: str = '"""', asked: bool = True, most: int = 3) -> list[Exemplified]:
    parsed = parse(text)
    request = find_request(parsed, text.index(mark) + 1)
    assert request is not None
    context = FileContext(parsed)
    given = stated(context, request)
    return exemplified(context, request, given, asked, most) if given is not None else []


def test_a_body_fits_the_file_and_the_examples() -> None:
    first = found_in(INITIALS)[0]
    assert first.examples == 2
    names: dict[str, object] = {}
    exec(INITIALS + first.text, names)
    assert names["initials"]("alan mathison turing") == "AMT"  # type: ignore[operator]
    assert "''" not in first.text, "the file has double quotes"


def test_tabs_and_windows_line_ends_stay() -> None:
    text = INITIALS.replace("    ", "\t").replace("\n", "\r\n")
    first = found_in(text)[0].text
    assert first.strip("\r\n").startswith("\treturn ")
    assert "\n" not in first.replace("\r\n", "")


def test_what_is_missing_is_imported() -> None:
    text = 'def product(values):\n    """The product.\n\n    product([2, 3, 4]) == 24\n    product([5]) == 5\n    """\n'
    first = found_in(text)[0].text
    assert first.split() == ["import", "math", "return", "math.prod(values)"]


def test_assertions_of_the_file_are_examples_too() -> None:
    text = (
        'def shout(text):\n    """Upper-case, with an exclamation mark."""\n    pass\n\n\n'
        'def test_shout():\n    assert shout("no") == "NO!"\n    assert shout("go on") == "GO ON!"\n'
    )
    first = found_in(text)[0]
    assert first.examples == 2
    assert first.text.strip() == 'return text.upper() + "!"'


@pytest.mark.parametrize(
    "text",
    [
        'def f(x):\n    """Twice as much."""\n',
        'async def f(x):\n    """f(1) == 2, f(4) == 8"""\n',
        'class A:\n    def f(self, x):\n        """f(1) == 2, f(4) == 8"""\n',
        'def f(*x):\n    """f(1) == 2, f(4) == 8"""\n',
    ],
)
def test_none_where_no_example_can_be_tried(text: str) -> None:
    assert found_in(text, "f(1)" if "f(1)" in text else '"""') == []


@pytest.mark.parametrize(
    "above",
    [
        "def sum(x):\n    return 0\n",
        "from numbers_of_ours import sum\n",
        "sum = 3\n",
        "sum: int = 3\n",
        "class sum:\n    pass\n",
    ],
)
def test_a_built_in_that_the_file_hides_is_not_called(above: str) -> None:
    text = f'{above}\n\ndef total(values):\n    """The sum.\n\n    total([1, 2, 3]) == 6\n    total([5, 9]) == 14"""\n'
    assert all("sum(" not in each.text for each in found_in(text, "total"))
    assert found_in(text.removeprefix(above), "total")[0].text.strip() == "return sum(values)"


def test_who_did_not_ask_is_shown_what_is_sure_alone() -> None:
    assert found_in(INITIALS, asked=False)
    one = 'def f(x):\n    """Twice as much.\n\n    f(4) == 8\n    """\n'
    assert found_in(one)
    assert found_in(one, asked=False) == []


def test_what_much_else_would_fit_is_said_to_be_so() -> None:
    found = found_in('def f(x):\n    """Whether it is.\n\n    f(4) == True\n    """\n')[0]
    assert told_source("", found.examples, found.confidence) == "fits the example, as much else would"


def test_it_comes_before_what_the_model_writes() -> None:
    parsed = parse(INITIALS)
    request = find_request(parsed, INITIALS.index('"""') + 1)
    assert request is not None
    generator = Generator(default_bundle("generation"), threads=1)
    alone = generator.generate(parsed.source, request)
    several = generator.generate(parsed.source, request, candidates=4)
    assert [each.examples for each in alone] == [2]
    assert several[0] == alone[0]
    assert several[0].source == "fits the 2 examples"
    assert len({each.text for each in several}) == len(several) >= 2
    assert {each.examples for each in several} == {2}, "what the model writes breaks the examples, so it is left out"


def test_a_sibling_says_more_than_an_example_that_much_fits() -> None:
    text = (
        'def longest_book(books):\n    """Return the book with the most pages, or None if there are no books."""\n'
        "    if not books:\n        return None\n    return max(books, key=attrgetter('pages'))\n\n\n"
        'def longest_report(reports):\n    """Return the report with the most pages, or None if there are none.\n\n'
        '    longest_report([False, True]) == True\n    """\n'
    )
    parsed = parse(text)
    request = find_request(parsed, text.index("longest_report"))
    assert request is not None
    generator = Generator(default_bundle("generation"), threads=1)
    (alone,) = generator.generate(parsed.source, request)
    assert alone.origin == "longest_book"
    several = generator.generate(parsed.source, request, candidates=4)
    assert several[0].examples == 0
    assert len(several) <= 4


def test_cancelling_is_heard_while_it_searches() -> None:
    text = 'def f(x):\n    """Nobody knows.\n\n    f("a") == "qwfpg"\n    f("b") == "zxcvb"\n    """\n'
    parsed = parse(text)
    request = find_request(parsed, text.index('"""') + 1)
    assert request is not None
    calls: list[int] = []

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > 2

    with pytest.raises(Cancelled):
        Generator(default_bundle("generation")).generate(parsed.source, request, cancelled=cancelled)
    assert len(calls) < 6


COUNTED = """LIMIT = 3


def few(items):
    \"\"\"Whether there are few.

    >>> few([1, 2])
    True
    >>> few([1, 2, 3])
    False
    \"\"\"
"""


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("return len(items) < LIMIT", True),
        ("return len(items) <= LIMIT", False),
        ("return items.missing", False),
        ("for n, _ in enumerate(items):\n        if n == 2:\n            return False\n    return True", True),
        ("return unknown(items)", None),
        ("return len(items) < LIMIT if items[1:2] else unknown()", True),
        ("while True:\n        pass", None),
    ],
)
def test_what_the_examples_say_of_a_body(body: str, verdict: bool | None) -> None:
    parsed = parse(COUNTED)
    request = find_request(parsed, COUNTED.index('"""') + 1)
    assert request is not None
    context = FileContext(parsed)
    given = stated(context, request)
    assert given is not None
    assert fits(context, request, f"\n    {body}", given) is verdict


SIBLINGS = """def largest_width(shelf):
    \"\"\"The largest width of the books on a shelf.\"\"\"
    best = 0
    for book in shelf:
        if book["width"] > best:
            best = book["width"]
    return best


def largest_height(shelf):
    \"\"\"The largest height of the books on a shelf.

    >>> largest_height([{"height": 2, "width": 7}, {"height": 3, "width": 1}])
    %s
    \"\"\"
"""


def test_a_sibling_that_fits_the_examples_says_so_and_one_that_breaks_them_is_not_offered() -> None:
    generator = Generator(default_bundle("generation"))

    def offered(result: str) -> list[str]:
        parsed = parse(SIBLINGS % result)
        request = find_request(parsed, parsed.text.rindex('"""') - 3)
        assert request is not None
        return [each.source for each in generator.generate(parsed.source, request, candidates=5)]

    assert offered("3")[0] == "adapted from largest_width, fits the example"
    assert not any("adapted from" in each for each in offered("-17"))
