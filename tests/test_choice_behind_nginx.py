"""The room without a chosen technique behind a real nginx that is set up wrong in one way each."""

import pytest
from playwright.sync_api import expect

from lab.catalogue import PREFERENCE, TECHNIQUES
from tests.support.browsing import post
from tests.support.nginx import Nginx, nginx_missing
from tests.support.room_user import publishing

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(nginx_missing()), reason=str(nginx_missing())),
]

PASS = "proxy_pass http://lab; proxy_set_header Host $http_host;"
HTTP_1_1 = "proxy_http_version 1.1;"
UPGRADE = (
    f"{HTTP_1_1} proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
)
BUFFERS = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"
SILENT = "proxy_read_timeout 3s;"
FAULTS = {
    "none": (PASS + UPGRADE, {"websocket"}),
    "no upgrade": (PASS, {"sse"}),
    "no upgrade, HTTP/1.1": (PASS + HTTP_1_1, {"sse"}),
    "buffering, HTTP/1.1": (PASS + HTTP_1_1 + BUFFERS, {"sse"}),
    "buffering": (PASS + UPGRADE + BUFFERS, {"websocket"}),
    "buffering and no upgrade": (PASS + BUFFERS, {"longpoll"}),
    "short timeout": (PASS + UPGRADE + SILENT, set(PREFERENCE)),
    "short timeout, buffering and no upgrade": (PASS + BUFFERS + SILENT, {"longpoll", "shortpoll"}),
}
"""For each: the location, and the techniques of which one is in use in the end. nginx 1.22 buffers a stream
only when it asks the lab by HTTP/1.0, its default; chunks of HTTP/1.1 it passes on at once."""
SETTLED_MS = 40_000


@pytest.fixture
def proxy(request, lab_here):
    """Nginx with a fault."""
    nginx = Nginx([lab_here.lab.port], f"location / {{ {FAULTS[request.param][0]} }}")
    yield request.param, f"http://127.0.0.1:{nginx.port}"
    nginx.close()


@pytest.mark.parametrize("proxy", FAULTS, indirect=True)
def test_every_message_arrives_once_and_in_order(lab_here, browser, proxy):
    """Before, while and after the page finds its technique, with a pause that cuts what is silent."""
    fault, address = proxy
    modes = FAULTS[fault][1]
    ids = [post(lab_here.address)]
    context = browser.new_context(locale="en")
    page = context.new_page()
    connect(page, f"{address}/room")
    with publishing(lab_here.address, 0.2) as published:
        titles = "|".join(TECHNIQUES[mode].title for mode in modes)
        page.wait_for_function(
            """([modes, titles]) => {
                const text = document.getElementById("choice").textContent;
                const current = document.querySelector("[data-mode][aria-current=true]").dataset.mode;
                return modes.includes(current) && titles.split("|").some((title) => text.includes(title)) &&
                    !text.includes("trying");
            }""",
            arg=[sorted(modes), titles],
            timeout=SETTLED_MS,
        )
    ids += published
    page.wait_for_timeout(4_000)  # the silence that is tested: longer than the shortest timeout
    ids.append(post(lab_here.address, "at the end"))
    expect(page.locator(f"#messages [data-id='{ids[-1]}']")).to_have_count(1)
    shown = page.locator("#messages [data-id]").evaluate_all("lines => lines.map(({dataset}) => dataset.id)")
    assert shown == ids
    context.close()


def connect(page, url):
    """Open the page once nginx listens."""
    for _ in range(100):
        try:
            return page.goto(url)
        except Exception as error:
            if "REFUSED" not in str(error):
                raise
            page.wait_for_timeout(50)
