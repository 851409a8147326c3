"""The anatomy page in a browser: units and bytes, sources, six tools, forbidden frames, duplex, print."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

from lab.anatomy.handshake import accept_steps
from lab.catalogue import MODES
from tests.support.browsing import (
    LOOKS,
    PHONE,
    PROJECTOR,
    barriers,
    picture,
    post,
    sheets,
    too_much,
    too_small,
)
from tests.support.lab_here import LabHere

pytestmark = pytest.mark.needs("chromium")
HELLO = "818537fa213d7f9f4d5158"


@pytest.fixture(scope="module")
def school():
    """A lab without a user."""
    with LabHere() as school:
        yield school


@pytest.fixture(scope="module")
def recorded(school):
    """The recorded exchanges by technique."""
    with urllib.request.urlopen(f"{school.address}/anatomy/recorded") as answer:
        return {one["mode"]: one for one in json.load(answer)["exchanges"] if not one["variant"]}


@pytest.fixture
def page(visit, school):
    """The page, its first exchange shown."""
    page = visit(school.address).open("/anatomy")
    expect(page.locator("#exchange .units li").first).to_be_visible()
    return page


def chosen(page):
    """The text of the chosen unit's row."""
    return page.locator("#exchange .units [aria-selected=true]").inner_text()


def has_message(unit):
    """Whether a unit has bytes of a message."""
    return any(field["part"] == "payload" for field in unit["fields"])


def bytes_shown(page):
    """The hexadecimal digits of the chosen unit."""
    rows = page.locator("#exchange .grid .hex").all()
    return "".join("".join(row.locator("span").all_inner_texts()) for row in rows).replace(" ", "")


# Units and bytes ----------------------------------------------------------------------------------


def test_every_byte_of_a_unit_is_shown_with_its_field(page, recorded):
    """The frame's digits are those of the recording, and each belongs to a head, framing or payload field."""
    unit = next(u for u in recorded["websocket"]["units"] if u["kind"] == "text" and u["came"])
    sent = "".join(part["text"] for part in recorded["websocket"]["parts"] if part["came"])
    start, end = unit["fields"][0]["start"], unit["fields"][-1]["end"]
    assert bytes_shown(page) == sent[start:end].encode("latin-1").hex()
    named = [f["name"] for f in unit["fields"]]
    assert page.locator("#exchange .field-list li").count() == len(named)
    bits = f"{ord(sent[start]):08b}{ord(sent[start + 1]):08b}"
    assert page.locator("#exchange .boxes").get_attribute("aria-label").endswith(bits)


def test_keys_choose_units_and_fields(page):
    """Down and up for units, left and right for fields, N shows one field after the other."""
    page.locator("#exchange .units").focus()
    first = chosen(page)
    page.keyboard.press("ArrowDown")
    assert chosen(page) != first
    page.keyboard.press("ArrowUp")
    assert chosen(page) == first
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#exchange .note b")).to_contain_text("masking key")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#exchange .note b")).to_contain_text("MASK, length")
    page.keyboard.press("n")
    assert page.locator("#exchange .field-list [data-field]").all_inner_texts()[1:] == ["…"] * 3
    page.keyboard.press("n")
    expect(page.locator("#exchange .note b")).to_contain_text("MASK, length")


def test_units_can_be_filtered(page):
    """Handshake, messages, ping and pong, close: what the browser's own tools do not show among them."""
    for name, wanted in {
        "handshake": ["GET /websocket", "101 Switching Protocols"],
        "alive": ["ping", "pong, masked"],
        "close": ["close: 1001, masked", "close: 1001"],
    }.items():
        page.locator(f"#exchange .filters [value={name}]").click()
        expect(page.locator("#exchange .units .label")).to_have_text(wanted)
    page.locator("#mode").select_option("longpoll")
    expect(page.locator("#exchange .filters [value=close]")).to_be_hidden()


def test_every_technique_has_its_recording(page, recorded):
    """One row for each unit; and the further ones: a POST, binary frames, compressed ones."""
    for mode in MODES:
        page.locator("#mode").select_option(mode)
        expect(page.locator("#exchange .units li")).to_have_count(len(recorded[mode]["units"]))
    for variant, label in {
        "shortpoll:send": "POST /shortpoll",
        "websocket:binary": "binary frame",
        "websocket:kept": "text frame: message",
    }.items():
        page.locator("#mode").select_option(variant)
        expect(page.locator("#exchange .label").get_by_text(label).first).to_be_visible()


# Sources ------------------------------------------------------------------------------------------


