"""The proxy in front of the lab: its switches, its configuration, and the private nginx."""

import asyncio
import json
import os
import re
import subprocess

import pytest

from lab.errors import BadParameter, CannotStart
from lab.proxy import private
from lab.proxy.nginx import Nginx
from lab.proxy.nginx_conf import configuration, text_of
from lab.proxy.site import Site
from lab.proxy.switches import BALANCES, NAMES, Switches, parse
from lab.subprocesses import command, environment
from tests.support.redis_server import free_port
from tests.support.wire import HOST, eventually, fetch

FAULTS = {
    "timeout": "timeout=3s",
    "buffering": "buffering=on",
    "http": "http=1.0",
    "upgrade": "upgrade=off",
    "host": "host=off",
    "gzip": "gzip=on",
    "idle": "idle=30s",
    "keepalive": "keepalive=5",
}
OF_SEVERAL = {"balance": "balance=least_conn", "retry": "retry=on", "shared": "shared=off"}
LAB = ["127.0.0.1:8000"]
LABS = [*LAB, "127.0.0.1:8001"]


def test_each_switch_is_tested():
    """No switch is without a fault in this file."""
    assert {*FAULTS, *OF_SEVERAL} == set(NAMES)


def test_switches_are_read_and_spelled_alike():
    """What was read is spelled so that it is read as the same; the usual proxy is `good`."""
    text = "timeout=1.5s,buffering=on,http=1.0,upgrade=always,host=off,gzip=on,idle=30s,keepalive=5"
    assert str(parse(text)) == text
    assert parse("timeout=1500ms") == Switches(timeout=1.5)
    assert parse("good") == parse("") == Switches()
    assert str(Switches()) == "good"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("bufering=on", "Did you mean buffering?"),
        ("buffering", "write buffering=on"),
        ("timeout=3x", "write timeout=3s"),
        ("timeout=0s", "from 100ms"),
        ("upgrade=maybe", "on, off or always"),
        ("http=2", "1.0 or 1.1"),
        ("keepalive=0", "from 1"),
        ("balance=random", "round_robin, least_conn, ip_hash, hash"),
        ("gzip=on,gzip=off", "twice"),
    ],
)
def test_a_wrong_switch_is_refused_with_a_hint(text, hint):
    """The refusal names what would be accepted."""
    with pytest.raises(BadParameter, match=hint):
        parse(text)


@pytest.mark.parametrize(
    ("switch", "text", "labs"),
    [
        *((switch, text, LAB) for switch, text in FAULTS.items()),
        *((switch, text, LABS) for switch, text in OF_SEVERAL.items() if switch != "shared"),
    ],
)
def test_a_changed_line_knows_its_switch(switch, text, labs):
    """A fault changes some lines, all of them marked with its name; all others are those of the good file."""
    lines = configuration(parse(text), labs, 9000)
    assert {line.switch for line in lines} == {None, switch}
    good = [line.text for line in configuration(Switches(), labs, 9000)]
    assert all(line.text in good for line in lines if line.switch is None)


def test_a_line_that_is_left_out_is_a_comment():
    """Where a fault leaves a line out, the file shows which."""
    assert "# proxy_set_header Host $http_host;" in text_of(configuration(parse("host=off"), LAB, 9000))


def test_without_nginx_the_error_has_the_line_that_installs_it(monkeypatch):
    """A machine without nginx: one sentence, with the command."""
    monkeypatch.setattr(private.shutil, "which", lambda name, path=None: name == "apt-get" or None)
    with pytest.raises(CannotStart, match="apt-get install nginx"):
        private.find("nginx")


@pytest.mark.needs("nginx")
def test_an_nginx_that_refuses_its_configuration(tmp_path, monkeypatch):
    """What nginx does not accept is the reason, in one sentence, and no folder is left."""
    monkeypatch.setattr(private.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(CannotStart, match="does not accept its configuration: invalid port"):
        Nginx(Switches(), ["127.0.0.1:99999"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("text", ["good", ",".join(FAULTS.values()), "upgrade=always"])
def test_nginx_passes_requests_on_and_its_logs_are_read(text, lab, tmp_path, monkeypatch):
    """Each configuration is one that nginx accepts; a request is logged, and at the end nothing is left."""
    monkeypatch.setattr(private.tempfile, "tempdir", str(tmp_path))
    with Nginx(parse(text), [f"{HOST}:{lab.port}"]) as proxy:
        status = asyncio.run(fetch(proxy.port, "GET", "/healthz")).status
        assert status == (421 if "host=off" in text else 200)
        asyncio.run(eventually(logged(proxy), "the access log has the request"))
        answer = proxy.answers()[0]
        assert (answer["target"], answer["status"]) == ("/healthz", status)
        assert proxy.complaints() == []
        assert re.fullmatch(r"nginx/[0-9.]+", proxy.version)
    assert proxy.process.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs("nginx")
def test_an_error_of_nginx_names_the_request(tmp_path):
    """Without a lab behind it nginx answers 502, and its error log has the reason and the request."""
    with Nginx(Switches(), [f"{HOST}:{free_port()}"]) as proxy:
        assert asyncio.run(fetch(proxy.port, "GET", "/healthz")).status == 502
        (complaint,) = proxy.complaints()
    assert complaint.level == "error" and "Connection refused" in complaint.text
    assert complaint.request == "GET /healthz HTTP/1.1"


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(
    "end",
    [lambda process: process.stdin.close(), lambda process: process.terminate()],
    ids=["input", "signal"],
)
def test_the_process_of_a_proxy_ends_with_its_input(end, tmp_path):
    """When the program that started it is gone, or by a signal, nginx ends too, and its folder is deleted."""
    plan = json.dumps({"proxy": "timeout=3s", "labs": LAB})
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    surroundings = environment() | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command("lab.proxy.nginx", plan), env=surroundings, **pipes) as process:
        said = json.loads(process.stdout.readline())
        (folder,) = tmp_path.iterdir()
        pid = int((folder / "nginx.pid").read_text())
        assert said["version"].startswith("nginx/")
        end(process)
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


SITE = Site((HOST,), per_address=2, base="/a/")


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("balance", BALANCES)
def test_several_labs_are_served_by_each_rule(balance, lab, tmp_path, monkeypatch):
    """nginx accepts each rule, for users too, says which lab has answered, and goes on with other labs."""
    monkeypatch.setattr(private.tempfile, "tempdir", str(tmp_path))
    real, gone = f"{HOST}:{lab.port}", f"{HOST}:{free_port()}"
    with Nginx(parse(f"balance={balance}"), [gone, real], site=SITE, port=free_port()) as proxy:
        for path in ("/a/shortpoll", "/meters", "/a/history"):
            answer = asyncio.run(fetch(proxy.port, "GET", path))
            assert answer.headers["x-lab"] == "2 of 2"
        with pytest.raises(CannotStart, match="does not accept its configuration"):
            proxy.change(["nowhere:1:2"])
        proxy.change([real, gone])
        asyncio.run(eventually(answered_by(proxy.port, "1 of 2"), "the worker is replaced"))
    assert proxy.process.returncode == 0 and list(tmp_path.iterdir()) == []


def answered_by(port, name):
    """Whether this lab answers."""

    async def does() -> bool:
        return (await fetch(port, "GET", "/shortpoll")).headers.get("x-lab") == name

    return does


def logged(proxy):
    """Whether the access log has a line."""

    async def has() -> bool:
        return bool(proxy.answers())

    return has
