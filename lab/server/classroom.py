"""The open classroom: print its addresses and serve until a signal."""

import argparse
import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import tornado

from lab.errors import CannotStart
from lab.server.confirm_exit import ConfirmExit
from lab.server.connections.addresses import EVERYWHERE, LOOPBACK
from lab.server.ending import Ending, on_signal, stop_on_signals
from lab.server.lifecycle import PortBusy, Running, running
from lab.server.logs import keep_log, show
from lab.settings import Settings
from lab.signals import can_be_set
from lab.version import __version__

PORT = 8000
MORE_PORTS = 10
"""How many ports after the default one are tried when it is busy and no port was given."""
ZONE = "%25"


async def serve(options: argparse.Namespace, redis: str | None, end: asyncio.Event | None = None) -> int:
    """Open the classroom and keep it open until a signal, or until `end` is set. Returns the exit code."""
    keep_log("debug" if options.verbose else options.logging)
    stop = stop_on_signals()
    with stop.before_the_program(), stop.cut_short():
        async with on_a_port(options, redis) as lab:
            on_signal(signal.SIGINT, ctrl_c(lab, stop))
            if not options.no_demo and not lab.lesson.guided.step:
                await lab.lesson.demonstration.start()
            show(welcome(lab))
            if wants_browser(options) and ZONE not in lab.url:
                # A daemon of the browser may outlive this call; it must not keep the lab from closing.
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, first_page(lab))
            following = end and asyncio.create_task(tell_after(end, stop))
            await stop.wait()
            if following:
                following.cancel()
    show("\n  The lab is closed. / 实验室已关闭。")
    return 0


async def tell_after(end: asyncio.Event, stop: Ending) -> None:
    """End the lab once another event is set."""
    await end.wait()
    stop.request()


def ctrl_c(lab: Running, stop: Ending) -> Callable[[], None]:
    """What Ctrl-C does: end the lab, after a question at a terminal; pressed again, end it at once."""
    ask = ConfirmExit(lab.context, stop.request)
    return lambda: stop.request() if stop.is_set() else ask()


@asynccontextmanager
async def on_a_port(options: argparse.Namespace, redis: str | None) -> AsyncIterator[Running]:
    """Open the lab on the given port, or else on the first free one.

    Raises `CannotStart` when the given port is busy, with a command that would work.
    """
    wanted = options.port
    for port in [PORT + more for more in range(MORE_PORTS + 1)] if wanted is None else [wanted]:
        try:
            async with running(settings_of(options, redis, port)) as lab:
                yield lab
                return
        except PortBusy:
            if wanted is not None:
                raise
            show(f"  Port {port} is in use by another program; trying {port + 1}.")
    raise CannotStart(
        f"The ports {PORT} to {PORT + MORE_PORTS} are all in use. Choose another port with --port."
    )


def settings_of(options: argparse.Namespace, redis: str | None, port: int) -> Settings:
    """The settings for these options."""
    return Settings(
        host=options.host or LOOPBACK,
        port=port,
        redis=redis,
        hold=options.hold,
        compress=options.compress,
        base=options.base,
        allow_hosts=tuple(options.allow_host),
        certfile=options.certfile,
        keyfile=options.keyfile,
        lesson=options.lesson,
        limits=dict(options.limit),
    )


def welcome(lab: Running) -> str:
    """The text on the terminal: versions, addresses, and how to stop."""
    lines = [
        f"  Push Lab {__version__} · Tornado {tornado.version} · Redis: {lab.context.backend}",
        *([f"  {lab.note}"] if lab.note else []),
        "",
        f"  Local    {lab.url}",
        f"  Teacher  {lab.url}teacher?token={lab.key.token}",
        f"  Network  {network(lab)}",
        *demonstration(lab),
        *resumed(lab),
        "",
        f"  {how_to_stop()}",
    ]
    return "\n".join(lines)


def demonstration(lab: Running) -> list[str]:
    """Where simulated clients are seen, and what ends them; no line without them."""
    if not lab.lesson.demonstration.context:
        return []
    return [
        f"  Compare  {lab.url}compare",
        "           simulated until the class receives / 学生接收前由模拟客户端演示",
    ]


def resumed(lab: Running) -> list[str]:
    """Where the guided lesson goes on, when an earlier lab was in the middle of it."""
    place = lab.lesson.guided.as_json()
    step = place["number"]
    return [f"  Lesson   goes on at step {step} of {place['of']} / 课程从第 {step} 步继续"] if step else []


def how_to_stop() -> str:
    """How to stop the lab: at a terminal, in a notebook, or in another program."""
    if "ipykernel" in sys.modules:
        return "Interrupt the kernel (■) to stop / 中断内核（■）即停止"
    if can_be_set():
        return "Ctrl-C to stop / 按 Ctrl-C 停止"
    return "It stops with this program / 程序结束时停止"


def network(lab: Running) -> str:
    """The addresses for other machines, or the reason why there are none."""
    if ZONE in lab.host:
        return "curl can use this address, no browser can: it has a zone / 此地址含区域标识，浏览器无法打开"
    if urls := lab.lesson.network.urls():
        return "  ".join(urls)
    if EVERYWHERE in lab.addresses:
        return "on, but this machine is in no network now / 已开启，但本机未连接网络"
    return "off; the first page lets phones join / 在首页让手机加入"


def first_page(lab: Running) -> str:
    """The URL that the browser opens: the first page, or the moving picture, by a link that sets the
    teacher's cookie."""
    to = "compare" if lab.lesson.demonstration.context else "/"
    return f"{lab.url}teacher?to={to}&token={lab.key.ticket()}"


def wants_browser(options: argparse.Namespace) -> bool:
    """Whether to open a browser: not when it is switched off or there is no screen."""
    if options.no_browser or "CI" in os.environ or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
