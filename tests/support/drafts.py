"""A message as a client sends it, and what a cursor says."""

from uuid import uuid4


def draft(body: str = "hello", username: str = "ann", mid: str | None = None) -> dict:
    """A message as a client hands it in."""
    return {"mid": mid or str(uuid4()), "username": username, "body": body}


def number(cursor: str) -> int:
    """The `n` of `<epoch>-<n>`."""
    return int(cursor.split("-")[1])


def epoch(cursor: str) -> int:
    """The epoch of `<epoch>-<n>`."""
    return int(cursor.split("-")[0])
