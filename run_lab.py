"""Start Push Lab: see that this Python can run it, then hand over to lab.cli.

This is the file a student runs first, so any Python from 3.8 on can read it with no package installed,
and what is missing is answered with a line to copy, never with a traceback.
"""

import importlib.util
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WINDOWS = os.name == "nt"
PACKAGES = ("tornado", "redis", "jinja2", "aiohttp", "rich", "pygments", "prometheus_client", "segno")
VENV = os.path.join(".venv", "Scripts" if WINDOWS else "bin", "")
SET_UP = f"{'py' if WINDOWS else 'python3'} -m venv .venv && {VENV}pip install -q -e . && "


def missing():
    """Name what this Python lacks; its age comes first, because an old one cannot take the packages."""
    if sys.version_info < (3, 11):
        return [f"Python >= 3.11 (this is {sys.version_info[0]}.{sys.version_info[1]})"]
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def venv_is_ready():
    """Ask the Python in .venv the same question: perhaps only the wrong interpreter was typed."""
    question = "import run_lab, sys; sys.exit(bool(run_lab.missing()))"
    ask = [os.path.join(HERE, VENV, "python"), "-c", question]
    try:
        return subprocess.call(ask, cwd=HERE, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def command(ready):
    """Write the line to copy: from where the student stands, with what the student typed."""
    quote = subprocess.list2cmdline if WINDOWS else shlex.join
    here = os.path.realpath(os.curdir) == os.path.realpath(HERE)
    start = ("" if here else f"cd {quote([HERE])} && ") + ("" if ready else SET_UP)
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
