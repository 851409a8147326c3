"""Start Push Lab: check that this Python can run it, then call lab.cli.

This is the file a student runs first, so any Python from 3.8 on can read it with no package installed,
and if something is missing, it prints a command to copy, never a traceback.
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
    may be imported, so the other imports of this file are inside the functions.
    """
    entries = os.environ.get("PYTHONPATH") or HERE
    if {"", os.curdir}.intersection(entries.split(os.pathsep)) and not sys.flags.ignore_environment:
        sys.path[:] = [place for place in sys.path if place != current_folder()]
    if HERE not in sys.path:
        sys.path.insert(0, HERE)


def current_folder():
    """Return the current folder; an empty name when it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


def missing():
    """Return what this Python lacks; its version first, because an old one cannot install the packages."""
    if sys.version_info < (3, 11):
        return [f"Python >= 3.11 (this is {sys.version_info[0]}.{sys.version_info[1]})"]
    import importlib.util

    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def venv_is_ready():
    """Check the Python in .venv too: perhaps only the wrong interpreter was used."""
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
    """Return the command to copy: for the current folder, with the same options."""
    import shlex
    import subprocess

    quote = subprocess.list2cmdline if WINDOWS else shlex.join
    start = ("" if current_folder() == HERE else f"cd {quote([HERE])} && ") + ("" if ready else SET_UP)
    return f"{start}{VENV}python {quote(['run_lab.py', *sys.argv[1:]])}"


def explain(lacking, ready):
    """Print in both languages what is missing, and the command that corrects it."""
    english = ".venv is ready, use it:" if ready else "Set it up once with:"
    chinese = ".venv 已经装好，请这样运行：" if ready else "请先这样安装并运行："
    print(f"Push Lab cannot start, missing: {', '.join(lacking)}. {english}", file=sys.stderr)
    print(f"Push Lab 无法启动，缺少：{'、'.join(lacking)}。{chinese}\n", file=sys.stderr)
    print(f"    {command(ready)}", file=sys.stderr)


def main():
    """Start the lab, or print what is missing and return 3."""
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
    except KeyboardInterrupt:  # Ctrl-C during the imports; later the lab handles it
        sys.exit(130)
