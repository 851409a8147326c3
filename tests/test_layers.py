"""The house, read from its own source: imports run downward, wings do not touch, files can be printed."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from lab.catalogue import MODES, client_side, server_side
from tests.support.lab_process import ROOT

STARTS = ROOT / "lab" / "exercises" / "tasks"
"""Programs of students, not of the lab: they run alone, mistakes included."""
SOURCES = sorted(path for path in (ROOT / "lab").rglob("*.py") if path.parent != STARTS)
PAGES = ROOT / "pages"
LAYERS = [
    (
        "lab.anatomy",
        "lab.catalogue",
        "lab.child",
        "lab.errors",
        "lab.exercises",
        "lab.folders",
        "lab.json_types",
        "lab.languages",
        "lab.program",
        "lab.proxy",
        "lab.settings",
        "lab.signals",
        "lab.subprocesses",
        "lab.version",
    ),
    ("lab.exercises.loading", "lab.exercises.mismatch", "lab.labs", "lab.meters", "lab.tls"),
    ("lab.exercises.texts",),
    ("lab.room",),
    ("lab.lanes", "lab.clients", "lab.results"),
    ("lab.techniques",),
    ("lab.server.connections", "lab.experiment", "lab.figures"),
    ("lab.server.lesson",),
    ("lab.server.live", "lab.server.pages"),
    ("lab.server.api",),
    ("lab.server",),
    ("lab.exercises.*",),
    ("lab", "lab.cli", "lab.jupyter", "lab.notebooks", "lab.options"),
]
"""From the ground up: a file may use its own floor and those below."""
ALONE = ("lab", "lab.exercises")
"""On their floor stands only the file of the package; the modules in it have floors of their own."""
SERVING = ("lab.lanes", "lab.techniques", "lab.server")
MEASURING = ("lab.clients", "lab.results", "lab.experiment", "lab.figures")
BY_NAME = {
    "lab.cli",
    "lab.experiment.demonstration",
    "lab.experiment.fleet",
    "lab.experiment.relay",
    "lab.experiment.remote_fleet",
    "lab.experiment.trials",
    "lab.figures",
    "lab.proxy.caddy",
    "lab.proxy.haproxy",
    "lab.proxy.nginx",
    "lab.server",
    "lab.server.shared_redis",
}
"""Modules that the lab starts as processes, by their name in a string: the only ties between the wings."""
ONLY = {
    "matplotlib": "lab/figures*",
    "jinja2": "lab/server/pages/page.py",
    "pygments": "lab/server/pages/technique.py",
    "redis": "lab/room/history.py",
    "fakeredis": "lab/room/history.py",
    "distributed": "lab/experiment/engine.py",
}
LONGEST = {
    "lab/techniques": 120,
    "lab/clients": 100,
    "pages/static/techniques": 80,
    "pages/templates": 30,
}
LONGER = {
    "lab/techniques/websocket.py": 165,
    "lab/clients/websocket.py": 110,
    "pages/static/techniques/websocket.js": 85,
}
"""A WebSocket also carries sends and keeps their bytes, subprotocols, compression, pings and the last answer
before the end, which other techniques leave to HTTP."""


def module_name(path):
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """The dotted names of everything that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (submodule(node.module, alias.name) for alias in node.names)


def submodule(package, name):
    """The module that `from package import name` loads."""
    place = ROOT.joinpath(*package.split("."), name)
    inner = place.with_suffix(".py").exists() or place.is_dir()
    return f"{package}.{name}" if inner else package


