"""The answer that every poll gives: `{"messages":[…],"cursor":"…"}`, however it was waited for."""

from lab.room.messages import Batch


def frame(batch: Batch) -> bytes:
    """One answer: the events in order, and the cursor to ask with next time."""
    events = b",".join(event.json for event in batch.events)
    return b'{"messages":[' + events + b'],"cursor":"' + str(batch.cursor).encode() + b'"}'
