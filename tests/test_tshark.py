"""Wireshark's dissector as a witness: it finds the same frames in the same bytes."""

import json
import struct
import subprocess

import pytest

from lab import folders
from lab.anatomy import Part, dissect
from tests import tools

pytestmark = pytest.mark.needs("tshark")
PORTS = {True: (50000, 8000), False: (8000, 50000)}
"""Source and destination, by whether the client sends."""
FIELDS = ("opcode", "fin", "mask", "payload_length", "rsv", "masking_key", "payload_length_ext_16")
RAW_IP = 101
SYN, ACK, PUSH = 2, 16, 8


def packet(came, sequence, acknowledged, data=b"", flags=ACK | PUSH):
    """One IPv4 packet with a TCP segment; tshark checks no checksum."""
    tcp = struct.pack("!HHIIBBHHH", *PORTS[came], sequence, acknowledged, 0x50, flags, 65535, 0, 0) + data
    here, there = (b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")[:: 1 if came else -1]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + here + there
    return ip + tcp


def capture(parts, path):
    """Write the parts as a capture file, after a TCP handshake."""
    places = {True: 1, False: 1}
    packets = [
        packet(True, 0, 0, flags=SYN),
        packet(False, 0, 1, flags=SYN | ACK),
        packet(True, 1, 1, flags=ACK),
    ]
    for part in parts:
        packets.append(packet(part.came, places[part.came], places[not part.came], part.data))
        places[part.came] += len(part.data)
    file = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)
    for n, data in enumerate(packets):
        file += struct.pack("=IIII", 1_700_000_000 + n, 0, len(data), len(data)) + data
    path.write_bytes(file)


def tshark(path, *fields):
    """What tshark finds in each packet with frames: the port of the sender, and lists of values by field."""
    options = [option for field in fields for option in ("-e", f"websocket.{field}")]
    command = [tools.find("tshark"), "-r", str(path), "-d", "tcp.port==8000,http", "-Y", "websocket"]
    command += ["-T", "fields", "-E", "separator=;", "-E", "aggregator=|", "-e", "tcp.srcport", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    for line in done.stdout.splitlines():
        port, *columns = line.split(";", len(fields))
        yield port == "50000", [column.split("|") if column else [] for column in columns]


def witnessed(path):
    """The frames that tshark finds: direction, opcode, FIN, mask, length, RSV and key of each."""
    for came, (*cells, keys, lengths) in tshark(path, *FIELDS):
        keys, lengths = iter(keys), iter(lengths)
        for opcode, fin, mask, length, rsv in (map(number, cell) for cell in zip(*cells, strict=True)):
            size = number(next(lengths)) if length == 126 else length
            key = next(keys).replace(":", "").removeprefix("0x") if mask else ""
            yield came, opcode, fin, mask, size, rsv, key


def number(text):
    """A number or a truth value, as one version of tshark or another writes it."""
    return {"True": 1, "False": 0}.get(text) if text in ("True", "False") else int(text, 0)


def ours(parts):
    """The same of the lab's dissector, from the values of its fields."""
    for unit in dissect(parts, "websocket"):
        fields = {field.name: field for field in unit.fields}
        if "fin-rsv-opcode" in fields:
            data = b"".join(part.data for part in parts if part.came is unit.came)
            first = data[unit.fields[0].start]
            head = sum(
                fields[name].end - fields[name].start
                for name in ("fin-rsv-opcode", "mask-length", "extended-length", "masking-key")
                if name in fields
            )
            size = unit.fields[-1].end - unit.fields[0].start - head
            key = fields["masking-key"].value if "masking-key" in fields else ""
            yield unit.came, first & 15, first >> 7, int(bool(key)), size, (first >> 4) & 7, key


@pytest.fixture(scope="module")
def recorded():
    """The recorded WebSocket exchanges, by variant."""
    found = json.loads((folders.PAGES / "recorded.json").read_text(encoding="utf-8"))["exchanges"]
    return {
        exchange["variant"]: [Part(at, came, text.encode("latin-1")) for at, came, text in exchange["parts"]]
        for exchange in found
        if exchange["mode"] == "websocket"
    }


@pytest.mark.parametrize("variant", ["", "fresh", "kept", "binary"])
def test_tshark_finds_the_same_frames(recorded, variant, tmp_path):
    """Direction, opcode, FIN, RSV, mask, length and key of every frame, in the same order."""
    capture(recorded[variant], tmp_path / "frames.pcap")
    mine = list(ours(recorded[variant]))
    assert len(mine) >= 6
    assert list(witnessed(tmp_path / "frames.pcap")) == mine


def test_it_finds_them_however_tcp_cuts_them(recorded, tmp_path):
    """The same bytes in segments of seven."""
    parts = [
        Part(part.at, part.came, part.data[place : place + 7])
        for part in recorded[""]
        for place in range(0, len(part.data), 7)
    ]
    capture(parts, tmp_path / "cut.pcap")
    assert sorted(witnessed(tmp_path / "cut.pcap")) == sorted(ours(parts))


def test_it_reads_the_same_text(recorded, tmp_path):
    """Every text frame of both sides, without its mask."""
    capture(recorded[""], tmp_path / "texts.pcap")
    texts = [text for _, (texts,) in tshark(tmp_path / "texts.pcap", "payload.text") for text in texts]
    units = [unit for unit in dissect(recorded[""], "websocket") if unit.kind == "text"]
    assert texts == [unit.fields[-1].value for unit in units]
