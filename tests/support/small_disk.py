"""A disk of a few megabytes, in memory. Linux lets only root have one."""

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

BLOCK = bytes(4096)


class SmallDisk:
    """A disk to be filled up; only this process and those that it starts can reach it, and it ends with them.

    Raises `CalledProcessError` where the system does not allow it.
    """

    def __init__(self, size: int) -> None:
        with tempfile.TemporaryDirectory(prefix="pushlab-disk-") as place:
            options = ["-t", "tmpfs", "-o", f"size={size}"]
            subprocess.run(["mount", *options, "pushlab", place], check=True, capture_output=True)
            self._held = os.open(place, os.O_RDONLY)
            # Detached at once: however this process ends, nothing stays mounted.
            subprocess.run(["umount", "--lazy", place], check=True, capture_output=True)
        self.folder = Path(f"/proc/self/fd/{self._held}")
        self._ballast = self.folder / "ballast"

    def fill(self) -> None:
        """Leave no block free."""
        with suppress(OSError), open(self._ballast, "wb", buffering=0) as ballast:
            while True:
                ballast.write(BLOCK)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._held)
