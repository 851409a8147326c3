"""The recipe for a server, run as the README has it, in a clean folder."""

import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import sysconfig
import urllib.request

import pytest

from lab.proxy.nginx_conf import configuration, text_of
from lab.proxy.site import Site
from lab.proxy.switches import Switches
from tests import tools
from tests.support.certificates import certificate
from tests.support.command import Command
from tests.support.lab_process import ROOT
from tests.support.redis_server import free_port

pytestmark = [pytest.mark.needs("nginx", "redis-server"), pytest.mark.timeout(120)]

README = (ROOT / "lab" / "server" / "README.md").read_text(encoding="utf-8")
FILES = {"/etc/pushlab/cert.pem": "certfile", "/etc/pushlab/key.pem": "keyfile"}
FILES_OF_A_PROCESS = 65536


def block(language):
    """The one block of the README in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return found


def setting(name):
    """A setting of the unit."""
    return re.search(rf"^{name}=(.*)$", block("ini"), re.MULTILINE)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the checkout, without anything that is not in it."""
    copy = tmp_path_factory.mktemp("opt") / "pushlab"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "screenshots"))
    return copy


def placed(text, folder):
    """A text of the recipe whose files are in this folder, and whose Python is the one of this run."""
    text = text.replace("/opt/pushlab/.venv/bin/python", sys.executable)
    return text.replace("/opt/pushlab", str(folder))


def test_the_configuration_is_the_one_that_the_command_writes():
    """The block is the whole file for two labs with a certificate, but for the user, and says its limits."""
    site = Site(("0.0.0.0",), *FILES, 256)
    labs = ["127.0.0.1:8001", "127.0.0.1:8002"]
    lines = text_of(configuration(Switches(), labs, 443, FILES_OF_A_PROCESS, site=site)).splitlines()
    assert [line for line in lines if not line.startswith("user ")] == block("nginx").splitlines()
    assert int(setting("LimitNOFILE")) == FILES_OF_A_PROCESS


def test_nginx_accepts_the_block(tmp_path):
    """`nginx -t` reads it, with a certificate where the recipe has one."""
    made = certificate(tmp_path, "shown")
    text = block("nginx")
    for path, option in FILES.items():
        text = text.replace(path, made[option])
    (tmp_path / "nginx.conf").write_text(text)
    command = [tools.find("nginx"), "-t", "-p", f"{tmp_path}{os.sep}", "-c", "nginx.conf", "-e", "error.log"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "test is successful" in done.stderr, done.stderr


@pytest.mark.needs("systemd-analyze")
def test_systemd_accepts_the_unit(folder, tmp_path):
    """`systemd-analyze verify` has nothing to say about it."""
    unit = tmp_path / "pushlab.service"
    unit.write_text(placed(block("ini"), folder))
    done = subprocess.run(
        [tools.find("systemd-analyze"), "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and str(unit.name) not in done.stderr, done.stderr


def test_the_command_of_the_unit_serves_by_https(folder, tmp_path, redis_server):
    """The line of ExecStart opens two labs, in the folder and environment of the unit; SIGTERM ends them."""
    made = certificate(tmp_path, "shown")
    command = shlex.split(placed(setting("ExecStart"), folder))
    changed = {path: made[option] for path, option in FILES.items()}
    changed |= {"0.0.0.0": "127.0.0.1", "443": str(free_port())}  # no test listens to other machines
    assert set(changed) <= set(command)
    name, _, _ = setting("Environment").partition("=")
    surroundings = {name: redis_server.url, "PYTHONPATH": sysconfig.get_path("purelib")}
    words = [changed.get(word, word) for word in command]
    with Command(*words, cwd=placed(setting("WorkingDirectory"), folder), **surroundings) as running:
        address = running.address()
        trusting = ssl.create_default_context(cafile=made["certfile"])
        trusting.check_hostname = False
        trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        served = set()
        for _ in range(2):
            with urllib.request.urlopen(f"{address}shortpoll", context=trusting) as answer:
                served.add(answer.headers["X-Lab"])
        assert address.startswith("https://127.0.0.1:") and served == {"1 of 2", "2 of 2"}
        wanted = {"Host": "lab.example.edu"}
        request = urllib.request.Request(f"{address}teacher?token={running.token}", headers=wanted)
        opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=trusting))
        with opener.open(request) as answer:
            assert "Secure" in answer.headers["Set-Cookie"]
        running.process.terminate()
        assert running.ended()[0] == 0


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def http_error_302(self, request, answer, *_):
        """The answer itself."""
        return answer
