"""The style sheets: sizes and spaces come from the scales of lab.css, and colours from its palette."""

import re

import pytest

from tests.support.lab_process import ROOT

STATIC = ROOT / "pages" / "static"
SHEETS = sorted(STATIC.rglob("*.css"))
SCALED = re.compile(r"(?<![-\w])(font-size|(?:row-|column-)?gap|(?:padding|margin)(?:-\w+)*)\s*:\s*([^;}]+)")
LENGTH = re.compile(r"(?<![\w.-])\d*\.?\d+(?:px|rem)\b")
OF_DRAWINGS = {"17px"}
"""Sizes in the units of a drawing, which is scaled as a whole."""


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.stem)
def test_sizes_and_spaces_are_those_of_the_scales(path):
    """No text and no space has a size of its own; a touch target's correction by 12 px is the exception."""
    found = [value for _, value in SCALED.findall(path.read_text(encoding="utf-8"))]
    own = {length for value in found for length in LENGTH.findall(re.sub(r"calc\([^;]*", "", value))}
    assert own - OF_DRAWINGS - {"12px"} <= set()


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.stem)
def test_every_property_that_is_used_is_defined(path):
    """A misspelt name would give the browser's default without a word."""
    everywhere = "\n".join(sheet.read_text(encoding="utf-8") for sheet in SHEETS)
    defined = set(re.findall(r"(--[\w-]+):", everywhere)) | {"--technique"}
    assert set(re.findall(r"var\((--[\w-]+)", path.read_text(encoding="utf-8"))) <= defined


def test_no_other_text_is_smaller_than_the_scale():
    """The smallest text is 14 px, and 16 px on a projector."""
    text = (STATIC / "lab.css").read_text(encoding="utf-8")
    assert re.findall(r"--text-s: ([\d.]+)rem", text) == ["0.875", "0.8"]
    assert "--base: max(20px," in text
