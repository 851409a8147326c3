"""Start Push Lab: see that this Python can run it, then hand over to lab.cli.

This is the file a student runs first, so any Python from 3.8 on can read it with no package installed,
and what is missing is answered with a line to copy, never with a traceback.
"""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
WINDOWS = os.name == "nt"
PACKAGES = ("tornado", "redis", "jinja2", "aiohttp", "rich", "pygments", "prometheus_client", "segno")
VENV = os.path.join(".venv", "Scripts" if WINDOWS else "bin", "")
SET_UP = f"{'py' if WINDOWS else 'python3'} -m venv .venv && {VENV}pip install -q -e . && "


def look_only_here():
    """Find modules where the lab is and where packages are, not in the current folder.

    Python adds that folder for an empty entry of PYTHONPATH (as in `export PYTHONPATH=$PYTHONPATH:/more`),
    and under `-P` and `-I` it leaves out the lab's own. Until this is done only what Python itself has loaded
    may be imported, so the other imports of this file stand where they are needed.
    """
    entries = os.environ.get("PYTHONPATH") or HERE
    if {"", os.curdir}.intersection(entries.split(os.pathsep)) and not sys.flags.ignore_environment:
        sys.path[:] = [place for place in sys.path if place != current_folder()]
    if HERE not in sys.path:
        sys.path.insert(0, HERE)


def current_folder():
    """Name the current folder; nothing when it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


def missing():
    """Name what this Python lacks; its age comes first, because an old one cannot take the packages."""
    if sys.version_info < (3, 11):
        return [f"Python >= 3.11 (this is {sys.version_info[0]}.{sys.version_info[1]})"]
    import importlib.util

    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def venv_is_ready():
    """Ask the Python in .venv the same question: perhaps only the wrong interpreter was typed."""
    import subprocess

    question = (
        "import sys; sys.path.insert(0, sys.argv[1]); import run_lab; sys.exit(bool(run_lab.missing()))"
    )
    ask = [os.path.join(HERE, VENV, "python"), "-c", question, HERE]
    try:
        return subprocess.call(ask, cwd=HERE, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def command(ready):
    """Write the line to copy: from where the student stands, with what the student typed."""
    import shlex
    import subprocess

    quote = subprocess.list2cmdline if WINDOWS else shlex.join
    start = ("" if current_folder() == HERE else f"cd {quote([HERE])} && ") + ("" if ready else SET_UP)
    return f"{start}{VENV}python {quote(['run_lab.py', *sys.argv[1:]])}"


def explain(lacking, ready):
    """Say in both languages what is missing, and give the one line that puts it right."""
    english = ".venv is ready, use it:" if ready else "Set it up once with:"
    chinese = ".venv 已经装好，请这样运行：" if ready else "请先这样安装并运行："
    print(f"Push Lab cannot start, missing: {', '.join(lacking)}. {english}", file=sys.stderr)
    print(f"Push Lab 无法启动，缺少：{'、'.join(lacking)}。{chinese}\n", file=sys.stderr)
    print(f"    {command(ready)}", file=sys.stderr)


def main():
    """Start the lab, or say what it needs and leave with 3."""
    look_only_here()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not so in IDLE, and pythonw has no streams at all
            stream.reconfigure(errors="replace")
    lacking = missing()
    if lacking:
        explain(lacking, venv_is_ready())
        return 3
    from lab.cli import main as run

    return run()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # Ctrl-C while the imports still run; later the lab has its own answer
        sys.exit(130)
