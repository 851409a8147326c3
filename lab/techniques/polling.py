"""What polling techniques share: the response `{"messages":[…],"cursor":"…"}`, and the wait for events."""

import asyncio

from lab.room.messages import Batch
from lab.techniques.endpoint import Endpoint


def frame(batch: Batch) -> bytes:
    """One response: the events in order, and the cursor for the next request."""
    events = b",".join(event.json for event in batch.events)
    return b'{"messages":[' + events + b'],"cursor":"' + str(batch.cursor).encode() + b'"}'


async def head(request: Endpoint) -> None:
    """Respond to a HEAD request: it is refused where GET would be, and never waits. Raises as `wait` does.

    No Content-Length is sent, because it depends on later messages (RFC 9110 section 9.3.2).
    """
    _ = request.after, request.hold
    await request.flush()


async def wait(request: Endpoint) -> Batch:
    """The events after this request's cursor: at the first event, or none when the future times out.

    Raises `BadCursor` and `BadParameter` before anything waits.
    """
    after, hold = request.after, request.hold
    request.waiter = future = request.room.wait(after)
    request.forget_headers()
    try:
        async with asyncio.timeout(hold):
            return await future
    except TimeoutError:
        return request.room.ask(after)
