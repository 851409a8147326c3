"""The options of the command line: what each is called, what it accepts, and its line in the help."""

import argparse
import os
import sys
from collections.abc import Callable
from textwrap import fill
from typing import TypeVar

from lab.catalogue import MODES
from lab.errors import LabError
from lab.experiment.arguments import bits, number, output, page_file, per_second, plot_file, seconds
from lab.experiment.link_model import PRESETS
from lab.experiment.terminal import columns
from lab.languages import SHORTS
from lab.program import COMMAND, NAME
from lab.proxy.programs import read as read_proxy
from lab.settings import COMPRESS, FRESH, LIMITS, parse_base, parse_limit
from lab.version import __version__

T = TypeVar("T")
SUBJECT = "One chat room, every way to push, every byte counted. / 同一个聊天室，多种推送方式"
EXAMPLES = (
    (COMMAND, "open the classroom / 打开课堂"),
    (f"{COMMAND} --mode longpoll", "measure one technique / 测量一种方式"),
    (f"{COMMAND} --mode all -c 50", "compare all of them / 比较所有方式"),
    (f"{COMMAND} --mode all --network 3g --report 3g.html", ""),
    (f"{COMMAND} --mode sse --json", "the same as JSON / 输出 JSON"),
)
NARROWEST = 28
"""Narrowest width, in columns, to which the help is fitted."""
ONE_LINE = 78
"""Columns that an example and its description need on one line."""


def examples(width: int) -> str:
    """Commands with their descriptions: beside them, or below them on a narrow terminal."""
    fits = width >= ONE_LINE
    lines = ["examples / 示例:"]
    for command, does in EXAMPLES:
        lines += [f"  {command:<38} {does}".rstrip()] if fits else [f"  {command}", f"    {does}"]
    return "\n".join(line for line in lines if line.strip()) + "\n"


def old_file(text: str) -> str:
    """Check that this file exists, and return its name."""
    if not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return os.path.abspath(text)


def port(text: str) -> int:
    """Read a port number."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; write a number from 0 to 65535")
    return int(text)


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """The reader of an option, whose `LabError` argparse reports as it does its own errors."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except LabError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all options."""
    width = max(NARROWEST, columns(sys.stdout) - 2)
    parser = argparse.ArgumentParser(
        prog=NAME,
        description=SUBJECT
        if width >= ONE_LINE
        else "\n".join(fill(text, width) for text in SUBJECT.split(" / ")),
        epilog=examples(width),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=width),
    )
    parser.add_argument("--version", action="version", version=f"Push Lab {__version__}")
    _serve_options(parser.add_argument_group("serve / 开课"))
    _measure_options(parser.add_argument_group("measure / 测量"))
    _network_options(parser.add_argument_group("simulate a network / 模拟网络"))
    _output_options(parser.add_argument_group("output / 输出"))
    _learn_options(parser.add_argument_group("learn / 学习"))
    return parser


def _serve_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", help="address to listen on (127.0.0.1)")
    group.add_argument("--port", type=port, help="port (8000, or the next free one)")
    group.add_argument("--lan", action="store_true", help="let phones join / 让手机加入")
    group.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="serve this host name too"
    )
    group.add_argument(
        "--base",
        type=checked(parse_base),
        default="/",
        metavar="PATH",
        help="behind a proxy: its path, as /lab/, or auto",
    )
    names = ", ".join(LIMITS)
    group.add_argument(
        "--limit",
        action="append",
        default=[],
        type=checked(parse_limit),
        metavar="NAME=VALUE",
        help=f"0 = none; {names}",
    )
    group.add_argument(
        "--certfile", type=old_file, metavar="FILE", help="serve by https with this certificate"
    )
    group.add_argument("--keyfile", type=old_file, metavar="FILE", help="its key, if it is in another file")
    group.add_argument("--no-browser", action="store_true", help="do not open the browser / 不打开浏览器")
    group.add_argument(
        "--no-demo",
        action="store_true",
        help="no simulated clients in the first minute / 开始时不运行模拟客户端",
    )
    group.add_argument("--redis", metavar="URL|private", help="a Redis to use, or a private one")
    group.add_argument(
        "--logging", default="warning", choices=["debug", "info", "warning", "error"], help="(warning)"
    )


