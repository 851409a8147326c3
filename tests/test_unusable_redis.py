"""A Redis that cannot do the lab's work: refused when asked for, passed over when found, and named."""

import asyncio
import json
import shutil
import socket
import subprocess
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from lab.errors import CannotStart
from lab.languages import ENGLISH
from lab.room.reasons import SENTENCES
from lab.server import redis_process
from lab.server.pages import i18n
from lab.server.redis_process import find
from tests import tools
from tests.support.drafts import draft
from tests.support.lab_here import LabHere
from tests.support.lab_state import publish
from tests.support.redis_server import RedisServer, free_port
from tests.support.wire import HOST, eventually, fetch

needs_redis = pytest.mark.needs("redis-server")


def user(*rules):
    """Let a user in who may do so much."""
    return lambda server: server.client.execute_command("ACL", "SETUSER", "u", "on", ">p", *rules)


def no_disk(server):
    """Let its next copy to the disk fail."""
    shutil.rmtree(server.folder)
    server.client.config_set("save", "1 1")
    server.client.set("x", 1)
    while server.client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        pass


def healthy_disk(server):
    """Let it be content without a copy."""
    server.client.config_set("stop-writes-on-bgsave-error", "no")


def command(*words):
    """Run a command."""
    return lambda server: server.client.execute_command(*words)


def setting(name, value):
    """Change a setting."""
    return lambda server: server.client.config_set(name, value)


def nothing(server):
    """It is as it is."""


UNUSABLE = {
    "cluster": (["--cluster-enabled", "yes"], nothing, "", "cluster"),
    "cluster with all slots": (
        ["--cluster-enabled", "yes"],
        command("CLUSTER", "ADDSLOTSRANGE", 0, 16383),
        "",
        "cluster",
    ),
    "cluster without details": (
        ["--cluster-enabled", "yes"],
        lambda server: (
            command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)(server),
            user("~*", "+@all", "-info")(server),
        ),
        "u:p@",
        "cluster",
    ),
    "replica": ([], command("REPLICAOF", HOST, 1), "", "replica"),
    "replica without its primary": (
        ["--replica-serve-stale-data", "no"],
        command("REPLICAOF", HOST, 1),
        "",
        "replica",
    ),
    "full": ([], setting("maxmemory", "1"), "", "full"),
    "full, others may go": (["--maxmemory-policy", "volatile-lru"], setting("maxmemory", "1"), "", "full"),
    "no disk": ([], no_disk, "", "disk"),
    "too few replicas": (["--min-replicas-to-write", "1"], nothing, "", "replicas"),
    "no scripts": ([], user("~*", "+@all", "-@scripting"), "u:p@", "permission"),
    "no streams": ([], user("~*", "+@all", "-xadd"), "u:p@", "permission"),
    "no reading": ([], user("~*", "+@all", "-xread"), "u:p@", "permission"),
    "other keys": ([], user("~other:*", "+@all"), "u:p@", "permission"),
    "no command for scripts": (["--rename-command", "EVALSHA", ""], nothing, "", "old"),
    "no command for streams": (["--rename-command", "XINFO", ""], nothing, "", "old"),
    "a password": ([], setting("requirepass", "p"), "", "password"),
    "another password": ([], setting("requirepass", "p"), ":q@", "password"),
    "a password that it does not know": ([], nothing, ":q@", "password"),
    "a user that it does not know": ([], nothing, "v:q@", "password"),
    "no place left": (["--maxclients", "1"], nothing, "", "clients|closed"),
}
each_unusable = pytest.mark.parametrize(
    ("options", "spoil", "login", "reasons"), UNUSABLE.values(), ids=UNUSABLE
)


@contextmanager
def spoilt(options, spoil):
    """A Redis that cannot be used."""
    server = RedisServer(options=options)
    try:
        spoil(server)
        yield server
    finally:
        server.stop()


@needs_redis
@each_unusable
async def test_a_redis_that_was_asked_for_and_cannot_be_used_is_refused(options, spoil, login, reasons):
    """The reason is one plain sentence that says what to do; nothing of the lab is left in it."""
    with spoilt(options, spoil) as server:
        with pytest.raises(CannotStart) as refused:
            await find(f"redis://{login}{HOST}:{server.port}")
        sentences = [SENTENCES[reason] for reason in reasons.split("|")]
        place = f"The Redis at redis://{HOST}:{server.port}/0 cannot be used: "
        assert str(refused.value) in [place + sentence for sentence in sentences]


