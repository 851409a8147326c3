"""How fast the lab is, beside other servers on the same machine in the same minutes.

    python -m tests.benchmarks.speed                 every row, a quarter of an hour
    python -m tests.benchmarks.speed --quick         the same rows from fewer rounds
    python -m tests.benchmarks.speed --only servers  one group of rows
    python -m tests.benchmarks.speed --only servers --record    and write the record that notebook 04 shows
    python -m tests.benchmarks.speed --json FILE     the figures too
    python -m tests.benchmarks.profile websocket     why: where the server's time goes (needs py-spy)

Ctrl-C prints the rows that are complete. Each goal is met or not in one run; **no** stands where it is not.

The server has one core, the load the other, where there are two. All servers of a group stand ready at
once and are measured in turn, round by round, so that a busy machine is busy for all of them; what counts
is the median over the rounds, and ratios within one round. Processor time is that of the server's process,
so a load that is too slow would not flatter anybody; its own share is printed beside.
"""

import argparse
import gc
import json
import os
import sys
from contextlib import ExitStack

from tests.benchmarks import groups, servers
from tests.benchmarks.machine import LOADS, description, raise_limits
from tests.benchmarks.table import line, markdown

QUICK, FULL = 3, 9


def main():
    """Measure, print the table; the exit code says whether every goal was met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=list(groups.GROUPS), action="append")
    parser.add_argument("--record", action="store_true", help="write the servers' costs for notebook 04")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if options.record and "servers" not in (options.only or groups.GROUPS):
        parser.error("--record needs the group servers")
    files = raise_limits()
    os.sched_setaffinity(0, LOADS)
    gc.disable()
    rows, machine = [], f"{description()}; {files} files per process"
    try:
        for name in options.only or groups.GROUPS:
            rows += measure(name, QUICK if options.quick else FULL)
    except KeyboardInterrupt:
        machine += "; partial, stopped by Ctrl-C"
    print(markdown(rows, machine))
    if options.record:
        servers.write_down(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "rows": [row._asdict() for row in rows]}, file, indent=1)
    if "partial" in machine:
        return 130
    return 0 if all(row.met is not False for row in rows) else 1


def measure(name, rounds):
    """The rows of one group, with what stands around them on a terminal."""
    with ExitStack() as stack:
        print(f"{name} ", end="", file=sys.stderr, flush=True)
        found = groups.GROUPS[name](stack, rounds)
        print("\n".join(map(line, found)), file=sys.stderr, flush=True)
    gc.collect()
    return found


if __name__ == "__main__":
    sys.exit(main())
