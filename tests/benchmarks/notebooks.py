"""The notebooks again: executed from start to end and written back, without times or names of one machine.

python -m tests.benchmarks.notebooks               all, from the recorded runs
python -m tests.benchmarks.notebooks --record      all, measured and written down first: 15 quiet minutes
python -m tests.benchmarks.notebooks --record 03   those whose names begin so
"""

import argparse
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
PATIENCE_S = 1200


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


if __name__ == "__main__":
    main()
