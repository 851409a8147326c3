"""A Dask cluster of two workers on this machine, in processes of their own; ends with its standard input.

`python -m tests.support.dask_cluster` prints the address of its scheduler.
"""

import subprocess
import sys
import tempfile
from contextlib import contextmanager

from tests.support.lab_process import ROOT


@contextmanager
def cluster():
    """The address of the scheduler of such a cluster, and the id of the process that holds it."""
    command = [sys.executable, "-m", "tests.support.dask_cluster"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(command, **pipes, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.stdin.close()  # the block waits for its end


def serve():
    """Hold a cluster until the end of standard input."""
    from distributed import LocalCluster

    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=folder
        ) as started,
    ):
        print(started.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve()
