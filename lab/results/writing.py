"""Write a file completely or not at all: the old file stays until the new one is complete.

The text goes to a new file in the same folder, which then takes the old one's name. A disk that is full
in the middle of it leaves the old file as it was.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError


class CannotWrite(LabError):
    """A file that could not be written, and why."""

    code = "cannot_write"

    def __init__(self, path: str | Path, reason: object) -> None:
        super().__init__(f"{os.fspath(path)!r} could not be written: {reason}.")


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file so that it holds all of this, or what it held before. Raises `CannotWrite`.

    A device or a pipe is written directly. So is a file in a folder where no new file can be made.
    """
    try:
        place = _behind_links(path)
        if _takes_a_name(place):
            _replace(place, content)
        else:
            _write(place, content, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        raise CannotWrite(path, _reason(error)) from error


def check(path: str | Path) -> str | None:
    """Why a file cannot be written, without changing it; None when no reason is known.

    A new file in the folder is made and removed, because permissions alone do not show it (root, a read-only
    disk, /proc).
    """
    if not os.fspath(path):
        return "the name is empty"
    try:
        return _refusal(_behind_links(path))
    except (OSError, ValueError) as error:
        return _reason(error)


def _behind_links(path: str | Path) -> str:
    """The target of a symbolic link, so that the link stays; any other name unchanged."""
    return os.path.realpath(path) if os.path.islink(path) else os.fspath(path)


def _refusal(place: str) -> str | None:
    """The reason, if any. Raises the system's error."""
    folder = os.path.dirname(place) or os.curdir
    if os.path.isdir(place):
        return "it is a folder"
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    if os.path.exists(place):
        return None if os.access(place, os.W_OK) else "it is write-protected"
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(place)
    return None


def _takes_a_name(place: str) -> bool:
    """Whether a new file can get this name: no file has it, or a plain file, in a writable folder."""
    plain = not os.path.exists(place) or stat.S_ISREG(os.stat(place).st_mode)
    return plain and os.access(os.path.dirname(place) or os.curdir, os.W_OK)


def _replace(place: str, content: bytes) -> None:
    draft = os.path.join(os.path.dirname(place), f".pushlab-{secrets.token_hex(8)}")
    try:
        _write(draft, content, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with suppress(OSError):  # the new file has the permissions of the old one, if there was one
            os.chmod(draft, stat.S_IMODE(os.stat(place).st_mode))
        os.replace(draft, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def _write(place: str, content: bytes, how: int) -> None:
    binary = getattr(os, "O_BINARY", 0)  # Windows
    with open(os.open(place, how | binary, 0o666), "wb") as file:
        file.write(content)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()
