"""`--labs N`: several labs on one Redis behind a real nginx, opened by one command and ended together."""

import asyncio
import os
import signal
import socket
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import cli
from lab.catalogue import MODES, client_side
from lab.clients.link import Link
from lab.proxy import private
from tests.support.live_page import LivePage
from tests.support.opened_labs import Opened
from tests.support.processes import all_end, command_of, descendants
from tests.support.redis_server import free_port
from tests.support.run_lab import Serving, run_lab
from tests.support.waiting import wait_until
from tests.support.wire import HOST, Wire, fetch

pytestmark = [pytest.mark.needs("nginx", "redis-server"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def opened():
    """Two labs, opened once for all tests of this file."""
    with Serving("--labs", "2", "--port", str(free_port()), "--limit", "rate=0", "-v") as serving:
        yield Opened(serving)
        below = descendants(serving.process.pid)
        serving.process.terminate()
        assert serving.process.wait(timeout=40) == 0
        all_end(below)


def test_the_screen_shows_where_the_labs_are(opened):
    """Addresses, the teacher's link, each lab, and the whole configuration of nginx with `-v`."""
    assert len(opened.labs) == 2 and "2 behind nginx/" in opened.line("Labs")
    assert "Redis: " in opened.said and "--lan" in opened.line("Network")
    for lab in opened.labs:
        assert f"server {HOST}:{lab} max_fails=0;" in opened.said
    assert Path(opened.line("nginx").split()[1]).read_text() in opened.said


def test_every_lab_serves_every_technique(opened):
    """A message that is sent by any technique to one lab is received from the other."""

    async def both_ways():
        for number, mode in enumerate(MODES):
            at, other = opened.labs[number % 2], opened.labs[1 - number % 2]
            async with Link(f"http://{HOST}:{at}") as link:
                draft = {"mid": str(uuid.uuid4()), "username": "ann", "body": f"by {mode}"}
                place = (await client_side(mode).send(link, draft))["id"]
            epoch, n = place.split("-")
            before = f"{epoch}-{int(n) - 1}"
            answer = await fetch(other, "GET", f"/longpoll?after={before}")
            assert [message["body"] for message in answer.json["messages"]] == [f"by {mode}"]

    asyncio.run(both_ways())


def test_requests_go_to_all_labs_in_turn(opened):
    """The response says which lab it comes from; what belongs to the lesson comes from the first."""
    served = {opened.get("/shortpoll").headers["X-Lab"] for _ in range(4)}
    assert served == {"1 of 2", "2 of 2"}
    assert {opened.get("/").headers["X-Lab"] for _ in range(4)} == {"1 of 2"}


def test_the_teachers_key_fits_every_lab(opened):
    """The printed token works at each lab itself, and through nginx; the cookie has the name of its port."""
    bearer = {"Authorization": f"Bearer {opened.token}"}
    for port in (*opened.labs, opened.port):
        assert opened.get("/teacher/meters.json", port, **bearer).status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        opened.get("/teacher/meters.json")
    with refused.value as answer:
        assert answer.code == 403
    link = asyncio.run(fetch(opened.port, "GET", f"/teacher?token={opened.token}"))
    assert link.status == 302
    cookie = link.headers["set-cookie"].partition(";")[0]
    assert cookie.startswith(f"pushlab-teacher-{opened.port}=")
    for port in (*opened.labs, opened.port):
        assert opened.get("/teacher", port, Cookie=cookie).status == 200


async def test_a_page_sees_the_costs_and_the_users_of_all_labs(opened):
    """Polls go to both labs in turn; the page of their client, at the first lab, gets the sum of both."""
    client, before = str(uuid.uuid4()), [await polled(port) for port in opened.labs]
    page = await LivePage.open(SimpleNamespace(lab=SimpleNamespace(port=opened.port)))
    assert (await page.ask(type="client", client=client, mode="shortpoll"))["begins"]
    for _ in range(6):
        await fetch(opened.port, "GET", f"/shortpoll?client={client}&username=ann")
    after = [await polled(port) for port in opened.labs]
    assert all(now["requests"] > then["requests"] for now, then in zip(after, before, strict=True))
    cost = await page.answer()
    names = ("bytes_in", "bytes_out")
    sums = {
        name: sum(now[name] - then[name] for now, then in zip(after, before, strict=True)) for name in names
    }
    while {name: cost[name] for name in names} != sums or cost["lab"] != [1, 2]:
        cost = await page.answer()  # fails at its deadline
    assert cost["labs"] == 2
    stream = await Wire.open(opened.labs[1])
    await stream.request("GET", f"/sse?client={uuid.uuid4()}")
    while (await page.news())["here"] < 2:
        pass
    await page.leave()


async def polled(port):
    """The meter of short polls at one lab."""
    return (await fetch(port, "GET", "/meters")).json["techniques"]["shortpoll"]["receive"]


def test_a_lab_that_ends_is_started_again(opened):
    """A killed lab is replaced at its port; meanwhile the other one serves."""
    before = running_labs(opened.process.pid)
    os.kill(before[1], signal.SIGKILL)
    assert opened.get("/shortpoll").status == 200
    all_end(before[1:])
    wait_until(lambda: len(running_labs(opened.process.pid)) == 2, "another lab is started")
    wait_until(lambda: all(map(serves, opened.labs)), "it listens where the other did")
    assert opened.get("/").status == opened.get("/shortpoll").status == 200


def running_labs(pid):
    """The processes of the labs of this classroom."""
    return [one for one in descendants(pid) if command_of(one).endswith("lab.server\0")]


def serves(port):
    """Whether a lab listens at this port."""
    with socket.socket() as trial:
        return trial.connect_ex((HOST, port)) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=str)
def test_they_end_together(number):
    """After a signal nothing is left: no lab, no nginx, no Redis; also when the command itself is killed."""
    with Serving("--labs", "2", "--port", str(free_port())) as serving:
        serving.read_until("Ctrl-C")
        below = descendants(serving.process.pid)
        assert len(below) >= 6  # Redis and what holds it, two labs, nginx and what holds it
        serving.process.send_signal(number)
        code = serving.process.wait(timeout=40)
        assert code == (-number if number == signal.SIGKILL else 0)
        all_end(below)


def test_they_end_with_nginx():
    """When nginx is killed nothing reaches the labs: the command ends with exit code 1 and leaves nothing."""
    with Serving("--labs", "2", "--port", str(free_port())) as serving:
        serving.read_until("Ctrl-C")
        below = descendants(serving.process.pid)
        master = next(one for one in below if command_of(one).startswith("nginx: master"))
        os.kill(master, signal.SIGKILL)
        assert "The nginx in front of the labs has ended" in serving.process.communicate(timeout=40)[0]
        assert serving.process.returncode == 1
        all_end(below)


def test_without_nginx_they_do_not_start(monkeypatch, capsys):
    """A machine without nginx: exit code 3, and the line that installs it."""
    monkeypatch.setattr(private.shutil, "which", lambda name, path=None: None)
    assert cli.main(["--labs", "2", "--no-browser", "--port", str(free_port())]) == 3
    assert "nginx is not installed. To install it:" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "33", "two"])
def test_a_wrong_number_of_labs_exits_2(number, capsys):
    """Not a number, none at all, or more than a machine has cores for."""
    assert cli.main(["--labs", number, "--no-browser"]) == 2
    assert "--labs" in capsys.readouterr().err


def test_a_busy_port_exits_3():
    """A port that was asked for and is busy ends with the command that would work."""
    with socket.create_server((HOST, 0)) as busy:
        port = busy.getsockname()[1]
        done = run_lab("--labs", "2", "--no-browser", "--port", str(port))
    assert done.returncode == 3 and f"--port {port + 1}" in done.stderr
