"""Units as plain text: every byte once, 80 columns, nothing that a terminal would obey."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import lab
from lab.anatomy import LeftOut, Part
from lab.anatomy.printing import COLUMNS, lines
from lab.catalogue import MODES
from tests.support.exchanges import exchange, parts_of
from tests.support.lab_process import ROOT

ROW = re.compile(r"([0-9a-f]{6}) ((?:[0-9a-f]{2} ){0,15}[0-9a-f]{2}) *(?:(?:head|framing|payload) .*)?")
HELLO = """\
client → server: text, 11 bytes, at 0
000000 81                                              framing fin-rsv-opcode
       = FIN 1 = text
000001 85                                              framing mask-length
       = MASK 5
000002 37 fa 21 3d                                     framing masking-key
       = 37fa213d
000006 7f 9f 4d 51 58                                  payload message
       = Hello
"""


def bytes_in(text):
    """The bytes in the rows of these lines, with their offsets, by direction."""
    found, came = {True: b"", False: b""}, None
    for line in text:
        if line.startswith(("client →", "server →")):
            came = line.startswith("client")
        elif row := ROW.fullmatch(line):
            assert int(row[1], 16) == len(found[came])
            found[came] += bytes.fromhex(row[2])
    return found


@pytest.mark.parametrize("data", ["818537fa213d7f9f4d5158", bytes.fromhex("818537fa213d7f9f4d5158")])
def test_a_frame_in_hexadecimal(data, capsys):
    """What a student pastes is shown field by field; a masked frame is from a client."""
    lab.anatomy.show(data)
    assert capsys.readouterr().out == HELLO


@pytest.mark.parametrize("mode", MODES)
def test_every_byte_of_an_exchange(mode):
    """Both directions of each technique, byte by byte, at most 80 columns wide."""
    client, server = exchange(mode)
    text = list(lines(parts_of(client, server), mode))
    assert bytes_in(text) == {True: client, False: server}
    assert max(map(cell_len, text)) <= COLUMNS


@given(st.binary(max_size=200), st.text(max_size=60), st.booleans(), st.sampled_from(["", *MODES]))
def test_any_bytes_are_shown(data, text, came, mode):
    """Whatever they are, all are there, no line is wider, and no control character reaches the terminal."""
    whole = data + b"\x81" + bytes([len(text.encode()) % 126]) + text.encode()
    shown = list(lines([Part(0, came, whole)], mode))
    assert bytes_in(shown)[came] == whole
    assert all(line.isprintable() and cell_len(line) <= COLUMNS for line in shown)


def test_a_chinese_character_takes_two_columns():
    """A long value ends with a sign that there is more, before the line is wider than the terminal."""
    *_, value = lines([Part(0, False, b"\x81\x7e\x00\x96" + "长".encode() * 50)])
    assert value.endswith("长…") and COLUMNS - 3 < cell_len(value) <= COLUMNS


def test_a_request_alone_is_from_a_client(capsys):
    """Bytes of one direction: a request line says whose they are."""
    lab.anatomy.show(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    lab.anatomy.show(b"HTTP/1.1 204 No Content\r\n\r\n")
    heads = [line for line in capsys.readouterr().out.splitlines() if " → " in line]
    assert heads == ["client → server: request, 27 bytes, at 0", "server → client: response, 27 bytes, at 0"]


def test_bytes_that_were_left_out():
    """The offsets go on behind them, and a last line states it."""
    text = list(lines([Part(0, False, b"\x89\x00"), LeftOut(1, False, 1000), Part(2, False, b"\x8a\x00")]))
    assert [line[:9] for line in text if line.startswith("00")] == [
        "000000 89",
        "000001 00",
        "0003ea 8a",
        "0003eb 00",
    ]
    assert "not kept" in text[-1]


def test_text_that_is_not_hexadecimal():
    """It is refused, not guessed."""
    with pytest.raises(ValueError, match="hex"):
        lab.anatomy.show("Hello")


def test_it_needs_no_server():
    """Importing the dissector loads no Tornado, and of the lab only what reads its sentences."""
    code = (
        "import sys, lab; lab.anatomy.dissect([]); "
        "print(*(m for m in sys.modules if m.startswith(('lab.', 'tornado')) and 'lab.anatomy' not in m))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert sorted(loaded) == [
        f"lab.{leaf}" for leaf in ("catalogue", "errors", "folders", "languages", "version")
    ]
