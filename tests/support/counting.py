"""What clients and meters have counted, held against each other."""

from dataclasses import asdict

import pytest

from tests.support.drafts import draft
from tests.support.listeners import POLLING, client

TEXTS = ["short", "中文，带标点", "x" * 300, "</script>&\u2028\u2029<!--", 'quotes "\\" and \n']
WAYS, USES = ("bytes_in", "bytes_out"), ("receive", "send")
each_way_to_connect = pytest.mark.parametrize("keep_alive", [True, False], ids=["kept-alive", "closed"])


async def visit(mode, port, place, keep_alive=True):
    """Connect, send some messages and one twice, receive them all, get one empty answer, and leave."""
    listener = await client(mode, port, keep_alive=keep_alive).connect(place)
    mids = [draft()["mid"] for _ in TEXTS]
    for text, mid in zip([*TEXTS, TEXTS[0]], [*mids, mids[0]], strict=True):
        await listener.send(text, "ann", mid=mid)
    await listener.receive(len(TEXTS))
    if mode in POLLING:
        await listener.poll(hold="0")
    await listener.leave()
    return listener


def growth(before, after):
    """What has been added to each figure."""
    if isinstance(before, dict):
        return {name: growth(before[name], after[name]) for name in before}
    return (after or 0) - (before or 0)


def moved(meter, way):
    """The bytes of one technique in one way, receiving and sending together."""
    return meter["receive"][way] + meter["send"][way]


def assert_tally(meter, tally):
    """The meter has counted what the client saw, and the rest of the bytes is framing."""
    assert {name: meter[name] for name in asdict(tally)} == asdict(tally)
    parts = meter["head_bytes"] + meter["framing_bytes"] + meter["payload_bytes"]
    assert parts == meter["bytes_in"] + meter["bytes_out"]
    assert meter["framing_bytes"] >= 0


def assert_conserved(counts):
    """The techniques and `other` together are the total, exactly."""
    for way in WAYS:
        parts = sum(moved(meter, way) for meter in counts["techniques"].values())
        assert parts + counts["other"][way] == counts["total"][way], way


def leaves(tree):
    """All figures in a tree of figures."""
    return [leaf for part in tree.values() for leaf in leaves(part)] if isinstance(tree, dict) else [tree]
