"""The room speaks: every start has the same routes, the others receive, the sender does not."""

from lab.exercises.handshakes import EXAMPLE_KEY, check_response, check_status, request
from lab.exercises.peer import frame, masked
from lab.exercises.steps import Trial, no_error

PATH = "/chat"
QUIET_S = 0.2


def listens(trial: Trial) -> None:
    """The program listens at `PORT`."""
    trial.connect().close()


def same_routes(trial: Trial) -> None:
    """Started several times, each time with another order of sets, it is always the same handler."""
    trial.stop()
    programs = [trial.start(PYTHONHASHSEED=str(seed)) for seed in range(trial.limits.starts)]
    for program in programs:
        peer = trial.connect(program)
        peer.send(request(PATH, EXAMPLE_KEY))
        head = peer.head()
        check_status(peer.sent, head, key="other_handler")
        check_response(peer.sent, head, EXAMPLE_KEY)
    trial.stop()


def others_receive(trial: Trial) -> None:
    """A sends, and B and C receive it within a second."""
    room = trial.saved["room"] = [trial.open(PATH) for _ in range(3)]
    text = trial.text(8)
    trial.within(trial.limits.receive_s)
    room[0].send(masked(text))
    for listener in room[1:]:
        listener.sent = room[0].sent
        listener.expect(frame(text))


def not_the_sender(trial: Trial) -> None:
    """A does not receive its own message."""
    trial.saved["room"][0].expect_nothing(QUIET_S, "own_message")


def after_leaving(trial: Trial) -> None:
    """C leaves, and B still receives what A sends."""
    sender, listener, leaver = trial.saved["room"]
    leaver.reset()
    text = trial.text(8)
    sender.send(masked(text))
    listener.sent = sender.sent
    listener.expect(frame(text))


STEPS = (listens, same_routes, others_receive, not_the_sender, after_leaving, no_error)
