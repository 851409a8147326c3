"""The notebooks again: executed from start to end and written back, without times or names of one machine.

python -m tests.benchmarks.notebooks               all, from the recorded runs
python -m tests.benchmarks.notebooks --record      all, measured and written down first: two quiet hours
python -m tests.benchmarks.notebooks --record 03   those whose names begin so

A run is recorded in five rounds. The Chinese edition has the same code, so it gets the same outputs.
"""

import argparse
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
CHINESE = FOLDER / "zh"
PATIENCE_S = 3600


def execute(path):
    """One notebook with its outputs; what the environment says decides whether it measures."""
    notebook = nbformat.read(path, 4)
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        notebook, timeout=PATIENCE_S, record_timing=False, coalesce_streams=True, resources=place
    ).execute()
    return notebook


def main():
    """Execute, and write back what comes of the recorded runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("names", nargs="*", default=[""])
    options = parser.parse_args()
    for path in sorted(path for name in options.names for path in FOLDER.glob(f"{name}*.ipynb")):
        print(path.name, flush=True)
        if options.record:
            os.environ["PUSHLAB_LIVE"] = "record"
            execute(path)
        os.environ.pop("PUSHLAB_LIVE", None)
        metadata = nbformat.read(path, 4).metadata
        notebook = execute(path)
        notebook.metadata = metadata
        nbformat.write(notebook, path)
        translate(notebook, CHINESE / path.name)


def translate(notebook, path):
    """Give the Chinese edition the outputs of the same code. Raises `ValueError` where its code differs."""
    if not path.exists():
        return
    other = nbformat.read(path, 4)
    pairs = list(zip(notebook.cells, other.cells, strict=True))
    for mine, theirs in pairs:
        if mine.cell_type == "code":
            if mine.source != theirs.source:
                raise ValueError(f"{path} has other code than the English edition: {theirs.source[:60]!r}")
            theirs.outputs, theirs.execution_count = mine.outputs, mine.execution_count
    nbformat.write(other, path)


if __name__ == "__main__":
    main()
