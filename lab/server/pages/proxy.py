"""The page of the proxy: switches, the nginx.conf that they make, and what each technique makes of it."""

from lab.errors import Forbidden
from lab.proxy.lessons import HEARTBEAT_S, HOLD_S, LESSONS, Lesson, Setup
from lab.proxy.switches import BALANCES
from lab.server.pages.page import Page

CHOICES = {
    "timeout": ("60s", "3s", "1s"),
    "buffering": ("off", "on"),
    "http": ("1.1", "1.0"),
    "upgrade": ("on", "off", "always"),
    "host": ("on", "off"),
    "gzip": ("off", "on"),
    "idle": ("", "5s", "3s"),
    "keepalive": ("1000", "5", "1"),
    "labs": ("1", "2"),
    "balance": BALANCES,
    "retry": ("off", "on"),
    "hold": (f"{HOLD_S:g}", "1"),
    "heartbeat": (f"{HEARTBEAT_S:g}", "1"),
}
"""For each switch what can be chosen, first what a proxy without fault has; `labs` and the last two are not
switches of the proxy."""
TOLD = {
    "sticky": "https://socket.io/docs/v4/using-multiple-nodes/",
    "goaway": "https://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_requests",
    "tunnels": "https://github.com/jupyterhub/jupyter-server-proxy/issues/502",
    "defaults": "https://nginx.org/en/CHANGES",
    "others": "https://docs.haproxy.org/2.6/configuration.html",
}
"""What the page only tells: the key of its text, and its source."""


class ProxyPage(Page):
    """The faulty proxy, which needs the teacher's cookie."""

    text_prefixes = ("proxy.", "bet.open")

    def get(self) -> None:
        """Send the page; its state comes over `/live`. Raises `Forbidden`."""
        if not self.is_teacher:
            raise Forbidden("The proxy opens from the teacher's console only.")
        lessons = {name: (lesson.number, orders(lesson)) for name, lesson in LESSONS.items()}
        self.show(
            "proxy.html",
            lessons=lessons,
            choices=CHOICES,
            told=TOLD,
            missing=self.lesson.proxy_trials.missing(),
        )


def orders(lesson: Lesson) -> dict[str, dict[str, object]]:
    """What the page sends for the fault and for its cure."""
    return {name: order(setup) for name, setup in (("fault", lesson.fault), ("cure", lesson.cure))}


def order(setup: Setup) -> dict[str, object]:
    """One trial, as the teacher's action reads it."""
    return setup._asdict() | {"switches": str(setup.switches)}
