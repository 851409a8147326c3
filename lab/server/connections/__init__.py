"""Connections: sockets, TLS, and requests as they arrive; this package knows no handler."""
