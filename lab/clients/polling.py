"""Reading the answer that every poll gets: `{"messages":[…],"cursor":"…"}`."""

import json

from lab.clients.link import Unframed


def unframe(data: bytes) -> Unframed:
    """One answer: the events in order, and the cursor to ask with next time."""
    answer = json.loads(data)
    return Unframed(answer["messages"], answer["cursor"])
