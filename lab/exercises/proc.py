"""What Linux knows about a process in /proc: its CPU, its ports, what it has started. Elsewhere: nothing."""

import os
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp (net/tcp_states.h)."""


def _read(pid: int | str, name: str) -> bytes:
    """A file of a process; nothing when the process has ended or is another user's."""
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def cpu_s(pid: int) -> float:
    """Seconds of CPU that the process has used; 0 where that is not known (proc(5), fields 14 and 15)."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if len(fields) > 12 else 0.0


def memory_bytes(pid: int) -> int:
    """The resident memory of the process; 0 where that is not known (proc(5), statm: its second field)."""
    fields = _read(pid, "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def runs(pid: int) -> bool:
    """Whether the process uses a CPU, or waits for one or for a disk; False where that is not known."""
    return _read(pid, "stat").rpartition(b")")[2].split()[:1] in ([b"R"], [b"D"])


def ports(pid: int) -> set[int]:
    """The TCP ports at which the process listens."""
    inodes = set()
    try:
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            inodes.add(os.readlink(descriptor))
    except OSError:  # it has ended, or closes files just now
        pass
    found = set()
    for table in ("net/tcp", "net/tcp6"):
        for row in _read(pid, table).decode("ascii", "replace").splitlines()[1:]:
            columns = row.split()
            if columns[3] == LISTEN and f"socket:[{columns[9]}]" in inodes:
                found.add(int(columns[1].rpartition(":")[2], 16))
    return found


def carrying(mark: str) -> list[int]:
    """The processes with this text in their environment: it is inherited, so all that the program started."""
    if not PROC.is_dir():
        return []
    return [
        int(pid) for pid in filter(str.isdigit, os.listdir(PROC)) if mark.encode() in _read(pid, "environ")
    ]
