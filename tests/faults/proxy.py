"""The lab behind nginx as Debian ships it: two processes that take turns, and long silence."""

import asyncio
import signal
import time

from tests.faults.scene import Scene
from tests.support.lab_process import OpenLab
from tests.support.nginx import Nginx
from tests.support.redis_server import free_port
from tests.support.wire import HOST


async def move_behind(scene: Scene, ports: list[int]) -> Nginx:
    """From now on all listeners connect through a proxy."""
    nginx = await asyncio.to_thread(Nginx, ports)
    scene.closing.append(nginx.close)
    scene.url = f"http://{HOST}:{nginx.port}"
    await scene.becomes("/healthz", 200, 5)
    for link in scene.sender.links.values():
        link.url = scene.url
    for listener in scene.listeners:
        await listener.go()
        listener.url = scene.url
        await listener.come()
    return nginx


async def roll(scene: Scene) -> None:
    """Two labs behind nginx are replaced in turn, ten times: clients notice nothing but a bye."""
    ports = [scene.port, free_port()]
    scene.labs.append(await asyncio.to_thread(OpenLab, scene.redis.url, ports[1]))
    await move_behind(scene, ports)
    running = scene.labs[-2:]
    for turn in range(2 if scene.short else 10):
        lab = running[turn % 2]
        lab.signal(signal.SIGTERM)
        code = await asyncio.to_thread(lab.wait, 10 * scene.scale.patience)
        if code:
            scene.complaints.append(f"exit code {code}")
        running[turn % 2] = await asyncio.to_thread(OpenLab, scene.redis.url, lab.port)
        scene.labs.append(running[turn % 2])
        await scene.pause(1.5)


async def be_silent(scene: Scene) -> None:
    """Nothing is sent for 70 s behind nginx, whose patience is 60: no answer is a 504."""
    nginx = await move_behind(scene, [scene.port])
    await scene.sender.stop_sending(15)
    await scene.pause(70)
    scene.healed = time.monotonic()
    scene.sender.start_sending(scene.rate)
    await scene.pause(3)
    timeouts = nginx.count(504)
    scene.notes.append(f"{timeouts} x 504")
    if timeouts:
        scene.complaints.append(f"{timeouts} answers were 504")
