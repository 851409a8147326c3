"""The notebooks: executed from start to end without a server, small, clean, and as they were committed."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lab
from lab.catalogue import TECHNIQUES
from lab.cli import main
from lab.errors import BadInput, BadParameter
from lab.figures.guess import verdict
from lab.notebooks import heat_map, measured, medians, score, servers, table
from tests.support.drawing import texts

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HTTP2 = FOLDER / "data" / "07-http2.json"
SERVERS = FOLDER / "data" / "04-servers.json"
RECORDS = sorted(set((FOLDER / "data").glob("*.json")) - {HTTP2, SERVERS})
MOST_BYTES = 300_000
PLACES = re.compile(r"/home/|/Users/|/root/|/tmp/|/opt/|[A-Z]:\\\\|https?://(?!127\.0\.0\.1)")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    """A notebook."""
    import nbformat  # takes 3 s, and every worker of the test command imports this file

    return nbformat.read(path, 4)


def text_of(path):
    """Everything written in a notebook, in and out; pictures left out."""
    notebook = read(path)
    shown = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            shown.append(json.dumps({k: v for k, v in output.get("data", {}).items() if "image" not in k}))
            shown.append(str(output.get("text", "")))
    return "\n".join(shown)


def test_they_are_numbered():
    """Each has a number of its own, and stands in the list of the folder's README."""
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers == sorted({number for number in numbers if number.isdigit()})
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"[{path.name[:2]}]({path.name})" not in listed] == []


@each_notebook
@pytest.mark.timeout(120)
def test_it_runs_from_start_to_end(path, monkeypatch):
    """Without any server, from the recorded runs; every assertion in it holds and nothing is warned of."""
    monkeypatch.delenv("PUSHLAB_LIVE", raising=False)
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(FOLDER.parent), inherited])))
    notebook = read(path)
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@each_notebook
def test_it_is_small_and_clean(path):
    """Under 300 KB, with outputs, and without times, paths, addresses or errors of one machine."""
    notebook = read(path)
    assert path.stat().st_size < MOST_BYTES
    assert not PLACES.search(text_of(path))
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert not [output for output in cell.outputs if output.output_type in ("error",)]
    assert any(cell.get("outputs") for cell in notebook.cells)


@each_notebook
def test_it_asks_predicts_asserts_and_goes_on(path):
    """A question, a prediction, a Chinese summary, assertions in line, and something to try next."""
    text = text_of(path)
    for part in ("**Question.**", "**Predict first.**", "**中文**", "assert ", "**Try next.**"):
        assert part in text, part


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_names_its_machine_and_date(path):
    """Each recorded run is marked with machine and date, lost nothing, and loads."""
    marked = json.loads(path.read_text(encoding="utf-8"))["recorded"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", marked["date"]) and "processors" in marked["machine"]
    runs = lab.load(path)
    assert all(run.clean and not run.missing and run.samples for run in runs)


def test_the_record_of_servers_has_a_figure_of_each_technique_in_each_round(monkeypatch):
    """By each server, as many rounds of each; with machine, date and the load of the machine."""
    monkeypatch.chdir(FOLDER)
    record = servers()
    assert {"date", "machine", "load_average"} == record["recorded"].keys()
    rounds = {len(each) for by_mode in record["cpu_us"].values() for each in by_mode.values()}
    assert len(rounds) == 1 and {"lab", "tornado", "delegate", "aiohttp"} <= record["cpu_us"].keys()
    for by_mode in record["cpu_us"].values():
        assert by_mode.keys() == {"websocket", "longpoll", "shortpoll"}
        assert all(cost > 0 for each in by_mode.values() for cost in each)


def test_a_record_under_other_conditions_is_refused(monkeypatch):
    """A record under other conditions is refused, with a sentence on what to do."""
    monkeypatch.chdir(FOLDER)
    monkeypatch.delenv("PUSHLAB_LIVE", raising=False)
    with pytest.raises(BadInput, match="PUSHLAB_LIVE=1"):
        measured("01-once", clients=6)
    with pytest.raises(BadInput, match="no record"):
        measured("99-nothing")


def test_a_record_carries_its_own_techniques(monkeypatch):
    """Without names the runs are those of the record, and no others; with names exactly those are wanted."""
    monkeypatch.chdir(FOLDER)
    monkeypatch.delenv("PUSHLAB_LIVE", raising=False)
    conditions = {"clients": 10, "rate": 1, "duration": 20}
    assert [run.mode for run in measured("02-rate-1", **conditions)] == ["shortpoll"]
    assert measured("02-rate-1", ["shortpoll"], **conditions)
    with pytest.raises(BadInput, match="PUSHLAB_LIVE=1"):
        measured("02-rate-1", ["shortpoll", "fetch"], **conditions)


def test_a_live_run_is_measured_and_can_be_recorded(tmp_path, monkeypatch):
    """With PUSHLAB_LIVE=record a run is made and written down; without it the record is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUSHLAB_LIVE", "record")
    conditions = {"clients": 2, "rate": 5, "duration": 1, "rounds": 1}
    live = measured("own", ["sse"], **conditions)
    monkeypatch.delenv("PUSHLAB_LIVE")
    assert measured("own", ["sse"], **conditions) == live


ALONE = """
import json, sys
from pathlib import Path

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ImportError(f"{name} is not installed")

MISSING = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Missing())
for path in map(Path, sys.argv[2:]):
    names = {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "zh"], ids=["en", "zh"])
