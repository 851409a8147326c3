"""What must hold after a fault, beyond the checker's invariants. Each says what is wrong, or nothing."""

from lab.catalogue import TECHNIQUES
from tests.faults.scene import Scene


def same_history(scene: Scene) -> str | None:
    """No listener was reset: the history is the one that it was."""
    return "a listener was reset" if scene.of("reset") else None


def one_reset(scene: Scene) -> str | None:
    """Each listener received one reset: the history is another one."""
    wrong = [name for name in scene.per_listener("open") if scene.per_listener("reset")[name] != 1]
    return f"{len(wrong)} listeners were not reset exactly once" if wrong else None


def no_gap(scene: Scene) -> str | None:
    """No listener missed anything."""
    return "a listener received a gap" if scene.of("gap") else None


def heals(seconds: float):
    """Every listener received something new so soon after the end of the fault."""

    def must(scene: Scene) -> str | None:
        took = scene.heal_s()
        in_time = took is not None and took <= seconds * scene.scale.patience
        return None if in_time else f"healed after {took} s, not {seconds:g}"

    return must


def all_notified(scene: Scene) -> str | None:
    """Every listener received a bye if a request was open, or if it connected within the second left."""
    sure = ("stream",) if scene.short else ("stream", "wait")
    notified = {record.client for record in scene.of("bye")}
    silent = {
        listener.name for listener in scene.listeners if TECHNIQUES[listener.mode].verb in sure
    } - notified
    return f"{len(silent)} listeners received no bye" if silent else None


def refused_for_sure(scene: Scene) -> str | None:
    """Some sends were refused, and none was left in doubt, but for want of time."""
    refused, doubtful = len(scene.of("fail")), len(scene.of("unknown"))
    good = refused and (scene.short or not doubtful)
    return None if good else f"{doubtful} sends in doubt, {refused} refused"
