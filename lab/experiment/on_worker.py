"""What a worker of a Dask cluster does: it starts the listeners as a process of their own, and waits.

Dask's own loop and threads stay idle meanwhile, so they take no time from the listeners. The process is
connected to the measuring process directly, and ends when that connection does, or when this worker does.
"""

import json
import subprocess

from lab.json_types import JsonObject
from lab.subprocesses import command, environment


def listen_here(order: JsonObject) -> str:
    """Run listeners until the measuring process ends them; returns their last complaint, or nothing.

    `order` has `host`, `port` and `token` of the connection on which they report. It goes through a pipe,
    because other users of this machine can read a command line.
    """
    with subprocess.Popen(
        command("lab.experiment.remote_fleet"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=environment(),
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()  # it stays open: its end is the end of this worker
        complaints = process.stderr.read().decode(errors="replace").strip().splitlines()
    return complaints[-1] if complaints else ""
