"""What polling techniques share: the answer `{"messages":[…],"cursor":"…"}`, and a wait for news."""

import asyncio

from lab.room.messages import Batch
from lab.techniques.endpoint import Endpoint


def frame(batch: Batch) -> bytes:
    """One answer: the events in order, and the cursor to ask with next time."""
    events = b",".join(event.json for event in batch.events)
    return b'{"messages":[' + events + b'],"cursor":"' + str(batch.cursor).encode() + b'"}'


async def head(request: Endpoint) -> None:
    """Answer a HEAD: what GET would refuse is refused, and nothing waits. Raises as `wait` does.

    No length is told, because it depends on what comes (RFC 9110 section 9.3.2).
    """
    _ = request.after, request.hold
    await request.flush()


async def wait(request: Endpoint) -> Batch:
    """The events after this request's cursor: at the first news, or none when the future times out.

    Raises `BadCursor` and `BadParameter` before anything waits.
    """
    after, hold = request.after, request.hold
    request.waiter = future = request.room.wait(after)
    request.forget_headers()
    try:
        return await asyncio.wait_for(future, hold)
    except TimeoutError:
        return request.room.ask(after)
