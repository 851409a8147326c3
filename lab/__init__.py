"""Push Lab: one chat room, every way to push, every byte counted.

    import lab
    lab.predict("longpoll", rate=4, rtt=0.1)
    run = lab.measure("longpoll", clients=20, rate=1, duration=10)
    runs = lab.compare(["shortpoll", "websocket"], rounds=3)
    lab.save(runs, "runs.json")
    lab.figures.overhead(runs)
    lab.capacity(runs, listeners=1_000_000).needs["websocket"]
    lab.anatomy.show("818537fa213d7f9f4d5158")
    lab.exercises.check("handshake", my_answer)

Importing this loads neither the server nor matplotlib; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

from lab.version import __version__

if TYPE_CHECKING:
    from lab import anatomy, exercises, figures
    from lab.experiment.capacity import capacity
    from lab.experiment.session import compare, measure, predict
    from lab.results.runs import Run, load, save

__all__ = [
    "Run",
    "__version__",
    "anatomy",
    "capacity",
    "compare",
    "exercises",
    "figures",
    "load",
    "measure",
    "predict",
    "save",
]
_HOME = {
    "capacity": "experiment.capacity",
    **dict.fromkeys(("measure", "compare", "predict"), "experiment.session"),
    **dict.fromkeys(("Run", "load", "save"), "results.runs"),
}


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives."""
    from importlib import import_module

    if name in ("anatomy", "exercises", "figures"):
        return import_module(f"lab.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    return getattr(import_module(f"lab.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names, for `lab.<Tab>`, whether they have been loaded or not."""
    return __all__
