"""What tests say of functions, and which of them do more than say it."""

from __future__ import annotations

import pytest

from codehunch.synthesis.tests import claims_of, passed_on

HEAD = (
    "import pytest\nimport shop.sums\nfrom pytest import mark\nfrom shop import sums as s\n"
    "from shop.text import slug, title as t\n\n"
)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("def test():\n    assert slug('A') == 'a'\n", {("shop.text", "slug"): ("slug('A') == 'a'",)}),
        ("def test():\n    assert 'a' == slug('A')\n", {("shop.text", "slug"): ("slug('A') == 'a'",)}),
        ("def test():\n    assert t('a') is None, 'why'\n", {("shop.text", "title"): ("title('a') is None",)}),
        ("def test():\n    assert s.double(2, by=3) == 6\n", {("shop.sums", "double"): ("double(2, by=3) == 6",)}),
        ("def test():\n    assert shop.sums.double(2) == 4\n", {("shop.sums", "double"): ("double(2) == 4",)}),
        (
            "@pytest.mark.parametrize('a, b', [(1, 2), (2, 4)])\ndef test(a, b):\n    assert s.double(a) == b\n",
            {("shop.sums", "double"): ("double(1) == 2", "double(2) == 4")},
        ),
        (
            "PAIRS = [(1, 2)]\n@mark.parametrize(['a', 'b'], PAIRS)\ndef test(a, b):\n    assert b == s.double(a)\n",
            {("shop.sums", "double"): ("double(1) == 2",)},
        ),
        (
            "@pytest.mark.parametrize('a', ['x', ''])\ndef test(a):\n    assert slug(a) == a\n",
            {("shop.text", "slug"): ("slug('x') == 'x'", "slug('') == ''")},
        ),
        (
            "class TestIt(TestCase):\n    def test(self):\n        '''Why.'''\n"
            "        self.assertEqual(slug('A'), 'a')\n"
            "        with self.assertRaises(ValueError):\n            slug(None)\n",
            {("shop.text", "slug"): ("slug('A') == 'a'",)},
        ),
    ],
)
def test_what_is_said(test: str, said: dict[tuple[str, str], tuple[str, ...]]) -> None:
    assert claims_of(HEAD + test) == said


@pytest.mark.parametrize(
    "test",
    [
        "def test(monkeypatch):\n    assert slug('A') == 'b'\n",
        "def test(*args):\n    assert slug('A') == 'b'\n",
        "def test():\n    change()\n    assert slug('A') == 'b'\n",
        "def test():\n    x = 1\n    assert slug('A') == 'b'\n",
        "def test():\n    with patch('x'):\n        pass\n    assert slug('A') == 'b'\n",
        "@pytest.mark.xfail\ndef test():\n    assert slug('A') == 'b'\n",
        "@pytest.mark.skip\n@pytest.mark.parametrize('a', [1])\ndef test(a):\n    assert slug(a) == 'b'\n",
        "@pytest.mark.parametrize('a', values())\ndef test(a):\n    assert slug(a) == 'b'\n",
        "@pytest.mark.parametrize('a, b', [1, 2])\ndef test(a, b):\n    assert slug(a) == b\n",
        "async def test():\n    assert slug('A') == 'b'\n",
        "def helper():\n    assert slug('A') == 'b'\n",
        "def test():\n    def inner():\n        assert slug('A') == 'b'\n",
        "class TestIt:\n    def setup_method(self):\n        pass\n"
        "    def test(self):\n        assert slug('A') == 'b'\n",
        "@decorated\nclass TestIt:\n    def test(self):\n        assert slug('A') == 'b'\n",
        "def slug(x):\n    return x\ndef test():\n    assert slug('A') == 'b'\n",
        "slug = 1\ndef test():\n    assert slug('A') == 'b'\n",
        "def test():\n    assert slug('A') != 'b'\n",
        "def test():\n    assert 1 < slug('A') == 2\n",
        "def test():\n    assert slug('A').x() == 'b'\n",
        "def test():\n    assert other('A') == 'b'\n",
        "def test():\n    assert slug('A') ==\n",
        "x = '" + "y" * 500_000 + "'\ndef test():\n    assert slug('A') == 'b'\n",
    ],
)
def test_what_says_nothing(test: str) -> None:
    assert claims_of(HEAD + test) == {}


def test_what_a_package_passes_on() -> None:
    text = "from .text import slug, title as title, shout as loud\nfrom ..other import far\nfrom shop.sums import add\n"
    assert set(passed_on(text, ("shop", "web"))) == {
        ("shop.web.text", "slug"),
        ("shop.web.text", "title"),
        ("shop.other", "far"),
        ("shop.sums", "add"),
    }
    assert list(passed_on("from ...far import x\nfrom . import (", ("shop",))) == []
