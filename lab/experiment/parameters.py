"""The conditions of a run as keyword parameters that editors complete and notebooks show, with units."""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Literal, TypedDict, TypeVar

from lab.experiment.conditions import Conditions

F = TypeVar("F", bound=Callable[..., object])


class ConditionValues(TypedDict, total=False):
    """The fields of `Conditions`, all of them optional; durations are in seconds."""

    clients: int
    rate: float
    duration: float
    interval: float
    hold: float
    payload: int
    arrivals: Literal["poisson", "periodic"]
    headers: Literal["browser", "bare"]
    keep_alive: bool
    compress: bool | Literal["fresh", "kept"]
    rounds: int
    seed: int
    rtt: float
    jitter: float
    bandwidth: float
    subprotocol: Literal["json", "binary"] | None
    proxy: str | None
    labs: int
    client_processes: int | None


MEANINGS = {
    "clients": "simulated clients that receive",
    "rate": "messages per second in the room",
    "duration": "seconds in which messages are sent",
    "interval": "seconds that a short poller waits after each response",
    "hold": "seconds that a long poll is held at most",
    "payload": "characters of the body of a message",
    "arrivals": '"poisson" (at random moments) or "periodic" (evenly spaced)',
    "headers": '"browser" (as a browser sends them) or "bare"',
    "keep_alive": "whether a client keeps its connection for the next request",
    "compress": 'whether WebSocket messages are compressed: "fresh" (or True) or "kept" (RFC 7692)',
    "rounds": "how often everything is measured",
    "seed": "whole number from which the moments of the messages are drawn",
    "rtt": "seconds of round trip that a slow link adds; 0: no slow link",
    "jitter": "seconds that each way may differ from half the round trip",
    "bandwidth": "bits per second of each client's link, each way; 0: no limit",
    "subprotocol": 'what the WebSocket speaks in its frames: "json" or "binary"; None: none is offered',
    "proxy": "the proxy before the lab, as timeout=3s,buffering=on (nginx) or haproxy,timeout=3s; None: none",
    "labs": "labs that share one Redis; more than one have an nginx before them",
    "client_processes": "processes of the simulated clients; None: by their number and that of the cores",
}


def with_conditions(*without: str) -> Callable[[F], F]:
    """Show the conditions in a function's signature and docstring, in place of `**conditions`."""
    known = [field for field in fields(Conditions) if field.name not in without]

    def described(function: F) -> F:
        signature = inspect.signature(function)
        named = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        signature = signature.replace(parameters=[*named, *map(_parameter, known)])
        lines = [f"    {field.name}: {MEANINGS[field.name]}" for field in known]
        text = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = "\n".join([text, "", "Conditions:", *lines, ""])
        function.__signature__ = signature  # type: ignore[attr-defined]  # any function may (PEP 362)
        return function

    return described


def _parameter(field: Field[object]) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=field.default, annotation=field.type)
