"""What can happen to Redis. Each docstring says what must hold beyond the checker's invariants."""

import asyncio
import time
from subprocess import CalledProcessError

from tests.faults.scene import Scene
from tests.support.small_disk import SmallDisk

SMALL = 8_000_000
"""Bytes of a disk on which a log has room for any fault here, and which is full in a moment."""
SEE_S = 30.0


async def kill_redis(scene: Scene) -> None:
    """Redis is killed and started again after 3 s: with a log the history goes on, else all are reset."""
    await asyncio.to_thread(scene.redis.kill)
    await scene.pause(3)
    await asyncio.to_thread(scene.redis.start)


async def flush(scene: Scene) -> None:
    """Everything in Redis is deleted: one reset each."""
    scene.redis.client.flushall()


async def delete(scene: Scene) -> None:
    """The stream alone is deleted: one reset each."""
    scene.redis.client.delete("pushlab:room")


async def put_back(scene: Scene) -> None:
    """An older copy of the log is put back: a reset each, and no id with two contents."""
    await asyncio.to_thread(scene.redis.save_copy)
    copied = scene.last
    await scene.pause(3)
    async with asyncio.timeout(30):
        while scene.last <= copied:  # noqa: ASYNC110 - a copy that lacks nothing is no older one
            await asyncio.sleep(0.1)
    await asyncio.to_thread(scene.redis.put_back)


async def freeze(scene: Scene, seconds: float = 7) -> None:
    """Redis hangs: one copy of each message, alive but not ready within 6 s, and the history goes on."""
    scene.redis.freeze()
    try:
        began = time.monotonic()
        await scene.becomes("/readyz", 503, 6)
        await scene.becomes("/healthz", 200, 1)
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
    finally:
        scene.redis.thaw()


async def freeze_long(scene: Scene) -> None:
    """The same for 70 s, longer than any timeout in between."""
    await freeze(scene, 70)


async def cut_the_tail(scene: Scene) -> None:
    """Only the connection that follows the history is killed: all receive again within 2 s."""
    tails = [each["id"] for each in scene.redis.client.client_list() if each["cmd"] == "xread"]
    for tail in tails:
        scene.redis.client.client_kill_filter(_id=tail)
    scene.notes.append(f"{len(tails)} killed")


async def refuse_writes(scene: Scene) -> None:
    """Redis has no memory left: sends are refused for sure, not ready, no restart is needed."""
    scene.redis.client.config_set("maxmemory", "1")
    await scene.becomes("/readyz", 503, 6)
    await scene.pause(3)
    scene.redis.client.config_set("maxmemory", "0")


async def read_only(scene: Scene) -> None:
    """Redis became a replica: sends are refused for sure, and all is well when it is a master again."""
    scene.redis.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    await scene.pause(3)
    scene.redis.client.execute_command("REPLICAOF", "NO", "ONE")


async def demand_password(scene: Scene) -> None:
    """Redis asks for a password that the lab does not have: the lab is alive, not ready, and recovers."""
    scene.redis.client.config_set("requirepass", "secret")
    scene.redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await scene.becomes("/readyz", 503, 6)
    await scene.pause(3)
    scene.redis.client.config_set("requirepass", "")


def disk_missing() -> str | None:
    """Why no small disk can be had here."""
    try:
        SmallDisk(SMALL).close()
    except (CalledProcessError, OSError):
        return "no disk can be mounted; needs root on Linux"
    return None


async def fill_disk(scene: Scene) -> None:
    """The disk of the log is full: sends are refused for sure, not ready, no restart is needed."""
    scene.redis.disk.fill()
    async with asyncio.timeout(SEE_S):
        while scene.redis.client.info("persistence")["aof_last_write_status"] == "ok":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await scene.becomes("/readyz", 503, 6)
    await scene.pause(4)
    scene.redis.disk.free()


async def fill_disk_for_good(scene: Scene) -> None:
    """Each write is forced to a full disk: Redis ends; started again, it has all that was acknowledged."""
    scene.redis.disk.fill()
    await asyncio.to_thread(scene.redis.process.wait, SEE_S)
    await scene.becomes("/readyz", 503, 6)
    await scene.pause(3)
    scene.redis.disk.free()
    await asyncio.to_thread(scene.redis.start)