def test_a_link_opens_the_sandbox_with_its_bytes(visit, school):
    """And what is typed there is in the link, so that it can be shown to others."""
    page = visit(school.address).open(f"/anatomy#{HELLO}")
    expect(page.locator("#exchange .label")).to_have_text("text frame, masked")
    assert bytes_shown(page) == HELLO
    page.locator("#hex").fill("89 00")
    expect(page.locator("#exchange .label")).to_have_text("ping")
    assert page.url.endswith("/anatomy#8900")
    page.reload()
    expect(page.locator("#exchange .label")).to_have_text("ping")
    page.locator("#hex").fill("GET /sse HTTP/1.1\nHost: a\n\n")
    expect(page.locator("#exchange .label")).to_have_text("GET /sse")
    page.locator("#hex").fill("00" * 4097)
    expect(page.locator("#about")).to_contain_text("4,096")


def test_a_users_own_bytes_appear_when_a_message_comes(page, school):
    """The page listens by the technique, and shows the request that brought the message."""
    page.locator("#mode").select_option("longpoll")
    page.locator("[data-source=live]").click()
    expect(page.locator("#about")).to_contain_text("listens")
    page.locator("#live-send input").fill("seen live")
    page.locator("#live-send input").press("Enter")
    expect(page.locator("#exchange .field-list").get_by_text("seen live")).to_be_visible()
    expect(page.locator("#about")).to_contain_text("this room")
    page.locator("#mode").select_option("websocket")
    page.locator("#live-send input").fill("sent in a frame")
    page.locator("#live-send input").press("Enter")
    expect(page.locator("#exchange .label").get_by_text("masked").first).to_be_visible()


# One message on all wires -------------------------------------------------------------------------


def test_all_wires_have_one_scale_and_the_recorded_sizes(page, recorded):
    """The table and the bars have the bytes of the recordings; of a stream one unit, of a poll all."""
    rows = page.locator("#wires tbody tr")
    page.locator("#wires summary").click()
    scales = set()
    for mode in MODES:
        row = page.locator(f"#wires tbody tr.{mode}")
        *_, total = (int(cell.replace(",", "")) for cell in row.locator("td").all_inner_texts())
        units = recorded[mode]["units"]
        if recorded[mode]["verb"] == "stream":
            units = [u for u in units if not u["came"] and any(f["part"] == "payload" for f in u["fields"])][
                -1:
            ]
        assert total == sum(u["fields"][-1]["end"] - u["fields"][0]["start"] for u in units)
        widths = page.locator(f"#wires g.{mode} rect").evaluate_all(
            "all => all.map(e => e.width.baseVal.value)"
        )
        scales.add(round(sum(widths) / total, 4))
    assert rows.count() == len(MODES)
    assert len(scales) == 1


def test_the_picture_prints_on_one_page(page):
    """A4, nothing else on it."""
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


# Tools --------------------------------------------------------------------------------------------


def open_tool(page, name):
    """A tool, once it is loaded, and its first control focused."""
    tool = page.locator(f"#tool-{name}")
    tool.scroll_into_view_if_needed()
    tool.locator("input, select").first.focus()
    return tool


def test_every_tool_works_by_keyboard(page):
    """Each is used once with keys alone, and computes what the standard says."""
    keys = page.keyboard
    tool = open_tool(page, "accept")
    keys.press("Control+a")
    keys.type("x3JJHMbDL1EzLkh9GBhXDw==")
    expect(tool.locator("dd").last).to_have_text(accept_steps("x3JJHMbDL1EzLkh9GBhXDw==").accept)
    for _ in range(3):
        keys.press("Tab")
    keys.press("Enter")
    expect(tool.locator("dd").last).to_have_text("fFBooB7FAkLlXgRSz0BT3v4hq5s=")

    tool = open_tool(page, "length")
    keys.press("Control+a")
    keys.type("65536")
    keys.press("Tab")
    expect(tool.locator("dd").first).to_contain_text("81 7f 00 00 00 00 00 01 00 00")
    keys.press("ArrowLeft")
    expect(tool.locator("dd").last).to_contain_text("81 fe ff ff 37 fa 21 3d")

    tool = open_tool(page, "mask")
    assert "".join(tool.locator("tr").last.locator("td").all_inner_texts()) == "7f9f4d5158"
    keys.press("Tab")
    keys.press("Enter")
    expect(tool.locator("[role=status]")).to_contain_text("01100101 XOR 11111010 = 10011111, that is 9f")

    tool = open_tool(page, "fragments")
    expect(tool.locator("code")).to_have_text("01 03 48 65 6c 80 02 6c 6f")
    keys.press("Tab")
    keys.press("Enter")
    expect(tool.locator("code")).to_have_text("01 01 48 00 02 65 6c 80 02 6c 6f")
    tool.locator("input[type=checkbox]").focus()
    keys.press("Space")
    expect(tool.locator("code")).to_have_text("01 01 48 89 00 00 02 65 6c 80 02 6c 6f")
    expect(tool.locator(".label")).to_have_count(4)

    tool = open_tool(page, "deflate")
    before = tool.locator(".size").first.inner_text()
    keys.press("End")
    keys.type("!!")
    expect(tool.locator(".size").first).not_to_have_text(before)

    tool = open_tool(page, "close")
    keys.press("Tab")
    keys.type("1001")
    expect(tool.locator("li").nth(1)).to_have_text("server: close 1001 · 88 02 03 e9")
    for _ in range(3):
        keys.press("ArrowDown")
    assert tool.locator("select").nth(1).input_value() == "1005"
    expect(tool.locator("li")).to_have_count(1)


