"""The lab behind nginx as Debian ships it: two processes that take turns, and long silence."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests import tools
from tests.faults.scene import Scene
from tests.support.lab_process import OpenLab
from tests.support.redis_server import free_port
from tests.support.wire import HOST

CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  upstream lab {{ {servers} }}
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://lab; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


def nginx_missing() -> str | None:
    """Why there is no proxy here."""
    return None if tools.find("nginx") else f"nginx is missing ({tools.command('nginx')})"


class Nginx:
    """A proxy in front of labs on these ports, buffering and timing out as it does by itself."""

    def __init__(self, ports: list[int]) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="pushlab-nginx-"))
        servers = " ".join(f"server {HOST}:{port} fail_timeout=1s;" for port in ports)
        config = CONFIG.format(folder=self.folder, servers=servers, host=HOST, port=self.port)
        (self.folder / "nginx.conf").write_text(config)
        command = [tools.find("nginx"), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def count(self, status: int) -> int:
        """How many answers had this status."""
        return (self.folder / "access.log").read_text().count(f'" {status} ')

    async def listens(self) -> bool:
        """Whether it has opened its port, which it writes down."""
        return (self.folder / "pid").exists()

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


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
