"""Every address that the lab shows, opens or draws as a QR code answers, whatever its host is."""

import json
import re
import socket
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from lab.errors import CannotStart
from lab.server.classroom import first_page, welcome
from lab.server.connections import addresses, listen
from lab.server.connections.addresses import in_url, nearest
from lab.server.lesson.lan import adapters
from lab.server.lifecycle import PortBusy, bind
from tests.support.lab_here import PATIENCE_S, LabHere
from tests.support.run_lab import run_lab
from tests.support.waiting import wait_until


def has(address):
    """Whether this machine can listen at an address."""
    try:
        for opened in listen.listen(address, 0):
            opened.close()
    except OSError:
        return False
    return True


def link_local():
    """The IPv6 addresses of this machine that need a zone, as Linux lists them."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as lines:
            rows = [line.split() for line in lines]
    except OSError:
        return []
    found = [(":".join(re.findall("....", row[0])), row[5]) for row in rows if row[0].startswith("fe80")]
    return [
        f"{socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, a))}%{z}" for a, z in found
    ]


INSIDE = [
    host for host in ("127.0.0.1", "127.0.0.2", "127.1", "localhost", "::1", "[::1]", "0:0::1") if has(host)
]
OUTSIDE = [host for host in ("0.0.0.0", "0", "::", "0::0") if has(host)] + [a.address for a in adapters()]
ZONES = [host for host in link_local() if has(host)]
ipv6 = pytest.mark.skipif(not has("::1"), reason="this machine has no IPv6")


def shown(lab):
    """The addresses on the terminal, by the word before them."""
    lines = [line.split(maxsplit=1) for line in welcome(lab).splitlines() if "//" in line]
    return {line[0]: line[1].split() for line in lines}


def status(url):
    """What a GET is answered in the end, by a client that keeps cookies."""
    keeping = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with keeping.open(url, timeout=PATIENCE_S) as answer:
        return answer.status


@pytest.mark.parametrize("host", INSIDE + OUTSIDE)
def test_every_address_answers(host):
    """Local, Teacher and Network addresses answer, and so does the one that the browser is opened with."""
    with LabHere(host=host) as here:
        urls = [url for found in shown(here.lab).values() for url in found]
        assert [status(url) for url in [*urls, first_page(here.lab)]] == [200] * (len(urls) + 1)


@pytest.mark.parametrize("host", INSIDE)
def test_loopback_is_not_for_phones(host):
    """Where only this machine is listened to, the network is off, and there is no QR code."""
    with LabHere(host=host) as here:
        assert "Network  off" in welcome(here.lab)
        assert here.lab.lesson.network.as_json()["url"] is None
        with pytest.raises(urllib.error.HTTPError, match="404"):
            status(here.lab.url + "qr.svg")


@pytest.mark.skipif(not adapters(), reason="this machine is in no network")
@pytest.mark.parametrize("host", OUTSIDE)
def test_other_addresses_are_for_phones(host):
    """It is on without `--lan`, and the QR code holds an address that answers."""
    with LabHere(host=host) as here:
        network = here.lab.lesson.network
        assert network.url in shown(here.lab)["Network"]
        assert status(network.url + "room") == status(here.lab.url + "qr.svg") == 200


@pytest.mark.skipif(not ZONES, reason="this machine has no address with a zone")
def test_an_address_with_a_zone_is_not_for_browsers():
    """It stands as RFC 6874 writes it, and a sentence says that no browser opens it."""
    with LabHere(host=ZONES[0]) as here:
        address, _, zone = ZONES[0].partition("%")
        assert here.lab.url == f"http://[{address}%25{zone}]:{here.lab.port}/"
        assert "no browser can" in welcome(here.lab) and here.lab.lesson.network.url is None
        with socket.create_connection((ZONES[0], here.lab.port), PATIENCE_S) as connection:
            connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: [{address}%25{zone}]\r\n\r\n".encode())
            assert b" 200 OK" in connection.recv(100)


@ipv6
def test_simulated_students_come_by_ipv6():
    """They connect where the lab listens, also through the slow link."""
    with LabHere(host="::1") as here:
        for rtt_ms in (0, 10):
            here.teacher_post("crew", do="start", each=1, words=["sse"], rtt_ms=rtt_ms)
            meter = here.lab.context.meters.techniques["sse"]
            wait_until(lambda meter=meter: meter.open == 1, "the simulated student listens")


@ipv6
def test_a_measured_run_takes_a_host():
    """`--host` is where its lab listens, too."""
    done = run_lab("--mode", "sse", "-c", "2", "-r", "4", "-d", "500ms", "--host", "::1", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["runs"][0]["lost"] == 0


def test_lan_and_a_host_exclude_each_other():
    """One of two addresses would be ignored, so it is a usage error."""
    done = run_lab("--lan", "--host", "127.0.0.1", "--no-browser")
    assert done.returncode == 2 and "--lan" in done.stderr and "--host" in done.stderr


# When it cannot listen ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["no-such-host.invalid", "a..b", "." + "x" * 300, "http://127.0.0.1", "127.0.0.1:80", "192.0.2.77", " "],
)
def test_a_host_that_is_none_is_reported(host):
    """An unknown name, what is no name, and the address of another machine end in a sentence."""
    with pytest.raises(CannotStart, match="Cannot listen on"):
        bind(host, 0)


@ipv6
@pytest.mark.parametrize(("busy", "host"), [("::1", "::1"), ("::1", "::"), ("127.0.0.1", "::")])
def test_a_port_that_is_busy_in_one_family_is_busy(busy, host):
    """The command that would work names the host, too; nothing is left bound in the other family."""
    (taken,) = listen.listen(busy, 0)
    with closing(taken), pytest.raises(PortBusy) as refused:
        bind(host, taken.getsockname()[1])
    port = int(re.search(rf"run_lab.py --port (\d+) --host {re.escape(host)}$", str(refused.value))[1])
    for again in bind(host, port):
        again.close()


def test_the_last_port_has_no_next_one():
    """Above 65535 there is no port: any free one is offered instead."""
    assert str(PortBusy(65535, "127.0.0.1")).endswith("run_lab.py --port 0")


def test_all_families_have_one_port():
    """With port 0 the port that is free is the same for all addresses."""
    sockets = listen.listen("::", 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        each.close()


def test_a_missing_address_is_left_out(monkeypatch):
    """A name may lead to an address that this machine does not have, as where IPv6 is off."""
    monkeypatch.setattr(listen, "addresses_of", lambda host: ["127.0.0.1", "192.0.2.77"])
    (bound,) = listen.listen("both.example", 0)
    assert bound.getsockname()[0] == "127.0.0.1"
    bound.close()


@pytest.mark.parametrize(
    ("bound", "local"),
    [(["0.0.0.0"], "127.0.0.1"), (["::"], "::1"), (["::1", "127.0.0.1"], "127.0.0.1"), (["::1"], "::1"),
     (["0.0.0.0", "::"], "127.0.0.1"), (["fd00::2", "10.0.0.2"], "10.0.0.2"), (["10.0.0.2", "::1"], "::1")],
)  # fmt: skip
def test_the_nearest_address_is_local(bound, local):
    """This machine goes by 127.0.0.1 if it can, else by another address of its own."""
    assert nearest(bound) == local


def test_what_stands_in_a_url():
    """IPv6 in brackets (RFC 3986 3.2.2), the zone escaped (RFC 6874)."""
    urls = [in_url(address) for address in ("10.0.0.2", "::1", "fe80::1%eth0")]
    assert urls == ["10.0.0.2", "[::1]", "[fe80::1%25eth0]"]
    assert addresses.for_others(["127.0.0.1", "::1", "fe80::1%eth0", "10.0.0.2"]) == ["10.0.0.2"]
