"""The meters in Prometheus' text format, made at each request."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.metrics_core import SummaryMetricFamily
from prometheus_client.registry import Collector

from lab.meters import Meter
from lab.techniques.context import Context
from lab.version import __version__

COUNTED = {
    "pushlab_requests": ("requests", "HTTP requests, a WebSocket handshake included"),
    "pushlab_empty_answers": ("empty", "answers that carried no event"),
    "pushlab_connections": ("connections", "TCP connections that carried such requests"),
    "pushlab_messages": ("messages", "messages delivered, or stored"),
}
PARTS = ("head", "framing", "payload")
WAYS = ("in", "out")


def exposition(context: Context) -> bytes:
    """All meters of this lab as one text."""
    registry = CollectorRegistry()
    registry.register(Meters(context))
    return generate_latest(registry)


class Meters(Collector):
    """The lab's meters as a Prometheus collector."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def collect(self) -> Iterable[Metric]:
        """Every figure, by technique and direction."""
        meters = [
            ((mode, direction), getattr(both, direction))
            for mode, both in self.context.meters.techniques.items()
            for direction in ("receive", "send")
        ]
        for name, (counter, help_) in COUNTED.items():
            yield counted(name, help_, counter, meters)
        yield by_label("pushlab_wire_bytes", "bytes at the server's socket", "way", WAYS, "bytes_{}", meters)
        yield by_label(
            "pushlab_split_bytes", "the same bytes by their use", "part", PARTS, "{}_bytes", meters
        )
        yield delivered(meters)
        yield self._open()
        yield InfoMetricFamily("pushlab_build", "What this lab is", value={"version": __version__})

    def _open(self) -> Metric:
        family = GaugeMetricFamily("pushlab_open", "Receive requests open now", labels=["technique"])
        for mode, both in self.context.meters.techniques.items():
            family.add_metric([mode], both.open)
        return family


Labelled = list[tuple[tuple[str, str], Meter]]


def counted(name: str, help_: str, counter: str, meters: Labelled) -> Metric:
    """One counter of every meter."""
    family = CounterMetricFamily(name, help_, labels=["technique", "direction"])
    for labels, meter in meters:
        family.add_metric(list(labels), getattr(meter, counter))
    return family


def by_label(
    name: str, help_: str, label: str, values: Iterable[str], counter: str, meters: Labelled
) -> Metric:
    """One counter of every meter for each value of one more label."""
    family = CounterMetricFamily(name, help_, labels=["technique", "direction", label])
    for labels, meter in meters:
        for value in values:
            family.add_metric([*labels, value], getattr(meter, counter.format(value)))
    return family


def delivered(meters: Labelled) -> Metric:
    """The number of timed deliveries, and the sum of their delays."""
    family = SummaryMetricFamily(
        "pushlab_delivery_seconds", "Accepted by the history to handed to the socket", labels=["technique"]
    )
    for (mode, direction), meter in meters:
        if direction == "receive":
            family.add_metric([mode], meter.delivery.count, meter.delivery.total)
    return family
