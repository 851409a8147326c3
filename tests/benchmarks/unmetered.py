"""The lab with counting switched off: `python -m tests.benchmarks.unmetered SETTINGS`, for comparison only.

It cannot be switched off in the lab. Here subclasses take the place of what counts, so that the difference
to the lab as it is says what the meters cost.
"""

import math
import sys

from tornado.iostream import IOStream

from lab.meters import Durations
from lab.server import __main__
from lab.server.connections import metered_server, metered_stream
from lab.server.connections.request_stream import HEAD
from lab.techniques.endpoint import Endpoint


class Uncounted(metered_stream.MeteredStream):
    """A stream that counts no bytes and credits no technique."""

    write_to_fd = IOStream.write_to_fd
    write = IOStream.write

    def send(self, data):
        sent = 0
        if not self.writing() and not self.closed():
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                pass
            except OSError as error:
                self.close(exc_info=error)
        if sent == len(data):
            return True
        if not self.closed():
            IOStream.write(self, memoryview(data)[sent:])
        return False

    def read_from_fd(self, buf):
        if self.poll is not None and self.leaves_unread():
            return None
        count = IOStream.read_from_fd(self, buf)
        return None if count and self.stage == HEAD and self._is_poll(buf, count) else count

    def begin(self):
        self.await_head(math.inf)

    def head_ends(self):
        pass

    def claim(self, meter):
        pass

    def credit(self, consumed, unclaimed=None):
        pass

    def reassign(self, bytes_in, bytes_out, meter):
        pass


def uncounted(self, batch, taken, timed):
    pass


metered_server.MeteredStream = Uncounted
Endpoint.count = uncounted
Durations.add = lambda self, samples: None


if __name__ == "__main__":
    sys.exit(__main__.main())
