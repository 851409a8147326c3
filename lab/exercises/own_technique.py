"""A copy of the lab with one more technique, from the single file of the exercise `eighth`."""

import os
import runpy
import shutil
import sys
from pathlib import Path

from lab.folders import INSTALLED, LAB, PAGES

MODE = "multipart"
SIDES = (f"lab/techniques/{MODE}.py", f"lab/clients/{MODE}.py")
END_OF_LIST = "    )\n}\n"
"""How the list in `lab/catalogue.py` ends."""
MEASURE = ("--mode", MODE, "-c", "2", "-r", "5", "-d", "1s", "--redis", "private", "--json")
MOST_LINES = 150
SERVE = ("--no-browser", "--redis", "private", "--port")


def run(program: str, row: str, page: str) -> None:
    """Copy the lab, add the technique, and run the copy: it serves at `PORT`, or measures with `MEASURE`.

    The copy is in the folder `LAB_COPY`, else in `.lab` next to the program.
    """
    if (lines := len(Path(program).read_text(encoding="utf-8").splitlines())) > MOST_LINES:
        sys.exit(f"ValueError: the program has {lines} lines; a technique needs at most {MOST_LINES}.")
    folder = Path(os.environ.get("LAB_COPY") or Path(program).resolve().parent / ".lab")
    add(Path(program), row, page, folder)
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]  # from now on the copy is the lab
    arguments = MEASURE if "MEASURE" in os.environ else (*SERVE, os.environ.get("PORT", "8000"))
    sys.argv[1:] = arguments
    runpy.run_module("lab.cli", run_name="__main__", alter_sys=True)


def add(program: Path, row: str, page: str, folder: Path) -> None:
    """Make the copy: the program is both Python files of the technique, the row its line in the list."""
    shutil.rmtree(folder, ignore_errors=True)
    half_written = shutil.ignore_patterns("*.pyc.*")  # by another process, just now
    shutil.copytree(LAB, folder / "lab", ignore=half_written)  # byte code too: a check writes none
    pages = folder / INSTALLED.relative_to(LAB.parent) / "pages" if INSTALLED.is_dir() else folder / "pages"
    shutil.copytree(PAGES, pages, dirs_exist_ok=True)
    for side in SIDES:
        shutil.copy(program, folder / side)
    (pages / "static" / "techniques" / f"{MODE}.js").write_text(page, encoding="utf-8")
    catalogue = folder / "lab" / "catalogue.py"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace(END_OF_LIST, f"        {row},\n{END_OF_LIST}", 1), encoding="utf-8")
