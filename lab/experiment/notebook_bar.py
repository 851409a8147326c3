"""The progress of a measurement, as a bar in a notebook's output."""

import sys
from importlib import import_module
from typing import Any


class Bar:
    """A progress bar in a notebook's output; nothing anywhere else. `moved` may be called by any thread."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._now = (0.0, "")

    def moved(self, share: float, text: str) -> None:
        """Store the progress."""
        self._now = (share, text)

    def show(self) -> None:
        """Show the progress; called by the thread that the notebook waits for."""
        share, text = self._now
        self._put(f'<progress max="1" value="{share:.3f}"></progress> {text}')

    def clear(self) -> None:
        """Remove the bar from the output."""
        if self._shown is not None:
            self._put("")

    def _put(self, markup: str) -> None:
        if not in_notebook():
            return
        screen = import_module("IPython.display")  # installed wherever a notebook runs
        if self._shown is None:
            self._shown = screen.display(screen.HTML(markup), display_id=True)
        else:
            self._shown.update(screen.HTML(markup))


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    interactive = sys.modules.get("IPython")
    return interactive is not None and hasattr(interactive.get_ipython(), "kernel")
