"""Why Redis cannot be used and how to correct it: one sentence for each kind of error.

Knows the errors by their names and their first words, and shows none of their text: a text may repeat
an address, a user or a password.
"""

import re
import ssl

SENTENCES = {
    "unreachable": "Redis does not answer. Start it, or correct its address.",
    "silent": "Redis does not answer in time.",
    "closed": "Redis closed the connection. It may have too many clients, or be another service.",
    "not_redis": "The service at this address is not Redis.",
    "tls": "TLS with Redis fails. Check its certificate, and whether this port uses TLS (rediss://).",
    "password": "Redis requires a password, or refuses this one. Write redis://USER:PASSWORD@HOST:PORT.",
    "permission": "This Redis user may not do all that the lab needs. Allow it ~pushlab:* +@all -@dangerous.",
    "protected": "Redis is in protected mode and refuses other computers. Give it a password first.",
    "database": "Redis has no database with this number. Use 0.",
    "cluster": "Redis runs in cluster mode, which the lab cannot use. Use a Redis without cluster mode.",
    "sentinel": "This is a Redis Sentinel, which stores no data. Use the address of the Redis it monitors.",
    "replica": "This Redis is a read-only replica. Use the address of its primary.",
    "full": "The memory of Redis is full. Raise its maxmemory, or delete keys.",
    "disk": "Redis cannot save to its disk and refuses to store. Read its log.",
    "replicas": "Redis has too few replicas now and refuses to store.",
    "clients": "Redis has no connection left for the lab. Raise its maxclients.",
    "loading": "Redis is still loading its data. Try again in a moment.",
    "busy": "Redis is busy with a script of another program.",
    "old": "This Redis lacks a command that the lab needs. Use 5.0 or later, with streams and scripts.",
    "key": "The room's key in Redis holds data that is not the lab's. Rename or delete that key.",
    "crowded": "Another program writes to the room's key in Redis all the time. Let it use another key.",
    "refused": "Redis refuses a command of the lab. Read its log.",
}
"""The same sentences stand in the pages' texts, in both languages."""

NAMES = {
    "BusyLoadingError": "loading",
    "AuthenticationError": "password",
    "AuthenticationWrongNumberOfArgsError": "password",
    "NoPermissionError": "permission",
    "AuthorizationError": "permission",
    "ReadOnlyError": "replica",
    "OutOfMemoryError": "full",
    "ClusterCrossSlotError": "cluster",
    "ClusterDownError": "cluster",
    "MovedError": "cluster",
    "AskError": "cluster",
    "TryAgainError": "cluster",
    "MasterDownError": "replica",
    "MaxConnectionsError": "clients",
    "InvalidResponse": "not_redis",
}
WORDS = {
    r"WRONGPASS|NOAUTH|invalid password|AUTH <password>": "password",
    r"NOPERM|has no permissions|executing the script can't": "permission",
    r"DENIED|protected mode": "protected",
    r"CROSSSLOT|CLUSTERDOWN|MOVED|cluster mode": "cluster",
    r"READONLY|MASTERDOWN|UNBLOCKED": "replica",
    r"OOM|maxmemory": "full",
    r"MISCONF": "disk",
    r"NOREPLICAS": "replicas",
    r"max number of clients": "clients",
    r"LOADING": "loading",
    r"BUSY": "busy",
    r"WRONGTYPE": "key",
    r"DB index|SELECT": "database",
    r"[Uu]nknown (Redis )?command|unknown subcommand|non deterministic": "old",
    r"Protocol Error": "not_redis",
    r"Connection closed": "closed",
    r"SSL|[Cc]ertificate": "tls",
}
"""Patterns in the error texts of Redis: at the beginning, or within the text for scripts of older servers."""


def code_of(error: BaseException) -> str:
    """The key in `SENTENCES` for an error of the Redis client."""
    for cause in _causes(error):
        if (reason := getattr(cause, "reason", None)) in SENTENCES:
            return str(reason)
        if isinstance(cause, (ssl.SSLError, ConnectionResetError, BrokenPipeError)):
            return "tls" if isinstance(cause, ssl.SSLError) else "closed"
        for kind in type(cause).__mro__:
            if kind.__name__ in NAMES:
                return NAMES[kind.__name__]
        for words, code in WORDS.items():
            if re.search(words, str(cause)):
                return code
    return _by_kind(error)


def _by_kind(error: BaseException) -> str:
    if any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in _causes(error)):
        return "silent"
    return "unreachable" if isinstance(error, OSError) or "Connection" in type(error).__name__ else "refused"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and its causes."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 5:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return chain
