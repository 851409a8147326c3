"""Where the lab's own files are: next to its code in a checkout, inside it when a wheel was installed."""

from pathlib import Path

LAB = Path(__file__).resolve().parent
INSTALLED = LAB / "_files"
"""Where pyproject.toml puts `pages/` and `notebooks/` in the wheel."""
ROOT = INSTALLED if INSTALLED.is_dir() else LAB.parent
PAGES = ROOT / "pages"
NOTEBOOKS = ROOT / "notebooks"
