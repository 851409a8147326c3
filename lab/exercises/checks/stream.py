"""Server-sent events (HTML standard, section 9.2.6): the program reports each event as a line of JSON."""

import json
import socket
import time
from itertools import zip_longest

from lab.exercises.mismatch import Mismatch
from lab.exercises.steps import Trial

APART_S = 0.02  # between two bytes, so that they arrive apart
TWO = ("message", "2", "")


def interpreted(trial: Trial, stream: str, *events: tuple[str, str, str], apart: bool = False) -> None:
    """The program reports these events of a stream that ends, and no other. Raises `Mismatch`."""
    peer, data = trial.connect(), stream.encode()
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in [data[place : place + 1] for place in range(len(data))] if apart else [data]:
        peer.send(piece)
        time.sleep(APART_S * apart)
    peer.finish()
    reported = peer.rest().decode("utf-8", "replace").splitlines()
    right = [json.dumps(event, ensure_ascii=False) for event in events]
    for line, wanted in zip_longest(reported, right, fillvalue=""):
        if line != wanted:
            raise Mismatch("other_event", sent=repr(stream), expected=wanted or "-", received=line)


def example(trial: Trial) -> None:
    """Two events, one with a type."""
    one = trial.text(5)
    interpreted(trial, f"event: tick\ndata: {one}\n\ndata: 2\n\n", ("tick", one, ""), TWO)


def cut(trial: Trial) -> None:
    """The bytes arrive one by one: characters of three bytes, and CR LF, are cut too."""
    one = f"你好 {trial.text(3)}"
    interpreted(trial, f"data: {one}\r\n\r\ndata: 2\r\n\r\n", ("message", one, ""), TWO, apart=True)


def line_ends(trial: Trial) -> None:
    """A line ends with LF, CR LF or CR."""
    one = trial.text(5)
    for end in ("\n", "\r\n", "\r"):
        interpreted(trial, f"event: e{end}data: {one}{end}{end}data: 2{end}{end}", ("e", one, ""), TWO)


def fields(trial: Trial) -> None:
    """No space after the colon; one more space; no colon; a comment; a field that is unknown."""
    one = trial.text(5)
    interpreted(trial, f"data:{one}\n\n", ("message", one, ""))
    interpreted(trial, f": a comment\ndata:  {one}\nother: 1\nretry: 10\n\n", ("message", f" {one}", ""))
    interpreted(trial, "data\n\nevent: none\n\n: only a comment\n\n", ("message", "", ""))


def several_data(trial: Trial) -> None:
    """Several lines of data are one event with line ends between them."""
    one = trial.text(5)
    interpreted(trial, f"data: {one}\ndata:\ndata: b\n\n", ("message", f"{one}\n\nb", ""))


def ids(trial: Trial) -> None:
    """An id stays until the next one; one with NUL is ignored; an empty one takes it away."""
    one = trial.text(5)
    stream = f"id: {one}\ndata: 1\n\ndata: 2\n\nid: a\0b\ndata: 3\n\nid\ndata: 4\n\n"
    interpreted(trial, stream, *(("message", str(n), one if n < 4 else "") for n in range(1, 5)))


def bom(trial: Trial) -> None:
    """A byte order mark at the beginning is no part of the first line."""
    interpreted(trial, f"\ufeffdata: {(one := trial.text(5))}\n\n", ("message", one, ""))


def unfinished(trial: Trial) -> None:
    """An event without its empty line is not delivered."""
    interpreted(trial, f"data: {(one := trial.text(5))}\n\ndata: 2\n", ("message", one, ""))


STEPS = (example, cut, line_ends, fields, several_data, ids, bom, unfinished)
