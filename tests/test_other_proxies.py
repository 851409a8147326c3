"""HAProxy and Caddy before the lab: what is different from nginx, as these versions show it.

The symptoms are those of HAProxy 2.6 and Caddy 2.6. All techniques go through one proxy at the same time.
"""

import asyncio

import pytest

import lab
from lab.catalogue import MODES, TECHNIQUES
from lab.clients.link import Link
from lab.clients.reconnecting import keep_receiving
from lab.errors import BadParameter, CannotStart
from lab.experiment.trial import trial
from lab.proxy import private
from lab.proxy.caddy import Caddy
from lab.proxy.haproxy import HAProxy
from lab.proxy.programs import MODULES, WITHOUT, read
from tests.support.again import if_the_lab_stood_still
from tests.support.run_lab import QUICK, run_lab
from tests.support.wire import HOST, eventually, fetch

pytestmark = pytest.mark.timeout(120)
PROGRAMS = {"haproxy": HAProxy, "caddy": Caddy}
SILENCE_S = 3.0


def of_verb(ask="ok", wait="ok", stream="ok", **others):
    """One symptom for each verb, and those that differ for one technique."""
    verbs = {"ask": ask, "wait": wait, "stream": stream}
    return {mode: verbs[technique.verb] for mode, technique in TECHNIQUES.items()} | others


SYMPTOMS = {
    "haproxy,good": of_verb(),
    "haproxy,timeout=1s": of_verb(wait="504", stream="cut", websocket="ok"),
    "haproxy,idle=1s": of_verb(stream="cut", websocket="1006"),
    "haproxy,upgrade=off": of_verb(websocket="426"),
    "haproxy,host=off": of_verb("421", "421", "421"),
    "caddy,good": of_verb(),
    "caddy,timeout=1s": of_verb(wait="504", stream="cut", websocket="1006"),
    "caddy,upgrade=off": of_verb(websocket="426"),
    "caddy,host=off": of_verb("421", "421", "421"),
    "caddy,gzip=on": of_verb(iframe="late", sse="late"),
    "caddy,buffering=on": of_verb(stream="late"),
}
ENDS = {"haproxy,timeout=1s": {"sH--": "/longpoll", "sD--": "/sse"}, "haproxy,idle=1s": {"sD--": "/sse"}}
"""How HAProxy's log says that the side of the lab was silent: before its response, or within it."""
EACH = [pytest.param(spec, marks=pytest.mark.needs(read(spec).program), id=spec) for spec in SYMPTOMS]


def symptom(result):
    """What a client saw, in one word."""
    return str(result["status"] or result["close_code"] or result["lamp"])


async def tried(port, proxy):
    """The symptom of each technique; the lab is not ended for what is held back."""
    found = []

    async def step(name, results):
        found[:] = results

    async def release():
        pass

    await trial(f"http://{HOST}:{port}", proxy.url, SILENCE_S, release, step)
    return {result["mode"]: symptom(result) for result in found}


@if_the_lab_stood_still
@pytest.mark.parametrize("spec", EACH)
async def test_what_each_fault_does(spec, lab):
    """Every technique shows the symptom of the fault; all requests are in the log."""
    program, switches = read(spec)
    with PROGRAMS[program](switches, [f"{HOST}:{lab.port}"]) as proxy:
        assert await tried(lab.port, proxy) == SYMPTOMS[spec]
        targets = {answer["target"].partition("?")[0] for answer in proxy.answers()}
        assert "/shortpoll" in targets and targets <= {f"/{mode}" for mode in MODES}
        for end, target in ENDS.get(spec, {}).items():
            assert any(
                answer["end"] == end and answer["target"].startswith(target) for answer in proxy.answers()
            )
        assert {line.switch for line in proxy.lines} - {None} == changed(spec)
    assert proxy.process.poll() is not None and not proxy.folder.exists()


def changed(spec):
    """The switches in a spec."""
    return {part.partition("=")[0] for part in spec.split(",") if "=" in part}


