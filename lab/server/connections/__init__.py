"""Bytes: sockets, TLS, and requests as they arrive on a connection; no handler is known here."""
