"""Modules of the lab as processes: the server may start modules that it may not import."""

import asyncio

from lab.subprocesses import command, environment

DEVNULL, PIPE = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE


async def module(
    name: str, *arguments: str, stdout: int = DEVNULL, stderr: int = DEVNULL
) -> asyncio.subprocess.Process:
    """Start a module with these arguments; each ends when its input does, so that none outlives the lab."""
    return await asyncio.create_subprocess_exec(
        *command(name, *arguments),
        stdin=PIPE,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        env=environment(),
    )
