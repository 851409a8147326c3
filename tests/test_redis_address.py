"""The address of a Redis: what is honoured, what is refused in a sentence, and that no secret is shown."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.errors import CannotStart
from lab.experiment.own_lab import own_lab
from lab.server.redis_address import OWN, read
from lab.server.redis_process import find
from tests.support.lab_process import ROOT, LabProcess
from tests.support.redis_server import RedisServer, free_port
from tests.support.wire import HOST, fetch

SECRET = "geheim"
HARD = "ge:h@e/i?m#1 %2F&=+é"
"""A password with every character that means something in a URL."""


# What is read ------------------------------------------------------------------------------------

HONOURED = {
    "redis://": "redis://localhost:6379/0",
    "redis://h": "redis://h:6379/0",
    "REDIS://h:1": "redis://h:1/0",
    "redis://h/": "redis://h:6379/0",
    "redis://h:1/3": "redis://h:1/3",
    "redis://h:1?db=3": "redis://h:1/3",
    "redis://h:1/3?db=3": "redis://h:1/3",
    "redis://[::1]:1/3": "redis://[::1]:1/3",
    "redis://u:p@h:1": "redis://h:1/0",
    "redis://:p@ss@h:1": "redis://h:1/0",
    "redis://h?username=u&password=p": "redis://h:6379/0",
    "redis://h?client_name=lab&socket_keepalive=yes": "redis://h:6379/0",
    "rediss://h:1?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_password=p": "rediss://h:1/0",
    "unix:///tmp/s": "unix:///tmp/s",
    "unix://u:p@/tmp/s?db=1": "unix:///tmp/s?db=1",
    "unix:///a%20b/s%25?password=p": "unix:///a b/s%",
}


@pytest.mark.parametrize(("url", "shown"), HONOURED.items(), ids=HONOURED)
def test_an_address_is_shown_by_its_parts(url, shown):
    """Computer, port and database, or socket: nothing else of the address is ever shown."""
    assert str(read(url)) == shown


REFUSED = {
    "": "does not begin with one",
    " ": "does not begin with one",
    "redis": "does not begin with one",
    "redis:/": "does not begin with one",
    "redis:h:1": "does not begin with one",
    "h:6379": "does not begin with one",
    "http://h": "does not begin with one",
    "redis+socket:///s": "does not begin with one",
    "redis://h:x": "port",
    "redis://h:0": "port",
    "redis://h:65536": "port",
    "redis://h:-1": "port",
    "redis://[::1": "port",
    "redis://h h": "white space",
    " redis://h": "",
    "redis://h\n": "white space",
    "redis://a..b": "host",
    f"redis://{'a' * 64}": "host",
    "redis://h/x": "path",
    "redis://h/1/2": "path",
    "redis://h/-1": "path",
    "redis://h#1": "#",
    "redis://h?": "",
    "redis://h?foo=bar": "foo",
    "redis://h?db=x": "db",
    "redis://h?db=-1": "db",
    "redis://h?db=1.5": "db",
    "redis://h?db=": "db",
    "redis://h?db=1&db=2": "twice",
    "redis://h/1?db=2": "twice",
    "redis://u:p@h?password=q": "twice",
    "redis://u@h?username=v": "twice",
    "redis://h?ssl_cert_reqs=none": "rediss",
    "redis://h?client_name=a%20b": "client_name",
    "redis://h?socket_keepalive=perhaps": "socket_keepalive",
    "rediss://h?ssl_cert_reqs=some": "ssl_cert_reqs",
    "rediss://h?ssl_certfile=/no/such": "ssl_certfile",
    "rediss://h?ssl_ca_certs=/no/such": "ssl_ca_certs",
    "unix://": "socket",
    "unix:///": "socket",
    "unix://tmp/s": "socket",
    "unix:///a%00b": "socket",
    "unix:///s?db=x": "db",
    "unix:///s?socket_keepalive=1": "socket_keepalive",
    "redis://h?password": "NAME=VALUE",
} | {f"redis://h?{name}=1": name for name in sorted(OWN)}
REFUSED.pop("redis://h?")


@pytest.mark.parametrize(("url", "word"), REFUSED.items(), ids=repr)
def test_an_address_is_refused_in_a_sentence(url, word):
    """What redis-py would ignore, guess at or stumble over, and what the lab itself must set."""
    with pytest.raises(CannotStart) as refused:
        read(url)
    assert word in str(refused.value)
    assert str(refused.value).endswith(".")


LEAKS = [
    f"redis://:{SECRET}/x@h",
    f"redis://:1/{SECRET}@h",
    f"redis://:x{SECRET}#y@h",
    f"redis://{SECRET}/@h:1",
    f"redis://u:{SECRET}[@h",
    f"redis://h:{SECRET}",
    f"redis://h?{SECRET}",
    f"redis://h?pasword={SECRET}",
    f"redis://u:1?{SECRET}=x@h",
    f"redis://h?db={SECRET}",
    f"redis://h#{SECRET}",
    f"http://u:{SECRET}@h",
    f"u:{SECRET}@h",
    f"rediss://h?ssl_certfile={SECRET}",
    f"unix://u:{SECRET}@h/s",
    f"redis://u:{SECRET}@h\n",
]


@pytest.mark.parametrize("url", LEAKS)
def test_a_refusal_repeats_nothing_of_the_address(url):
    """Whatever is wrong with it, a part of it may be a password."""
    with pytest.raises(CannotStart) as refused:
        read(url)
    assert SECRET not in str(refused.value)


# Secrets -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded():
    """A Redis that requires a password, at a port and at a socket."""
    server = RedisServer(options=["--unixsocket", "redis.sock"])
    for name, password in (("teacher", SECRET), ("odd", HARD)):
        rules = ("reset", "on", f">{password}", "~pushlab:*", "+@all")
        server.client.execute_command("ACL", "SETUSER", name, *rules)
    server.client.config_set("requirepass", SECRET)
    yield server
    server.stop()


def forms(server):
    """Every form in which redis-py takes a name and a password."""
    at, socket, hard = f"{HOST}:{server.port}", quote(f"{server.folder}/redis.sock"), quote(HARD, safe="")
    return {
        "user and password": f"redis://teacher:{SECRET}@{at}",
        "password": f"redis://:{SECRET}@{at}/0",
        "password behind ?": f"redis://{at}/0?password={SECRET}",
        "both behind ?": f"redis://{at}?username=teacher&password={SECRET}",
        "one before, one behind": f"redis://teacher@{at}?password={SECRET}",
        "every character": f"redis://odd:{hard}@{at}",
        "every character behind ?": f"redis://{at}?username=odd&password={hard}",
        "socket": f"unix://teacher:{SECRET}@{socket}?db=1",
        "socket and ?": f"unix://{socket}?password={SECRET}",
    }


FORMS = list(forms(type("", (), {"port": 0, "folder": Path("/")})))


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("form", FORMS)
async def test_a_password_opens_and_is_not_shown(guarded, form):
    """In each form the Redis is used, and its texts contain only its address."""
    backend = await find(forms(guarded)[form])
    assert backend.words.startswith("redis 7") or backend.words.startswith("redis ")
    assert SECRET not in backend.words and "ge:h" not in backend.words and quote(HARD) not in backend.words
    assert str(guarded.port) in backend.words or "redis.sock" in backend.words


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("form", FORMS)
async def test_a_wrong_password_is_not_shown_either(guarded, form):
    """The sentence says that the password is wrong, and not which it was."""
    url = forms(guarded)[form].replace(SECRET, "falsch").replace(quote(HARD, safe=""), "falsch")
    with pytest.raises(CannotStart, match="password") as refused:
        await find(url)
    assert "falsch" not in str(refused.value)


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("form", ["password behind ?", "user and password", "socket and ?"])
def test_a_lab_never_shows_the_password(guarded, form):
    """Neither the screen, the log, `/healthz` nor the list of processes has it."""
    process = LabProcess(redis=forms(guarded)[form])
    health = asyncio.run(fetch(process.port, "GET", "/healthz"))
    process.stop()
    texts = [json.dumps(process.greeting), process.stderr(), json.dumps(health.json)]
    assert health.status == 200 and not any(SECRET in text for text in texts)


@pytest.mark.needs("redis-server")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the command lines of all processes")
async def test_a_measured_run_hides_the_password_from_the_list_of_processes(guarded):
    """Its lab, a process of its own, does not have it on its command line, and shows only the address."""
    url = f"redis://{HOST}:{guarded.port}?password={SECRET}"
    async with own_lab({"redis": url, "port": 0, "room": "run-hidden"}) as own:
        lines = command_lines()
    assert any("lab.server" in line for line in lines) and not any(SECRET in line for line in lines)
    assert own.versions["redis"].endswith(f"(redis://{HOST}:{guarded.port}/0)")


def command_lines():
    """What `ps` shows of the processes that run at this moment."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


# From the command line ---------------------------------------------------------------------------

LINES = {
    "unknown option": [f"--redis=redis://u:{SECRET}@{HOST}?foo=bar"],
    "not there": [f"--redis=redis://u:{SECRET}@{HOST}:{free_port()}"],
    "empty": ["--redis="],
    "measured": [f"--redis=redis://u:{SECRET}@{HOST}?foo=bar", "--mode=sse", "-d", "1s"],
}


@pytest.mark.parametrize("options", LINES.values(), ids=LINES)
def test_a_command_with_such_an_address_ends_with_3_and_a_sentence(options):
    """Neither a traceback nor a password is on the screen."""
    command = [sys.executable, "run_lab.py", "--no-browser", "--port=0", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("run_lab.py: ") and len(done.stderr.splitlines()) == 1
    assert SECRET not in done.stderr
