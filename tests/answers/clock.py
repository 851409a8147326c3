"""A client that prints the time which a server sends, with the package `websocket-client`."""

import os
import sys
import time

import websocket

FIRST_S, LONGEST_S = 0.2, 3.0


def read(connection):
    """Print one line for each message; returns when the server closes. Raises when the connection breaks."""
    while True:
        opcode, data = connection.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return
        print(data.decode())


def main():
    """Connect, and connect again after growing pauses; returns the exit code."""
    pause = FIRST_S
    while True:
        try:
            connection = websocket.create_connection(os.environ["URL"], timeout=30)
            pause = FIRST_S
            read(connection)
            print("closed by the server")
            return 0
        except websocket.WebSocketBadStatusException as refused:
            print(f"refused with status {refused.status_code}")
            return 1
        except (OSError, websocket.WebSocketException):
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_S)


sys.exit(main())
