"""What can happen to the lab itself. Each docstring says what must hold beyond the checker's invariants."""

import asyncio
import signal
import time

from tests.faults.scene import Scene


async def kill_lab(scene: Scene) -> None:
    """The lab is killed and opened again after 2 s: all clients are back within 12 s."""
    await asyncio.to_thread(scene.lab.kill)
    await scene.pause(2)
    await scene.start_lab()


async def drain(scene: Scene) -> None:
    """The lab is asked to end: all get a bye, it exits with 0 within 10 s; opened again, all reconnect."""
    began = time.monotonic()
    scene.lab.signal(signal.SIGTERM)
    code = await asyncio.to_thread(scene.lab.wait, 10 * scene.scale.patience)
    scene.notes.append(f"exit {code} after {time.monotonic() - began:.1f} s")
    if code:
        scene.complaints.append(f"exit code {code}")
    await scene.start_lab()
