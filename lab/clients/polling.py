"""Parse the response of a poll: `{"messages":[…],"cursor":"…"}`."""

import json

from lab.clients.link import Unframed, shared


@shared
def unframe(data: bytes) -> Unframed:
    """One response: the events in order, and the cursor for the next request."""
    answer = json.loads(data)
    return Unframed(answer["messages"], answer["cursor"])
