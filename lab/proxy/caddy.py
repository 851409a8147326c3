"""A private Caddy; `python -m lab.proxy.caddy PLAN` runs one, as `python -m lab.proxy.nginx` does."""

import json
import sys
from typing import ClassVar

from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.proxy.caddy_conf import ACCESS_LOG, ADMIN, configuration
from lab.proxy.lines import Line
from lab.proxy.private import PrivateProxy, serve
from lab.proxy.programs import read


class Caddy(PrivateProxy):
    """A running Caddy."""

    name: ClassVar[str] = "caddy"
    conf: ClassVar[str] = "Caddyfile"

    def configuration(self) -> list[Line]:
        """The lines of the Caddyfile."""
        return configuration(self.switches, self.labs, self.port, str(self.folder))

    def version_command(self) -> list[str]:
        """How to ask for the version."""
        return ["version"]

    def version_in(self, text: str) -> str:
        """As `2.6.2`."""
        return text.split()[0].lstrip("v")

    def check_command(self) -> list[str]:
        """How to let it read its configuration."""
        return ["validate", "--config", self.conf, "--adapter", "caddyfile"]

    def run_command(self) -> list[str]:
        """How to run it in the foreground."""
        return ["run", "--config", self.conf, "--adapter", "caddyfile"]

    def answers(self) -> list[JsonObject]:
        """The access log: one object for each request that has ended."""
        return [
            {
                "at": line["ts"],
                "method": line["request"]["method"],
                "target": line["request"]["uri"],
                "status": line["status"],
                "seconds": line["duration"],
                "bytes": line["size"],
            }
            for line in map(json.loads, self.log(ACCESS_LOG))
        ]

    def reload(self) -> None:
        """Let it read its configuration again, as after a change. Raises `CannotStart`."""
        where = ["--address", f"unix/{self.folder}/{ADMIN}", "--force"]
        done = self._run("reload", "--config", self.conf, "--adapter", "caddyfile", *where)
        if done.returncode:
            raise CannotStart(
                f"Caddy cannot reload its configuration: {done.stderr.strip().splitlines()[-1]}"
            )


def main() -> int:
    """Run Caddy until standard input ends, or a signal. Returns the exit code."""
    plan = json.loads(sys.argv[1])
    return serve(Caddy, read(plan["proxy"]).switches, plan["labs"])


if __name__ == "__main__":
    sys.exit(main())