ANSWERS = {
    "a web server": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not_redis"),
    "a mail server": (b"220 mail.example.org\r\n", "not_redis"),
    "an echo of yes": (b"+OK\r\n", "not_redis"),
    "bytes": (b"\xff\xfe\x00\r\n", "not_redis"),
    "loading": (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
    "protected mode": (b"-DENIED Redis is running in protected mode because it is\r\n", "protected"),
    "too old": (b"-ERR unknown command 'EVALSHA'\r\n", "old"),
    "a busy script": (b"-BUSY Redis is busy running a script.\r\n", "busy"),
    "no place": (b"-ERR max number of clients reached\r\n", "clients"),
    "no such database": (b"-ERR DB index is out of range\r\n", "database"),
    "something else": (b"-ERR no\r\n", "refused"),
    "nothing, and it disconnects": (b"", "closed"),
    "nothing at all": (None, "silent"),
}


@contextmanager
def answering(answer):
    """A server that gives one answer to everything; with nothing it disconnects, with None it is silent."""
    with closing(socket.create_server((HOST, 0))) as server:
        threading.Thread(target=serve, args=(server, answer), daemon=True).start()
        yield server.getsockname()[1]


def serve(server, answer):
    """Answer every client, one after the other or all at once."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=speak, args=(connection, answer), daemon=True).start()


def speak(connection, answer):
    """Answer each command in the order in which they come."""
    with connection, suppress(OSError):
        while data := connection.recv(65536):
            if answer == b"":
                return
            if answer is not None:
                connection.sendall(answer * max(1, data.count(b"*")))


@pytest.mark.parametrize(("answer", "reason"), ANSWERS.values(), ids=ANSWERS)
async def test_whatever_answers_at_the_address_is_named_in_a_sentence(answer, reason):
    """What is no Redis, or none at this moment, is refused within seconds, without a traceback."""
    with answering(answer) as port, pytest.raises(CannotStart) as refused:
        await find(f"redis://{HOST}:{port}")
    assert str(refused.value).endswith(SENTENCES[reason])


@pytest.mark.parametrize(
    "url", ["unix:///no/such", "unix:///etc/hosts", "redis://no.such.host.invalid", f"redis://{HOST}:1"]
)
async def test_an_address_where_nothing_is(url):
    """An address without a server is refused: it does not answer."""
    with pytest.raises(CannotStart, match=r"does not answer\. Start it"):
        await find(url)


@needs_redis
def test_a_sentinel_is_no_redis(tmp_path):
    """It answers like one, but stores nothing."""
    (tmp_path / "sentinel.conf").touch()
    with spoilt([], nothing) as server:
        server.kill()
        own = subprocess.Popen(
            [tools.find("redis-server"), "sentinel.conf", "--sentinel", "--port", str(server.port)],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
        )
        try:
            while not server.answers():
                assert own.poll() is None
            with pytest.raises(CannotStart, match="Sentinel"):
                asyncio.run(find(server.url))
        finally:
            own.kill()
            own.wait()


@needs_redis
async def test_few_permissions_are_enough():
    """INFO is not needed: without it the lab works, and calls it just redis."""
    with spoilt([], user("~pushlab:*", "+@all", "-@dangerous")) as server:
        backend = await find(f"redis://u:p@{HOST}:{server.port}")
        assert backend.words == f"redis (redis://{HOST}:{server.port}/0)"
        assert server.client.keys("*") == []


@needs_redis
def test_a_lab_with_few_permissions_serves_and_leaves_nothing(start_lab):
    """It stores and delivers, and a temporary room leaves no key."""
    with spoilt([], user("~pushlab:*", "+@all", "-@dangerous")) as server:
        process = start_lab(redis=f"redis://u:p@{HOST}:{server.port}", room="few")
        assert len(asyncio.run(publish(process.port, 3))) == 3
        process.stop()
        assert server.client.keys("*") == []


# Found by itself ---------------------------------------------------------------------------------

FOUND = ["replica", "full", "cluster with all slots", "a password", "no scripts by default"]
UNUSABLE["no scripts by default"] = (
    ["--rename-command", "EVALSHA", ""],
    nothing,
    "",
    "old",
)


async def chosen_with(port, monkeypatch):
    """The Redis that the lab chooses, when the usual port is this one."""
    monkeypatch.setattr(redis_process, "LOCAL", (HOST, port))
    backend = await find(None)
    backend.stop()
    return backend


@needs_redis
@pytest.mark.parametrize("name", FOUND)
async def test_one_that_is_found_and_cannot_be_used_is_passed_over(name, monkeypatch):
    """The lab starts a private one, and the screen gives the reason."""
    options, spoil, _, reason = UNUSABLE[name]
    with spoilt(options, spoil) as server:
        backend = await chosen_with(server.port, monkeypatch)
    assert "private" in backend.words
    assert backend.note == f"The Redis at {HOST}:{server.port} is not used: {SENTENCES[reason]}"


async def test_something_else_at_the_usual_port_is_passed_over(monkeypatch):
    """With a web server at the usual port the lab starts its own Redis."""
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        backend = await chosen_with(port, monkeypatch)
    assert "not Redis" in backend.note


async def test_a_private_redis_without_any_other_gives_no_warning(monkeypatch):
    """On a machine without any other Redis a private one starts without a warning."""
    backend = await chosen_with(free_port(), monkeypatch)
    assert backend.note == ""


# While the lab runs ------------------------------------------------------------------------------

SPOILT = {
    "full": (setting("maxmemory", "1"), setting("maxmemory", "0"), "full"),
    "replica": (command("REPLICAOF", HOST, 1), command("REPLICAOF", "NO", "ONE"), "replica"),
    "no disk": (no_disk, healthy_disk, "disk"),
    "too few replicas": (
        setting("min-replicas-to-write", "1"),
        setting("min-replicas-to-write", "0"),
        "replicas",
    ),
    "no permission": (
        command("ACL", "SETUSER", "default", "-xadd", "-set"),
        command("ACL", "SETUSER", "default", "+@all"),
        "permission",
    ),
}


@needs_redis
@pytest.mark.parametrize(("spoil", "mend", "reason"), SPOILT.values(), ids=SPOILT)
def test_a_running_lab_reports_what_is_wrong_and_heals(spoil, mend, reason, caplog):
    """`/readyz` is 503 with the reason before any send; a send is refused with the reason; both heal."""
    with spoilt([], nothing) as server, LabHere(redis=server.url) as lab:
        asyncio.run(publish(lab.lab.port, 1))
        spoil(server)
        ready, refused = asyncio.run(while_it_lasts(lab.lab.port, SENTENCES[reason]))
        mend(server)
        again = asyncio.run(when_it_is_over(lab.lab.port))
    assert ready["reasons"] == ["history_unavailable"]
    assert (refused.status, refused.json.get("stored"), again.status) == (503, False, 201), refused.json
    assert SENTENCES[reason] in refused.json["error"]["message"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{SENTENCES[reason]} The lab tries again.",
        "Redis answers and stores messages again.",
    ]


async def while_it_lasts(port, sentence):
    """What the lab says of itself when it has noticed, and to a sender."""

    async def is_said():
        return (await fetch(port, "GET", "/readyz")).json["details"] == [sentence]

    await eventually(is_said, "the lab notices")
    return (await fetch(port, "GET", "/readyz")).json, await send(port)


async def when_it_is_over(port):
    """What it says to a sender when it is ready again."""
    await eventually(lambda: answers(port, 200), "the lab is ready again")
    return await send(port)


async def answers(port, status):
    """Whether `/readyz` answers so."""
    return (await fetch(port, "GET", "/readyz")).status == status


async def send(port):
    """Send something."""
    body = json.dumps(draft()).encode()
    return await fetch(port, "POST", "/sse", {"Content-Type": "application/json"}, body)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_reason_has_a_text_for_the_console(language):
    """The sentences of the terminal are those of the console, which has them in both languages."""
    shown = {code: i18n.text(language, f"problem.redis.{code}") for code in SENTENCES}
    assert all(shown.values())
    assert language != ENGLISH or shown == SENTENCES
