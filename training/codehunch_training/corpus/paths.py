"""What a path says about a file: source or not, test, vendored, generated, minified."""

from __future__ import annotations

import re

_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|test_?suite|functional_?tests?|unit_?tests?|fixtures|benchmarks?|asv_bench)(?:/|$)"
    r"|(?:^|/)test_[^/]*$|_tests?\.py$|(?:^|/)(?:tests?|conftest)\.py$",
    re.IGNORECASE,
)
_VENDORED = re.compile(
    r"(?:^|/)(?:_?vendor(?:ed|ized)?|_?vendor_?packages?|externals?|extern|third[_-]?party|3rd[_-]?party|site-packages"
    r"|node_modules|ext_libs|bundled|thirdparty|_vendored_packages|blib2to3|pydevd\w*|\.venv|venv|build|dist|typeshed)(?:/|$)"
    r"|(?:^|/)(?:six|_six|compat|py3k|pyparsing|decorator|appdirs|ez_setup|versioneer|_version|distribute_setup|get-pip"
    r"|bootstrap)\.py$",
    re.IGNORECASE,
)
_DOCUMENT = re.compile(
    r"(?:^|/)(?:docs?|documentation|examples?|demos?|tutorials?|samples?|doc_src)(?:/|$)"
    r"|(?:^|/)(?:setup|noxfile|conf|tasks|fabfile)\.py$",
    re.IGNORECASE,
)


def is_source(path: str) -> bool:
    """A Python file of the project's own code: not vendored, not a document's example, not packaging."""
    return path.endswith(".py") and not _VENDORED.search(path) and not _DOCUMENT.search(path)


def is_test(path: str) -> bool:
    return bool(_TEST.search(path))


def is_vendored(path: str) -> bool:
    return bool(_VENDORED.search(path))


def is_document(path: str) -> bool:
    """Documentation, examples, and scripts of packaging and task runners."""
    return bool(_DOCUMENT.search(path))