def test_recorded_runs_need_numpy_and_matplotlib_alone(folder):
    """Every notebook that has records runs without Jupyter and without any other package of the lab."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {re.match(r"\w+", text.replace("-", "_")).group() for text in project["dependencies"]}
    missing = (needed | {"IPython", "ipykernel", "notebook"}) - {"matplotlib"}
    recorded = [path for path in folder.glob("*.ipynb") if "lab.notebooks" in path.read_text("utf-8")]
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
    environment.pop("PUSHLAB_LIVE", None)
    command = [sys.executable, "-c", ALONE, ",".join(missing), *map(str, recorded)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


FAKE = "import os, sys; print(sys.argv[1:], os.getcwd()); import lab; sys.exit(5)"


@pytest.mark.parametrize(("options", "folder"), [([], FOLDER), (["--language", "zh"], FOLDER / "zh")])
def test_the_command_opens_the_notebooks(tmp_path, options, folder):
    """Jupyter starts in their folder, in the Python of the lab, and its exit code is the command's."""
    (tmp_path / "notebook.py").write_text(FAKE, encoding="utf-8")
    command = [sys.executable, FOLDER.parent / "run_lab.py", "--notebooks", *options]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 5 and done.stdout.split() == [repr([str(folder)]), str(folder)]


def test_without_jupyter_one_line_says_how_to_install_it(monkeypatch, capsys):
    """Exit code 3, and the line of this Python."""
    monkeypatch.setattr("lab.jupyter.find_spec", lambda name: None)
    assert main(["--notebooks"]) == 3
    assert f"{sys.executable} -m pip install notebook" in capsys.readouterr().err


CHINESE = sorted((FOLDER / "zh").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.stem)
def test_the_chinese_edition_has_the_same_code_and_outputs(path):
    """Cell by cell; only the text between them is another."""
    english, chinese = (json.loads(one.read_text("utf-8"))["cells"] for one in (FOLDER / path.name, path))
    assert [cell["cell_type"] for cell in english] == [cell["cell_type"] for cell in chinese]
    for mine, theirs in zip(english, chinese, strict=True):
        if mine["cell_type"] == "code":
            assert theirs == mine
        else:
            assert re.search("[\u4e00-\u9fff]", "".join(theirs["source"]))
    text = "".join(line for cell in chinese for line in cell["source"])
    assert all(part in text for part in ("**问题。**", "**先预测。**", "**接着试。**"))


def test_every_notebook_has_a_chinese_edition():
    """Each leads to its own, and the README of the folder to all of them."""
    assert [path.name for path in CHINESE] == [path.name for path in NOTEBOOKS]
    assert [path.name for path in NOTEBOOKS if f"[中文版](zh/{path.name})" not in text_of(path)] == []
    assert "(zh/)" in (FOLDER / "README.md").read_text(encoding="utf-8")


GUESSES = [(100, "right"), (140, "right"), (160, "near"), (34, "near"), (33, "wrong"), (301, "wrong")]


@pytest.mark.parametrize(("guess", "found"), GUESSES)
def test_a_guess_is_right_near_or_wrong(guess, found):
    """By its factor to what was measured (100), in both directions."""
    assert verdict(guess, 100) == found


@pytest.fixture(scope="module")
def once():
    """Recorded runs."""
    return lab.load(FOLDER / "data" / "01-once.json")


def each(run):
    """Bytes for a delivered message."""
    return run.per_delivery(run.socket_bytes)


def test_guesses_are_drawn_and_scored(once):
    """A ring for the guess, a dot for what was measured, and how many are right; without Jupyter."""
    true = medians(once, each)
    figure = score({"sse": true["sse"], "longpoll": 10 * true["longpoll"], "jsonp": None}, once, each)
    (axes,) = figure.axes
    rings = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    assert [float(ring.get_xdata()[0]) for ring in rings] == [10 * true["longpoll"], true["sse"]]
    shown = texts(figure)
    assert "1 of 2 within a factor of 1.5" in shown and "✓" in shown and "(10.0x)" in shown and "?" in shown


def test_without_a_guess_nothing_is_given_away(once):
    """Neither the dots nor the range of the axis show the measurement before there is a guess."""
    figures = [score(dict.fromkeys(("sse", "longpoll")), those, each) for those in (once, once[::-1])]
    assert all("no guess yet" in texts(figure) for figure in figures)
    assert len({figure.axes[0].get_xlim() for figure in figures}) == 1
    assert not [line for line in figures[0].axes[0].get_lines() if line.get_marker() == "o"]


@pytest.mark.parametrize("wrong", [{"sse": 0}, {"sse": -1}, {"sse": "many"}, {"sse": True}, {"smoke": 3}])
def test_a_guess_that_makes_no_sense_is_refused(once, wrong):
    """In a sentence, as every other value."""
    with pytest.raises(BadParameter, match=r"number above 0|no measurement of"):
        score(wrong, once, each)


def test_a_table_is_text_and_markup():
    """Numbers have separated thousands, at most three digits and stand right; None is a dash."""
    shown = table("technique | bytes | late, ms", [("sse", 1234567, 0.5), ("a<b", None, 123.4)])
    assert str(shown).splitlines() == [
        "technique  bytes      late, ms",
        "sse        1,234,567      0.50",
        "a<b        –               123",
    ]
    markup = shown._repr_html_()
    assert "<b" not in markup.replace("<body", "").replace("<tbody", "") and "a&lt;b" in markup
    assert TECHNIQUES["sse"].light in markup
    with pytest.raises(BadParameter, match="heading 2"):
        table("a | b", [(1,)])


def test_a_heat_map_shows_each_number(once):
    """Each number stands in its cell, and the conditions at the sides."""
    shown = texts(heat_map({(1, 2): 0.25, (1, 3): 12.0, (4, 2): 7.0}, once, "Share", "publish", "pull"))
    assert all(text in shown for text in ("0.25", "12", "7", "Share", "publish", "pull"))
