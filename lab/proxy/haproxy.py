"""A private HAProxy; `python -m lab.proxy.haproxy PLAN` runs one, as `python -m lab.proxy.nginx` does."""

import json
import sys
from typing import ClassVar

from lab.json_types import JsonObject
from lab.proxy.haproxy_conf import configuration
from lab.proxy.lines import Line
from lab.proxy.private import OUTPUT, PrivateProxy, serve
from lab.proxy.programs import read


class HAProxy(PrivateProxy):
    """A running HAProxy."""

    name: ClassVar[str] = "haproxy"
    conf: ClassVar[str] = "haproxy.cfg"

    def configuration(self) -> list[Line]:
        """The lines of haproxy.cfg."""
        return configuration(self.switches, self.labs, self.port)

    def version_command(self) -> list[str]:
        """How to ask for the version."""
        return ["-v"]

    def version_in(self, text: str) -> str:
        """As `2.6.12`, without Debian's own number."""
        return text.split()[2].partition("-")[0]

    def check_command(self) -> list[str]:
        """How to let it read its configuration."""
        return ["-q", "-c", "-f", self.conf]

    def run_command(self) -> list[str]:
        """How to run it: one process in the foreground."""
        return ["-db", "-f", self.conf]

    def answers(self) -> list[JsonObject]:
        """The log: one object for each request that has ended."""
        lines = [line for line in self.log(OUTPUT) if line.startswith("{")]
        return [json.loads(line) for line in lines]


def main() -> int:
    """Run HAProxy until standard input ends, or a signal. Returns the exit code."""
    plan = json.loads(sys.argv[1])
    return serve(HAProxy, read(plan["proxy"]).switches, plan["labs"])


if __name__ == "__main__":
    sys.exit(main())
