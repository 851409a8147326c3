"""TLS: the certificate of a lab, tested before it serves, and the context of a client that trusts it."""

import os
import ssl
from contextlib import suppress
from functools import cache

from lab.errors import CannotStart


def check_key_log() -> None:
    """Check that the file of `SSLKEYLOGFILE`, where TLS libraries write keys for Wireshark, is writable.

    Python's own default for TLS opens it wherever it is made, which libraries do when they are imported.
    Raises `CannotStart`.
    """
    path = os.environ.get("SSLKEYLOGFILE")
    try:
        if path:
            open(path, "ab").close()
    except (OSError, ValueError) as error:
        reason = _reason(error)
        raise CannotStart(f"SSLKEYLOGFILE cannot be written: {reason}. Correct it or unset it.") from error


def server_context(certfile: str, keyfile: str | None) -> ssl.SSLContext:
    """The server's TLS context: this certificate and its key, which may be in the same file.

    Raises `CannotStart` for files that are not there, do not belong together or are out of date.
    """
    try:
        for path in filter(None, (certfile, keyfile)):
            open(path, "rb").close()  # OpenSSL itself does not report which file is missing
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile, keyfile, password=_no_password)
        _rehearse(context, trusting(certfile))
    except (OSError, ValueError) as error:
        raise CannotStart(f"The certificate in {certfile} cannot be used: {_reason(error)}.") from error
    return context


@cache
def trusting(certfile: str) -> ssl.SSLContext:
    """A client's side of TLS that trusts the certificates in this file, under any name, and no others.

    What `curl --cacert` does, without the name: a classroom's certificate is seldom made for its address.
    Raises `CannotStart` when there is none in it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file need not hold the root
    try:
        context.load_verify_locations(certfile)
    except OSError as error:
        raise CannotStart(f"There is no certificate in {certfile}: {_reason(error)}.") from error
    return context


def _rehearse(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Test a handshake in memory. Raises `ssl.SSLError` when clients could not connect."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = client.wrap_bio(to_client, to_server)
    here = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (there, here):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    there.do_handshake()


def _no_password() -> str:
    raise ValueError("its key is locked with a password")


def _reason(error: Exception) -> str:
    """The library's reason in a few words: "certificate has expired", "key values mismatch" …"""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it holds no certificate with its key").replace("_", " ").lower()
    if isinstance(error, OSError):
        return f"{error.filename or 'the file'}: {error.strerror}"
    return str(error)
