"""A client of the lab's room: it prints the id of each message, one on each line."""

import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ["URL"]


def ask(path):
    """The JSON that the lab answers."""
    with urllib.request.urlopen(URL + path, timeout=60) as answer:
        return json.load(answer)


def main():
    """Ask for what is new, again and again; after an error begin with the latest message."""
    cursor = "latest"
    while True:
        try:
            found = ask(f"/longpoll?after={cursor}")
        except (OSError, ValueError):
            time.sleep(0.2)
            cursor = "latest"
            continue
        for event in found["messages"]:
            if event["type"] == "message":
                print(event["id"])
        cursor = found["cursor"]


main()
