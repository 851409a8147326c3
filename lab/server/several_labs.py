"""The open classroom with several labs behind one address: print it, and keep every lab until a signal."""

import argparse
import asyncio
import webbrowser
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import tornado

from lab import signals
from lab.child import RunFailed
from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.labs.several import HOST, Labs, Plan, several
from lab.proxy.switches import GOOD
from lab.server.classroom import MORE_PORTS, PORT, how_to_stop, tell_after, wants_browser
from lab.server.connections.addresses import EVERYWHERE, addresses_of, for_others, in_url, nearest
from lab.server.ending import Ending, on_signal, stop_on_signals
from lab.server.lesson.lan import adapters
from lab.server.lifecycle import PortBusy, bind
from lab.server.logs import keep_log, show
from lab.settings import AUTO, LIMITS
from lab.tls import server_context
from lab.version import __version__

AGAIN_S, LONGEST_AGAIN_S = 0.5, 10.0
"""Seconds before a lab that has ended is started again: longer each time when that fails."""


async def serve(options: argparse.Namespace, redis: str | None, end: asyncio.Event | None = None) -> int:
    """Open the labs and keep them open until a signal, or until `end` is set. Returns the exit code.

    Raises `CannotStart`; `RunFailed` when nginx has ended.
    """
    keep_log("debug" if options.verbose else options.logging)
    stop, failed = stop_on_signals(), asyncio.Event()
    with stop.before_the_program(), stop.cut_short():
        async with several(plan_of(options, redis)) as labs:
            for number in signals.ending():
                on_signal(number, lambda: labs.hurry() if stop.is_set() else stop.request())
            show(welcome(labs, options))
            if wants_browser(options):
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, first_page(labs))
            async with meanwhile(*works(labs, stop, failed), *([tell_after(end, stop)] if end else [])):
                await stop.wait()
    if failed.is_set():
        raise RunFailed("The nginx in front of the labs has ended, so the labs were closed.")
    show("\n  The labs are closed. / 实验室已关闭。")
    return 0


# Starting -------------------------------------------------------------------------------------


def plan_of(options: argparse.Namespace, redis: str | None) -> Plan:
    """What is started for these options. Raises `CannotStart`."""
    if options.certfile:
        server_context(options.certfile, options.keyfile)  # its errors are better than those of nginx
    host = options.host or HOST
    port, addresses = free_port(host, options.port), tuple(addresses_of(host))
    base = "/" if options.base == AUTO else options.base
    files = {"certfile": options.certfile, "keyfile": options.keyfile}
    limit = int(dict(options.limit).get("per_address", LIMITS["per_address"].default))
    site = {"addresses": tuple(map(in_url, addresses)), "per_address": limit, "base": base} | files
    scheme = "https" if options.certfile else "http"
    proxy = options.proxy or GOOD
    return Plan(options.labs, settings_of(options, redis, host), proxy, port, site, scheme, addresses)


def settings_of(options: argparse.Namespace, redis: str | None, host: str) -> JsonObject:
    """The settings of each lab. The limit per address is nginx's, because it is each lab's only client."""
    return {
        "redis": redis,
        "hold": options.hold,
        "compress": options.compress,
        "base": options.base,
        "allow_hosts": [*options.allow_host, host],
        "limits": dict(options.limit) | {"per_address": 0},
        "logging": "debug" if options.verbose else options.logging,
    }


def free_port(host: str, wanted: int | None) -> int:
    """The given port, or else the first free one. Raises `CannotStart` with a command that would work."""
    for port in [PORT + more for more in range(MORE_PORTS + 1)] if wanted is None else [wanted]:
        try:
            bound = bind(host, port)
        except PortBusy:
            if wanted is not None:
                raise
            show(f"  Port {port} is in use by another program; trying {port + 1}.")
            continue
        found: int = bound[0].getsockname()[1]
        for listening in bound:
            listening.close()
        return found
    raise CannotStart(
        f"The ports {PORT} to {PORT + MORE_PORTS} are all in use. Choose another port with --port."
    )


# Running --------------------------------------------------------------------------------------


@asynccontextmanager
async def meanwhile(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """During the block these run too."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def works(labs: Labs, stop: Ending, failed: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    """What is done while the labs serve: each is started again when it ends, and all end with nginx."""
    return [end_with_nginx(labs, stop, failed), *(keep(labs, n) for n in range(1, len(labs.labs) + 1))]


async def end_with_nginx(labs: Labs, stop: Ending, failed: asyncio.Event) -> None:
    """End the labs when nginx has ended, because nothing reaches them any more."""
    await labs.nginx.ended()
    failed.set()
    stop.request()


async def keep(labs: Labs, number: int) -> None:
    """Start this lab again, at the same port, whenever it has ended: by a fault, or to be replaced."""
    while True:
        why = await labs.labs[number - 1].process.ended()
        pause, again = AGAIN_S, False
        while not again:
            show(f"  {why} It is started again.")
            await asyncio.sleep(pause)
            try:
                await labs.restart(number)
                again = True
            except CannotStart as error:
                why, pause = str(error), min(LONGEST_AGAIN_S, 2 * pause)


# Saying ---------------------------------------------------------------------------------------


def welcome(labs: Labs, options: argparse.Namespace) -> str:
    """The text on the terminal: versions, addresses, the labs and their nginx, and how to stop."""
    url, conf = url_of(labs), labs.proxy["conf"]
    words = labs.redis.get("words", "one for each lab")
    lines = [
        f"  Push Lab {__version__} · Tornado {tornado.version} · Redis: {words}",
        *([f"  {labs.redis['note']}"] if labs.redis.get("note") else []),
        "",
        f"  Local    {url}",
        f"  Teacher  {url}teacher?token={labs.token}",
        f"  Network  {network(labs)}",
        f"  Labs     {len(labs.labs)} behind {labs.proxy['version']}: {'  '.join(labs.places)}",
        f"  nginx    {conf}{'' if options.verbose else '  (-v shows it / -v 显示内容)'}",
        *(["", Path(conf).read_text(encoding="utf-8")] if options.verbose else []),
        "",
        f"  {how_to_stop()}",
    ]
    return "\n".join(lines)


def url_of(labs: Labs, address: str | None = None) -> str:
    """The URL at one of the addresses of nginx; by itself the best one for this machine."""
    plan = labs.plan
    base = "/" if plan.settings["base"] == AUTO else plan.settings["base"]
    return f"{plan.scheme}://{in_url(address or nearest(plan.addresses))}:{plan.port}{base}"


def network(labs: Labs) -> str:
    """The addresses for other machines, or what gives one."""
    others = for_others(labs.plan.addresses)
    if EVERYWHERE in labs.plan.addresses:
        others = [adapter.address for adapter in adapters()]
    return "  ".join(url_of(labs, address) for address in others) or "off; --lan lets phones join / 用 --lan"


def first_page(labs: Labs) -> str:
    """The URL that the browser opens: the first page, by a link that sets the teacher's cookie."""
    return f"{url_of(labs)}teacher?to=/&token={labs.ticket}"
