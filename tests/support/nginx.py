"""nginx as Debian ships it, in front of one lab or several."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests import tools
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
    {location}
  }}
}}
"""
LOCATION = """
location / {
  proxy_pass http://lab; proxy_http_version 1.1; proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
}
"""


def nginx_missing() -> str | None:
    """Why there is no proxy here."""
    return None if tools.find("nginx") else f"nginx is missing ({tools.command('nginx')})"


class Nginx:
    """A proxy in front of labs on these ports, buffering and timing out as it does by itself.

    `location` says at which path it offers them, and how; there they are called `http://lab`.
    """

    def __init__(self, ports: list[int], location: str = LOCATION) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="pushlab-nginx-"))
        servers = " ".join(f"server {HOST}:{port} fail_timeout=1s;" for port in ports)
        given = {"servers": servers, "location": location}
        config = CONFIG.format(folder=self.folder, host=HOST, port=self.port, **given)
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
