"""What polling techniques share: the response `{"messages":[…],"cursor":"…"}`, and the wait for events."""

import asyncio

from lab.room.messages import Batch, Cursor
from lab.room.room import Room
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
    timer = asyncio.get_running_loop().call_later(hold, _time_out, future, request.room, after)
    try:
        return await future
    finally:
        timer.cancel()


def _time_out(future: "asyncio.Future[Batch]", room: Room, after: Cursor | None) -> None:
    """The hold is over: what there is after the cursor, usually nothing."""
    if not future.done():
        future.set_result(room.ask(after))