def _measure_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mode", choices=[*MODES, "all"], help="what to measure; without it, open the classroom"
    )
    group.add_argument("-c", "--clients", type=number, default=20, help="simulated listeners (20)")
    group.add_argument(
        "--client-processes", type=number, metavar="N", help="of the simulated listeners (by their number)"
    )
    group.add_argument(
        "-r", "--rate", type=per_second, default=1.0, help="messages per second in the room (1)"
    )
    group.add_argument("-d", "--duration", type=seconds, default=10.0, help="(10s)")
    group.add_argument("--interval", type=seconds, default=1.0, help="between short polls (1s)")
    group.add_argument("--hold", type=seconds, default=25.0, help="how long a poll is held (25s)")
    group.add_argument("--arrivals", choices=["poisson", "periodic"], default="poisson", help="(poisson)")
    group.add_argument("--payload", type=number, default=40, help="characters per message (40)")
    group.add_argument("--headers", choices=["browser", "bare"], default="browser", help="(browser)")
    group.add_argument("--no-keep-alive", action="store_true", help="a new connection for every request")
    group.add_argument(
        "--compress",
        nargs="?",
        const=FRESH,
        default=False,
        choices=COMPRESS,
        help="WebSocket per-message deflate, each message alone (fresh) or with the window kept",
    )
    group.add_argument("--subprotocol", choices=["json", "binary"], help="JSON or binary in WebSocket frames")
    group.add_argument("--rounds", type=number, default=1, help="repeat, in rotated order (1)")
    group.add_argument("--seed", type=number, help="of the timetable (1), of an exercise (random)")
    group.add_argument("--url", help="measure a running lab (by https: with its --certfile)")


def _network_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--network", choices=list(PRESETS), help="a link by its name")
    group.add_argument("--rtt", type=seconds, help="round trip that the link adds (0ms) / 往返时延")
    group.add_argument("--bandwidth", type=bits, help="of each listener, each way, as 1Mbit (0: no limit)")
    group.add_argument(
        "--proxy",
        type=checked(lambda text: str(read_proxy(text))),
        metavar="SPEC",
        help="through nginx: timeout=3s,…; haproxy,… or caddy,… / 经过代理",
    )
    group.add_argument(
        "--labs",
        type=number,
        default=1,
        metavar="N",
        help="labs on one Redis behind an nginx (1) / 多个实验室",
    )
    group.add_argument(
        "--engine", metavar="ADDRESS", help="listeners on a Dask cluster, as tcp://10.0.0.5:8786 / 多台机器"
    )


def _output_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", nargs="?", const="-", type=output, metavar="FILE", help="the runs as JSON")
    group.add_argument("--csv", type=output, metavar="FILE", help="one line per run (-: standard output)")
    group.add_argument("--plot", type=plot_file, metavar="FILE", help="the comparison as PNG, SVG or PDF")
    group.add_argument(
        "--report", type=page_file, metavar="FILE", help="one HTML page with conditions, table and figures"
    )
    group.add_argument("--wire", action="store_true", help="the bytes of one message / 一条消息的字节")
    group.add_argument("--quiet", action="store_true", help="no progress, no table")
    group.add_argument("-v", "--verbose", action="store_true", help="one log line per request")
    group.add_argument("--no-color", action="store_true", help="plain text; NO_COLOR does the same")


def _learn_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--lesson", type=old_file, metavar="FILE", help="a guided lesson of your own, JSON or TOML / 自定课堂"
    )
    group.add_argument(
        "--exercise",
        nargs="?",
        const="",
        metavar="WORD|all",
        help="do an exercise; alone: list them",
    )
    group.add_argument("--watch", action="store_true", help="check at each save / 保存时检查")
    group.add_argument("--hint", action="store_true", help="the next of three hints / 下一个提示")
    group.add_argument("--folder", metavar="F", help="where the programs are (my)")
    group.add_argument(
        "--report-to", metavar="URL", help="report each check to the teacher's lab / 报告给教师"
    )
    group.add_argument("--name", metavar="N", help="under this name / 报告用的姓名")
    group.add_argument("--exercise-path", metavar="DIR", help="exercises of your own: tasks/, checks/, texts")
    group.add_argument("--notebooks", action="store_true", help="open them in Jupyter / 打开笔记本")
    group.add_argument("--language", choices=SHORTS, help="of the texts (the system's) / 语言")
