"""An open classroom with two labs: what it printed, its port, and the ports of its labs."""

import re
import urllib.request

from tests.support.wire import HOST


class Opened:
    """An open classroom with two labs: what it printed, its port, and the ports of its labs."""

    def __init__(self, serving):
        self.process = serving.process
        self.said = serving.read_until("Ctrl-C")
        self.port = int(re.search(r"Local +http://127.0.0.1:(\d+)/", self.said)[1])
        self.labs = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", self.line("Labs"))]
        self.token = re.search(r"token=(\S+)", self.said)[1]

    def line(self, name):
        """A line of the printed text."""
        return re.search(rf"^  {name} .*$", self.said, re.MULTILINE)[0]

    def get(self, path, port=None, **headers):
        """GET; returns the answer, without its body."""
        url = f"http://{HOST}:{port or self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer
