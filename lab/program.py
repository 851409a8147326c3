"""How the user has started the lab: by the file of a checkout, or by the installed command."""

import sys
from pathlib import Path

INSTALLED = Path("".join(sys.argv[:1])).stem == "pushlab"  # a program that embeds Python may have no argv
NAME = "pushlab" if INSTALLED else "run_lab.py"
COMMAND = NAME if INSTALLED else f"python {NAME}"
"""What the user types to start it again."""
