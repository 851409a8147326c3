"""The server: metered sockets, limits, pages and reports; one process serves all techniques."""
