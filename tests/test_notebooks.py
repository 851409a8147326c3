"""The notebooks: executed from start to end without a server, small, clean, and as they were committed."""

import json
import os
import re
from pathlib import Path

import pytest

import lab
from lab.errors import BadInput
from lab.notebooks import measured

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HTTP2 = FOLDER / "data" / "07-http2.json"
RECORDS = sorted(set((FOLDER / "data").glob("*.json")) - {HTTP2})
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
    conditions = {"clients": 2, "rate": 5, "duration": 1}
    live = measured("own", ["sse"], **conditions)
    monkeypatch.delenv("PUSHLAB_LIVE")
    assert measured("own", ["sse"], **conditions) == live
