"""The server: sockets that count, doors that refuse, pages; one process serves all techniques."""
