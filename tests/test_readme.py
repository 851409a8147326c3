"""The README is true today: it names everything there is, and its commands are the ones that work."""

import re
from pathlib import Path

import pytest

from lab.catalogue import MODES, TECHNIQUES
from lab.options import make_parser
from lab.settings import LIMITS

ROOT = Path(__file__).resolve().parent.parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("[!.]*/**/README.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPTIONS = [option for action in make_parser()._actions for option in action.option_strings if option != "-h"]


@pytest.mark.parametrize("mode", MODES)
def test_every_technique_is_named_with_its_files(mode):
    """Each technique stands in the README with its title, verb and three files, and they exist."""
    row = next(line for line in README.splitlines() if line.startswith(f"| `{mode}` "))
    assert TECHNIQUES[mode].title in row and TECHNIQUES[mode].verb in row
    files = re.findall(r"\(([^)]+\.(?:py|js))\)", row)
    assert len(files) == 3 and all((ROOT / file).exists() for file in files)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_named(option):
    """What the command line understands stands in the README."""
    assert re.search(rf"`{option}\b", README), option


def test_every_named_option_exists():
    """The README names no option that the command line does not understand."""
    named = set(re.findall(r"`(--[a-z-]+)", README)) | set(re.findall(r" (--[a-z-]+)", README))
    assert named <= set(OPTIONS)


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_named_with_its_value(name):
    """Each limit stands in the README with the value that holds."""
    assert re.search(rf"\| `{name}` \| {LIMITS[name].default:g} \|", README)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(readme):
    """Every file that a README links to is there."""
    for target in re.findall(r"\]\((?!http)([^)#]+)", readme.read_text(encoding="utf-8")):
        assert (readme.parent / target).exists(), target


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_named_test_exists(readme):
    """Every file of tests that a README names, also in the middle of a command, is there."""
    named = re.findall(r"\btests/[\w/]+\.py\b", readme.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_is_short():
    """The README is read to its end; long tables are in the folders that they describe."""
    assert len(README.splitlines()) <= 180


def test_the_recorded_comparison_names_its_command():
    """It shows every technique, and the command that repeats it."""
    recorded = README.split("## What it shows")[1].split("## ")[0]
    assert "run_lab.py --mode all" in recorded
    assert [mode for mode in MODES if f"\n{mode} " not in recorded] == []
