"""The tests use the lab as its readers do: by public names."""

import ast
from pathlib import Path

TESTS = [
    path for path in sorted(Path(__file__).parent.rglob("*.py")) if path.name != "test_tornado_private.py"
]
"""All but the one whose subject is what Tornado keeps private."""
OF_OTHERS = {
    "_actions": "argparse has no public list of a parser's options",
    "_asdict": "public in named tuples",
    "_replace": "public in named tuples",
    "_debugmallocstats": "Python has no public count of its allocator",
    "_repr_html_": "public: Jupyter calls it to show an object",
    "_repr_mimebundle_": "the same",
    "_repr_png_": "the same",
    "_scheduled": "asyncio has no public list of its timers",
    "_selector": "asyncio has no public list of the sockets that it watches",
    "_socket_factory": "aiohttp does not let one change it in a session that another has made",
}
"""Names with an underscore that do not belong to the lab, and why a test reads them."""
BY_TEXT = ("getattr", "setattr", "delattr", "hasattr", "attrgetter")


def is_private(name):
    """Whether a name, or the last part of a dotted name, begins with one underscore."""
    last = name.rpartition(".")[2]
    return last.startswith("_") and not last.startswith("__") and last.isidentifier() and last != "_"


def names_in(node):
    """The names of other objects' attributes that a piece of source reads, replaces or imports."""
    if isinstance(node, ast.Attribute):
        owner = getattr(node.value, "id", "")
        return [] if owner in ("self", "cls") else [node.attr]
    if isinstance(node, ast.ImportFrom):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_TEXT:
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return [text for text in texts if " " not in text]
    return []


def private_names(path):
    """Where a file uses private names of other objects: line and name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        yield from ((node.lineno, name) for name in names_in(node) if is_private(name))


def test_no_test_uses_a_private_name():
    """What a test needs to know of an object of the lab, the object offers to all its readers."""
    found = [(path.name, *place) for path in TESTS for place in private_names(path)]
    assert [place for place in found if place[2] not in OF_OTHERS] == []


def test_no_exception_is_out_of_use():
    """A name that no test reads any more leaves the list."""
    assert {name for path in TESTS for _, name in private_names(path)} == OF_OTHERS.keys()
