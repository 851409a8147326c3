"""Modules of the lab as processes: the server may start modules that it may not import."""

import asyncio
from contextlib import suppress

from lab.subprocesses import command, environment

END_PATIENCE_S = 5.0
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


async def end(process: asyncio.subprocess.Process, patience_s: float = END_PATIENCE_S) -> None:
    """Close the input of a process, which ends it; kill it after so many seconds."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience_s)
    finally:  # also when the lab is closing at once
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
