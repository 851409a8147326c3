"""Draw a lesson: `python -m lab.figures svg|png` reads the teacher's exported JSON and writes a picture.

It is a separate process, because the server loads no matplotlib and must not wait for a drawing.
"""

import json
import sys

from lab.errors import BadInput
from lab.figures.comparison import save
from lab.figures.lesson import lesson

KINDS = ("svg", "png")


def main() -> int:
    """Read, draw, write. Returns the exit code: 0, or 1 with a sentence on standard error."""
    kind = sys.argv[1] if len(sys.argv) == 2 else ""
    try:
        if kind not in KINDS:
            raise BadInput(f"Name the kind of picture: {' or '.join(KINDS)}.")
        save(lesson(json.load(sys.stdin.buffer)), sys.stdout.buffer, format=kind)
    except (BadInput, ValueError) as error:
        print(f"lab.figures: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
