"""The command line: serve the classroom, or measure and print.

Parses the arguments, starts the server or a measurement, and turns errors into sentences and exit codes.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from lab.catalogue import MODES
from lab.errors import CannotStart, LabError
from lab.experiment.link_model import PRESETS, Network
from lab.experiment.terminal import complain, emptied, open_standard_streams
from lab.json_types import JsonObject
from lab.jupyter import open_notebooks
from lab.options import make_parser
from lab.settings import MOST_LABS
from lab.signals import like_ctrl_c, restored
from lab.tls import check_key_log

if TYPE_CHECKING:  # loaded late, because serving needs none of it
    from lab.experiment.conditions import Conditions
    from lab.experiment.measure import Target

DONE, FAILED, USAGE, NO_START, STOPPED = 0, 1, 2, 3, 130
EVERYWHERE = "0.0.0.0"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lab with these arguments. Returns the exit code; never raises."""
    stdout_open = open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a "?" replaces a character that the terminal cannot print
            stream.reconfigure(errors="replace")
    return _all_written(_run(argv, stdout_open))


def _run(argv: Sequence[str] | None, stdout_open: bool) -> int:
    parser = make_parser()
    try:
        options = parser.parse_args(argv)
        if options.keyfile and not options.certfile:
            parser.error("--keyfile is the key of a --certfile; give both")
        if options.lan and options.host:
            parser.error("--lan listens on every address of this machine; give --lan or --host, not both")
        options.host = EVERYWHERE if options.lan else options.host
        if not 1 <= options.labs <= MOST_LABS:
            parser.error(f"--labs must be a number from 1 to {MOST_LABS}")
        if options.exercise is not None and options.mode:
            parser.error("--exercise and --mode cannot be used together; give one of them")
        if options.lesson and (options.mode or options.exercise is not None or options.labs > 1):
            parser.error("--lesson is for one open classroom, without --mode, --exercise and --labs")
        if options.engine is not None and not options.mode:
            parser.error("--engine needs a measured run; add --mode WORD")
        if (options.watch or options.hint) and options.exercise in (None, "", "all"):
            parser.error("--watch and --hint need the name of one exercise: --exercise echo --watch")
        _check_reports(parser, options)
        check_key_log()
        if options.notebooks:
            return open_notebooks(options.language)
        if options.exercise is not None:
            return _exercise(options)
        return _measure(options, stdout_open) if options.mode else _serve(options)
    except SystemExit as end:  # argparse has printed the reason
        return int(end.code or DONE)
    except CannotStart as error:
        return _say(error, NO_START)
    except LabError as error:
        return _say(error, USAGE if error.code == "bad_parameter" else FAILED)
    except BrokenPipeError:  # the program that reads our output has closed it
        emptied(sys.stdout)
        return DONE
    except OSError as error:  # a full disk, no file left, …
        return _say(f"The operating system reports an error: {error}.", FAILED)
    except KeyboardInterrupt:
        return STOPPED


def _check_reports(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with exit code 2 where --report-to and --name do not stand together, with one exercise."""
    if options.name is not None and options.report_to is None:
        parser.error("--name is the name in reports; add the address to which they go: --report-to URL")
    if options.report_to is not None and not (options.name or "").strip():
        parser.error("--report-to needs the name that the teacher sees; add --name NAME")
    if options.report_to is not None and (options.exercise in (None, "", "all") or options.json):
        parser.error(
            "--report-to needs the name of one exercise, without --json: --exercise echo --report-to URL"
        )


def _all_written(code: int) -> int:
    """Flush standard output; returns the exit code, or FAILED when it could not be written."""
    lost = emptied(sys.stdout)
    if lost is not None and not isinstance(lost, BrokenPipeError):
        code = _say(f"Standard output could not be written: {lost.strerror}.", code or FAILED)
    emptied(sys.stderr)
    return code


def _say(error: object, code: int) -> int:
    complain(error)
    return code


def _serve(options: argparse.Namespace) -> int:
    if options.labs > 1:
        from lab.server.several_labs import serve
    else:
        from lab.server.classroom import serve  # server and experiment are loaded only when needed

    if not _loop_runs():
        with restored():
            return asyncio.run(serve(options, redis_of(options)))
    from lab.experiment.thread import InThread  # as a measured run in a notebook, with its own loop

    with like_ctrl_c():
        return InThread(lambda end: serve(options, redis_of(options), end)).result()


def _exercise(options: argparse.Namespace) -> int:
    from lab.exercises.command import run

    with like_ctrl_c():
        return run(options)


def _loop_runs() -> bool:
    """Whether an event loop runs in this thread already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _measure(options: argparse.Namespace, stdout_open: bool) -> int:
    from lab.experiment.output import check_outputs, progress, put_out
    from lab.experiment.session import run_rounds

    modes = list(MODES) if options.mode == "all" else [options.mode]
    conditions = conditions_of(options)
    check_outputs(options, stdout_open)
    with like_ctrl_c(), progress(options) as moved:
        runs = run_rounds(modes, conditions, target_of(options), moved, wire=options.wire)
    written = put_out(runs, options)
    if any(run.partial and not run.ended for run in runs):
        return STOPPED
    return DONE if written and all(run.whole for run in runs) else FAILED


def conditions_of(options: argparse.Namespace) -> "Conditions":
    """The conditions of a run, from the options of the same names. Raises `BadParameter`."""
    from lab.experiment.conditions import Conditions

    link = network_of(options)
    own: JsonObject = {"rtt": link.rtt_s, "jitter": link.jitter_s, "bandwidth": link.bandwidth}
    own["keep_alive"] = not options.no_keep_alive
    names = [field.name for field in fields(Conditions) if field.name not in own]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return Conditions(**given, **own)


def network_of(options: argparse.Namespace) -> Network:
    """The chosen link: a preset by name, whose figures other options replace."""
    chosen = PRESETS.get(options.network, Network())
    rtt = chosen.rtt_s if options.rtt is None else options.rtt
    bandwidth = chosen.bandwidth if options.bandwidth is None else options.bandwidth
    return Network(rtt, min(chosen.jitter_s, rtt / 2), bandwidth)


def redis_of(options: argparse.Namespace) -> str | None:
    """The Redis in the options, else in `REDIS_URL`."""
    return options.redis if options.redis is not None else os.environ.get("REDIS_URL") or None


def target_of(options: argparse.Namespace) -> "Target":
    """Which lab is measured: the one at `--url`, or one started for the run."""
    from lab.experiment.measure import Target

    settings: JsonObject = {"limits": dict(options.limit), "redis": redis_of(options)}
    settings |= {"port": options.port or 0, "base": options.base}
    settings |= {"host": options.host} if options.host else {}
    if not options.url:
        settings |= {"certfile": options.certfile, "keyfile": options.keyfile}
    return Target(options.url and options.url.rstrip("/"), settings, options.certfile, options.engine)


if __name__ == "__main__":
    sys.exit(main())