@pytest.mark.needs("caddy")
async def test_a_reload_of_caddy_closes_websockets(lab):
    """A WebSocket is closed by a reload, its client reconnects; an event stream goes on."""
    failures = {"websocket": [], "sse": []}
    with Caddy(read("caddy").switches, [f"{HOST}:{lab.port}"]) as proxy:
        links = {
            mode: Link(proxy.url, after="latest", fails=failures[mode].append, accepts=lambda: None)
            for mode in failures
        }
        tasks = [asyncio.create_task(keep_receiving(mode, link)) for mode, link in links.items()]

        async def both_listen():
            meters = (await fetch(lab.port, "GET", "/meters")).json["techniques"]
            return all(meters[mode]["open"] for mode in failures)

        async def closed():
            return bool(failures["websocket"])

        await eventually(both_listen, "both are connected")
        await asyncio.to_thread(proxy.reload)
        await eventually(closed, "the WebSocket is closed")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in links.values():
            await link.__aexit__()
    assert failures["sse"] == []


@pytest.mark.needs("haproxy")
def test_a_measured_run_goes_through_haproxy():
    """The run has the version of HAProxy, and polls that were cut lose nothing."""
    run = lab.measure("longpoll", clients=2, rate=0.5, duration=4, seed=2, proxy="haproxy,timeout=300ms")
    assert run.clean and run.delivered == 4
    assert run.proxy["version"].startswith("haproxy/")
    assert run.proxy["seen"]["statuses"].keys() == {"504"}
    assert run.conditions["proxy"] == "haproxy,timeout=0.3s"


@pytest.mark.needs("caddy")
def test_the_command_names_the_program():
    """The table says through which program."""
    done = run_lab("--mode", "sse", "--proxy", "caddy", *QUICK)
    assert done.returncode == 0 and "through Caddy (good)" in done.stdout
    assert "seen through caddy/" in done.stdout


def test_a_switch_that_means_nothing_is_refused():
    """With the name of the program and the reason; `read` and `str` agree."""
    values = {"buffering": "on", "gzip": "on", "http": "1.0", "keepalive": "5", "idle": "3s"}
    for program, missing in WITHOUT.items():
        for switch, reason in missing.items():
            with pytest.raises(BadParameter, match=f"has no switch {switch}: {reason}"):
                read(f"{program},{switch}={values[switch]}")
    with pytest.raises(BadParameter, match="HAProxy has no upgrade=always"):
        read("haproxy,upgrade=always")
    with pytest.raises(BadParameter, match="Caddy has no switch balance: several labs need nginx"):
        read("caddy,balance=hash")
    with pytest.raises(BadParameter, match="Only nginx can be in front of several labs; leave out haproxy"):
        lab.measure("sse", proxy="haproxy", labs=2)
    for spec in (*SYMPTOMS, "timeout=3s,upgrade=off", "good"):
        assert str(read(spec)) == spec
    assert str(read("nginx,timeout=3s")) == "timeout=3s" and str(read("caddy")) == "caddy,good"


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_the_program_the_error_has_the_line_that_installs_it(program, monkeypatch):
    """In one sentence, before anything is measured."""
    monkeypatch.setattr(private.shutil, "which", lambda name, path=None: name == "apt-get" or None)
    with pytest.raises(CannotStart, match=f"apt-get install {program}"):
        lab.measure("sse", proxy=program)


@pytest.mark.parametrize("program", [pytest.param(name, marks=pytest.mark.needs(name)) for name in PROGRAMS])
def test_a_refused_configuration(program, tmp_path, monkeypatch):
    """What the program does not accept is the reason, and no folder is left."""
    monkeypatch.setattr(private.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(CannotStart, match=f"{program} does not accept its configuration: "):
        PROGRAMS[program](read(program).switches, ["http://127.0.0.1:1/path"])
    assert list(tmp_path.iterdir()) == []


def test_every_program_is_tested():
    """No program is without its symptoms in this file."""
    assert set(PROGRAMS) == set(MODULES) - {"nginx"} == {read(spec).program for spec in SYMPTOMS}