# Break it, duplex ---------------------------------------------------------------------------------


def test_a_forbidden_frame_is_sent_and_its_answer_shown(page):
    """The verdict is what the lab did, and the bytes are below."""
    row = page.locator("tr[data-frame=utf8]")
    row.locator("button").press("Enter")
    expect(row.locator("output")).to_contain_text("closed with 1007, as demanded")
    expect(page.locator("#break .label").last).to_have_text("close: 1007")


def test_duplex_counts_the_recorded_units(page, recorded):
    """A poll takes turns; on a WebSocket the client sent while the server was still sending."""
    ways = [unit["came"] for unit in recorded["websocket"]["units"]]
    first, last = ways.index(False), len(ways) - 1 - ways[::-1].index(False)
    within = ways[first:last].count(True)
    assert within > 0
    sentence = page.locator("[data-duplex=websocket] p").inner_text()
    assert [int(n) for n in re.findall(r"\d+", sentence)] == [ways.count(True), ways.count(False), within]
    assert "take turns" in page.locator("[data-duplex=longpoll] p").inner_text()


# Looks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_the_page_has_no_barriers(visit, school, language, theme):
    """Axe finds nothing, in each language and theme, with all tools loaded."""
    page = visit(school.address, language=language, theme=theme).open("/anatomy")
    for tool in page.locator(".tools > section").all():
        tool.scroll_into_view_if_needed()
        expect(tool.locator("input, select").first).to_be_visible()
    assert barriers(page) == []
    picture(page, f"anatomy-{language}-{theme}", whole=True)


def test_a_projector_shows_each_part_without_scrolling(visit, school):
    """One part at a time, in letters for the last row."""
    page = visit(school.address, language="zh-CN", size=PROJECTOR).open("/anatomy?view=projector")
    expect(page.locator("#exchange .units li").first).to_be_visible()
    for name in sheets(page):
        if name != "fragments":  # its frames are below, as the page of an exchange
            assert too_much(page) == [], name
        assert too_small(page) == [], name


def test_a_phone_shows_it_in_one_column(visit, school):
    """At 360 px nothing is wider than the screen; a unit can be chosen by touch."""
    page = visit(school.address, size=PHONE).open("/anatomy")
    page.locator("#exchange .units li").nth(1).click()
    expect(page.locator("#exchange h3")).to_contain_text("response")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_student_sees_own_bytes_while_another_has_the_lane(visit, school):
    """Not those of the other listener, who came first."""
    other = visit(school.address).open("/room?mode=sse")
    expect(other.locator("[data-status=waiting]")).to_be_visible()
    page = visit(school.address).open("/anatomy")
    page.locator("#mode").select_option("sse")
    page.locator("[data-source=live]").click()
    expect(page.locator("#about")).to_contain_text("listens")
    page.locator("#live-send input").fill("for both")
    page.locator("#live-send input").press("Enter")
    expect(page.locator("#exchange .field-list").get_by_text("for both")).to_be_visible()
    page.locator("#exchange .units li").first.click()
    target = page.locator("#exchange .field-list bdi").nth(1).inner_text()
    assert target.startswith("/sse?")
    assert "client=" not in target  # as the other's has


def test_the_teacher_sees_the_bytes_of_all(open_page, school):
    """The newest request in the lane, of the listener who has it."""
    open_page(school, "/room?mode=sse").wait_for_selector("[data-status=waiting]")
    page = open_page(school, "/anatomy", teacher=True)
    page.locator("#mode").select_option("sse")
    page.locator("[data-source=live]").click()
    post(school.address, "seen by the teacher")
    expect(page.locator("#exchange .field-list").get_by_text("seen by the teacher")).to_be_visible()
    page.locator("#exchange .units li").first.click()
    assert "client=" in page.locator("#exchange .field-list bdi").nth(1).inner_text()
