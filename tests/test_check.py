"""The checker of records: one faulty trace for each anomaly, and any spoiled trace at all."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.child import RunFailed
from lab.experiment import check
from lab.experiment.check import Checker
from lab.experiment.records import Record, received
from lab.experiment.verdict import verdict

EPOCH = 1700000000000


def ack(n, mid=None, epoch=EPOCH):
    """A sender got the answer that its message has this id."""
    return Record(0.0, "sender", "sse", "ack", epoch, n, mid or f"mid {epoch} {n}", f"text {epoch} {n}")


def recv(n, client="ann", epoch=EPOCH, mid=None, text=None):
    """A client received a message."""
    return ack(n, mid, epoch)._replace(client=client, kind="recv", hash=text or f"text {epoch} {n}")


def place(kind, n=0, client="ann", epoch=EPOCH):
    """A client received an event about its place."""
    return Record(0.0, client, "sse", kind, epoch, n)


def refused(mid):
    """A sender got the answer that its message is not stored."""
    return Record(0.0, "sender", "sse", "fail", mid=mid)


ACKS = [ack(n) for n in range(1, 6)]
WHOLE = [place("open"), *(recv(n) for n in range(1, 6))]
BOB = [place("open", client="bob"), *(recv(n, "bob") for n in range(1, 6))]
LATER = [place("reset", 0, epoch=EPOCH + 9), recv(1, epoch=EPOCH + 9)]
FAULTY = {
    "lost-write": [*ACKS, *WHOLE[:3], *WHOLE[4:]],
    "unseen": [*ACKS, *BOB, *WHOLE[:-1]],
    "poll-skip": [*ACKS, *BOB, *WHOLE[:3], *WHOLE[4:]],
    "nonmonotonic-poll": [*ACKS, *WHOLE[:3], WHOLE[4], WHOLE[3], WHOLE[5]],
    "duplicate": [*ACKS, *WHOLE, WHOLE[5]],
    "inconsistent-offset": [*ACKS, *WHOLE[:-1], recv(5, text="another text")],
    "aborted-read": [*ACKS[:-1], refused(ACKS[-1].mid), *WHOLE],
    "unannounced-reset": [*ACKS, *WHOLE, LATER[1]],
}


def names(records):
    """The anomalies found in a trace."""
    return {violation.name for violation in Checker(records).violations()}


@pytest.mark.parametrize("name", FAULTY)
def test_each_anomaly_is_found(name):
    """A trace with one anomaly is flagged with its name."""
    assert name in names(FAULTY[name])


def test_each_anomaly_has_its_trace():
    """No name of the checker goes without a faulty trace."""
    known = {value for name, value in vars(check).items() if name.isupper() and isinstance(value, str)}
    assert known == set(FAULTY)


@pytest.mark.parametrize(
    "trace",
    [
        [*ACKS, *WHOLE, *BOB],
        [*ACKS, place("open", 3), recv(4), recv(5)],
        [*ACKS, place("open"), place("gap", 3), recv(4), recv(5)],
        [*ACKS, *WHOLE[:3], *LATER],
        [*ACKS, *WHOLE[:3], place("close")],
        [*ACKS[:-1], Record(0.0, "sender", "sse", "unknown", mid=ACKS[-1].mid), *WHOLE],
        [refused("never received"), *ACKS, *WHOLE],
    ],
    ids=["whole", "came later", "gap announced", "reset announced", "left", "unknown", "refused"],
)
def test_what_is_announced_is_no_anomaly(trace):
    """Gaps, resets, leaving, and sends that were refused or of unknown outcome are as they should be."""
    assert names(trace) == set()


@pytest.mark.parametrize(
    ("trace", "name"),
    [
        ([place("open"), place("gap", 3), recv(5)], "poll-skip"),
        ([place("open"), place("gap", 3), recv(3)], "nonmonotonic-poll"),
        ([*WHOLE, place("reset", 0)], "nonmonotonic-poll"),
        ([recv(1), recv(2, mid=recv(1).mid)], "duplicate"),
        ([ack(1), recv(1, "ann", mid="another")], "inconsistent-offset"),
        ([*WHOLE, *BOB[:-1], recv(5, "bob", text="another")], "inconsistent-offset"),
    ],
    ids=[
        "gap too small",
        "gap too large",
        "reset to the same",
        "stored twice",
        "another mid",
        "disagreement",
    ],
)
def test_the_finer_faults_are_found_too(trace, name):
    """Wrong counts, needless resets, a second copy under another number, and two tales of one message."""
    assert name in names(trace)


# Any trace ------------------------------------------------------------------------------------


@dataclass
class Story:
    """One history delivered to some clients without a fault."""

    records: list[Record] = field(default_factory=list)

    def deliver(self, client, start, missed, epochs):
        """One client starts somewhere, misses some with a gap, receives the rest, epoch after epoch."""
        for turn, length in enumerate(epochs):
            epoch, first = EPOCH + turn, min(start, length) if turn == 0 else 0
            self.records.append(place("reset" if turn else "open", first, client, epoch))
            if missed and first + missed < length and turn == 0:
                self.records.append(place("gap", missed, client, epoch))
                first += missed
            self.records += [recv(n, client, epoch) for n in range(first + 1, length + 1)]


@st.composite
def stories(draw):
    """A faultless trace: one to three histories, one to four clients, everything acknowledged."""
    epochs, story = draw(st.lists(st.integers(2, 12), min_size=1, max_size=3)), Story()
    story.records += [ack(n, epoch=EPOCH + t) for t, many in enumerate(epochs) for n in range(1, many + 1)]
    for number in range(draw(st.integers(1, 4))):
        story.deliver(f"client {number}", draw(st.integers(0, 3)), draw(st.integers(0, 5)), epochs)
    return story.records


SPOIL = {
    "left out": lambda record: [],
    "twice": lambda record: [record, record],
    "other text": lambda record: [record._replace(hash="other")],
    "other number": lambda record: [record._replace(n=record.n + 1)],
    "other history": lambda record: [record._replace(epoch=record.epoch + 50)],
    "refused": lambda record: [record, refused(record.mid)],
}


@given(stories())
def test_a_faultless_trace_is_never_flagged(records):
    """Whatever the clients met, if all was announced there is no violation."""
    assert names(records) == set()


@given(stories(), st.data(), st.sampled_from(sorted(SPOIL)))
def test_one_spoiled_reception_is_always_flagged(records, data, how):
    """Any message left out, doubled, changed, moved or refused is found, wherever it stands.

    But for the last one before a reset: a history that is lost takes along what its readers had not received.
    """
    last = [place for place, record in enumerate(records[1:]) if record.kind == "reset"]
    spots = [place for place, record in enumerate(records) if record.kind == "recv"]
    spots = [place for place in spots if how != "left out" or place not in last]
    if spots:
        spot = data.draw(st.sampled_from(spots))
        assert names([*records[:spot], *SPOIL[how](records[spot]), *records[spot + 1 :]])


# The figures of a run -------------------------------------------------------------------------


def spoiled(change):
    """What one of two listeners received, spoiled in one way."""
    record = list(WHOLE)
    change(record)
    return record


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda record: None, (0, 0, 0)),
        (lambda record: record.pop(2), (1, 0, 0)),
        (lambda record: record.__delitem__(slice(1, None)), (5, 0, 0)),
        (lambda record: record.append(record[-1]), (0, 1, 0)),
        (lambda record: record.insert(2, record.pop(4)), (0, 0, 2)),
    ],
    ids=["whole", "one lost", "all lost", "one twice", "one too early"],
)
def test_the_figures_tell_lost_doubled_and_disordered_apart(change, expected):
    """Lost, doubled and out of order are counted, and a whole record has none of them."""
    found = verdict([*ACKS, *BOB, *spoiled(change)])
    assert (found.lost, found.duplicated, found.out_of_order) == expected
    assert found.expected == 10 and found.delivered == 10 - found.lost


@pytest.mark.parametrize("name", ["inconsistent-offset", "aborted-read", "unannounced-reset"])
def test_a_run_of_contradictions_has_no_figures(name):
    """What cannot be counted as lost, doubled or out of order fails the run."""
    with pytest.raises(RunFailed, match=name):
        verdict(FAULTY[name])


def test_an_event_is_recorded_with_its_content():
    """The record of a message names its place, its mid and its content; that of a gap how many."""
    message = {"type": "message", "id": "7-3", "mid": "m", "username": "ann", "body": "hi", "time": 1.0}
    record = received(1.5, "bob", "sse", message)
    assert record[:7] == (1.5, "bob", "sse", "recv", 7, 3, "m")
    assert record.hash != received(1.5, "bob", "sse", message | {"body": "ho"}).hash
    assert received(0.0, "bob", "sse", {"type": "gap", "missed": 37}).n == 37
    assert received(0.0, "bob", "sse", {"type": "reset", "id": "8-0"}).at == (8, 0)
