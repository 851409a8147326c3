"""Servers in C: a floor that is compiled here, and Nchan, a module of nginx, where it is installed.

Both are what a technique costs without Python. The floor does nothing but send and receive; Nchan is a whole
server, with channels, limits and a store of messages of its own.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import tools
from tests.benchmarks.machine import FILES, Server, below, on_the_servers_core

SOURCE = Path(__file__).parent / "floor.c"
MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
"""Where Debian's package `libnginx-mod-nchan` puts it."""
HOST = "127.0.0.1"
PATIENCE_S = 30.0
CONFIG = """
load_module {module};
{user} daemon off; worker_processes 1; worker_rlimit_nofile {files};
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 32768; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  nchan_shared_memory_size 256m; nchan_message_buffer_length 100; nchan_message_timeout 1h;
  server {{
    listen {host}:{port} backlog=4096; nchan_subscriber_first_message newest;
    location = /publish {{ nchan_channel_id news; nchan_publisher; }}
    location = /websocket {{ nchan_channel_id news; nchan_subscriber websocket; }}
    location = /longpoll {{ nchan_channel_id news; nchan_subscriber longpoll; }}
    location = /shortpoll {{ nchan_channel_id news; nchan_subscriber intervalpoll; }}
  }}
}}
"""


def missing(kind):
    """Why this server cannot stand beside the others, with the line that installs it; None when it can."""
    if kind == "C floor" and shutil.which("cc") is None:
        return "cc is missing: apt-get install gcc libc6-dev"
    if kind == "Nchan" and not (tools.find("nginx") and MODULE.exists()):
        return "Nchan is missing: apt-get install nginx libnginx-mod-nchan"
    return None


def floor(stack):
    """The floor, compiled into a temporary folder."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pushlab-floor-"))
    program = Path(folder) / "floor"
    subprocess.run(["cc", "-O2", "-o", program, SOURCE], check=True)
    return Server(program)


class Nchan(Server):
    """nginx with Nchan: its one worker is the server. Messages come by POST."""

    def __init__(self, stack):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pushlab-nchan-"))
        with socket.create_server((HOST, 0)) as probe:
            port = probe.getsockname()[1]
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not enter the folder
        places = {"module": MODULE, "folder": folder, "host": HOST, "port": port}
        config = Path(folder) / "nginx.conf"
        config.write_text(CONFIG.format(**places, user=user, files=FILES))
        command = [tools.find("nginx"), "-c", config, "-e", "stderr"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=on_the_servers_core)
        self.greeting = {"port": port, "publish": "/publish"}
        self._until_it_listens(port)

    def _until_it_listens(self, port):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection((HOST, port)).close()
                return
            except ConnectionRefusedError:
                if time.monotonic() > end or self.process.poll() is not None:
                    sys.exit("nginx with Nchan does not start here.")
                time.sleep(0.05)

    @property
    def pid(self):
        """The process id of the worker."""
        return below(self.process.pid)[0]

    def stop(self):
        """End nginx."""
        self.process.terminate()
        self.process.wait()