def within(name, packages):
    """Whether a module is one of these packages, or in one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def floor(name):
    """On which floor a module of the lab stands."""
    for height, packages in enumerate(LAYERS):
        whole = [package.removesuffix(".*") for package in packages if package not in ALONE]
        if name in packages or within(name, whole):
            return height
    raise AssertionError(f"{name} has no floor in the plan of the house")


each_source = pytest.mark.parametrize("path", SOURCES, ids=module_name)


@each_source
def test_imports_run_downward(path):
    """A file imports from its own floor or from below, never from above."""
    mine = module_name(path)
    above = [name for name in imports(path) if within(name, ["lab"]) and floor(name) > floor(mine)]
    assert above == []


@each_source
def test_the_wings_never_touch(path):
    """What serves and what measures meet over the socket only."""
    mine, others = module_name(path), set(imports(path))
    for wing, other in ((SERVING, MEASURING), (MEASURING, SERVING)):
        assert not within(mine, wing) or not [name for name in others if within(name, other)]


def test_what_is_started_by_name_can_run():
    """A string that names a module of the lab is one of those that are started, and the module can run."""
    constants = (n for path in SOURCES for n in ast.walk(ast.parse(path.read_text("utf-8"))))
    texts = [n.value for n in constants if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert {text for text in texts if re.fullmatch(r"lab(\.\w+)+", text)} == BY_NAME
    for name in BY_NAME:
        place = ROOT.joinpath(*name.split("."))
        source = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
        assert "__main__" in source.read_text(encoding="utf-8")


def test_there_is_no_circle():
    """No file imports itself by way of others."""
    graph = {module_name(path): {name for name in imports(path) if within(name, ["lab"])} for path in SOURCES}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(("package", "where"), ONLY.items())
def test_a_heavy_package_is_imported_in_one_place(package, where):
    """Matplotlib, Jinja2 and Redis are each imported in one place only."""
    importers = [
        path.relative_to(ROOT) for path in SOURCES if any(within(n, [package]) for n in imports(path))
    ]
    assert [str(path) for path in importers if not path.match(where) and not path.match(f"{where}/*")] == []


@pytest.mark.parametrize("path", sorted((ROOT / "lab" / "room").glob("*.py")), ids=module_name)
def test_the_room_knows_nothing_of_http(path):
    """Neither Tornado nor any HTTP is known in the room."""
    web = [name for name in imports(path) if within(name, ["tornado", "http", "aiohttp", "urllib"])]
    assert web == []


def test_there_are_no_utils():
    """A file that is named for nothing holds everything."""
    shapeless = re.compile(r"(utils?|helpers?|common|misc|tools)\.(py|js)")
    found = [path for path in [*SOURCES, *PAGES.rglob("*.js")] if shapeless.fullmatch(path.name)]
    assert found == []


def lines_of(path):
    """How many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(("folder", "most"), LONGEST.items())
def test_a_technique_fits_on_a_page(folder, most):
    """The file of a technique, and a template, is short enough to be printed and laid beside another."""
    files = [path for path in (ROOT / folder).glob("*.*") if path.stem in MODES or path.suffix == ".html"]
    sizes = {path.relative_to(ROOT).as_posix(): lines_of(path) for path in files}
    assert {name: size for name, size in sizes.items() if size > LONGER.get(name, most)} == {}


@pytest.mark.parametrize("mode", MODES)
def test_a_technique_has_one_file_on_each_side(mode):
    """Server, client and browser have a file of the technique's name, with the parts that it must have."""
    server, listener = server_side(mode), client_side(mode)
    assert callable(server.frame)
    assert server.ROUTES
    assert callable(listener.unframe)
    assert (PAGES / "static" / "techniques" / f"{mode}.js").exists()


def texts():
    """Every file of the lab that is written by hand, but the catalogue."""
    for folder in (ROOT / "lab", PAGES):
        for path in folder.rglob("*"):
            if path.suffix in (".py", ".js", ".html", ".css") and path.name != "catalogue.py":
                yield path


def test_nothing_but_the_catalogue_names_them():
    """Adding a technique is one line in the catalogue and a file per side: no other file lists them."""
    naming = [
        path.relative_to(ROOT).as_posix()
        for path in texts()
        if set(MODES) <= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    ]
    assert naming == []


def test_no_place_in_the_catalogue_means_anything():
    """A technique is looked up by its name, never as the first or the last of the list."""
    by_place = re.compile(r"\b(MODES|TECHNIQUES)\[-?\d")
    sources = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    assert [path for path in sources if by_place.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_is_written_without_a_bound():
    """`write_message` does not wait and fills the memory, so nothing in the lab uses it."""
    assert [path for path in SOURCES if ".write_message(" in path.read_text(encoding="utf-8")] == []


def test_no_page_makes_markup_of_text():
    """No script puts text where a browser would read it as markup or code."""
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")
    assert [path.name for path in PAGES.rglob("*.js") if ways.search(path.read_text(encoding="utf-8"))] == []


def test_a_silenced_type_error_has_a_reason():
    """Where the type checker must ignore an error, the line states which one, and why."""
    silenced = re.compile(r"# type: ignore(?!\[[a-z-]+\]  # \S)")
    assert [path.name for path in SOURCES if silenced.search(path.read_text(encoding="utf-8"))] == []


def test_no_file_knows_its_machine():
    """No path of one particular machine stands in the source."""
    own = re.compile("|".join((r"/home/\w", r"/Users/\w", r"/tmp/\w", r"C:\\\\Users")))
    assert [path.name for path in texts() if own.search(path.read_text(encoding="utf-8"))] == []


def test_every_file_describes_itself():
    """Each file of the lab begins with a sentence about itself."""
    silent = [
        path.name for path in SOURCES if not ast.get_docstring(ast.parse(Path(path).read_text("utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("test_*.py")), ids=lambda path: path.stem)
def test_no_file_of_tests_lends_helpers(path):
    """What several files of tests need is in tests/support/; only whole tests are imported, to run again."""
    lenders = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.test_")
    ]
    assert [name.name for node in lenders for name in node.names if not name.name.startswith("test_")] == []
