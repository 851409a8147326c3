"""The teacher's action for the page `/proxy`: try all techniques through an nginx with faults, or end it."""

from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.proxy.lessons import HEARTBEAT_S, HOLD_S, Setup
from lab.proxy.switches import parse
from lab.server.api.teacher import Action
from lab.server.lesson.parameters import number, one_of

MOST_LABS = 2
"""Labs of a trial."""


class ProxyAction(Action):
    """A trial: `{"do": "try", "switches", "hold", "heartbeat", "labs"}`; or `{"do": "stop"}`."""

    ends_demonstration = True

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Begin a trial, or end nginx; returns the state. Raises `BadParameter`."""
        trials = self.lesson.proxy_trials
        if one_of(wanted, "do", ("try", "stop")) == "stop":
            await trials.stop()
        else:
            await trials.start(wanted_setup(wanted))
        return trials.as_json()


def wanted_setup(wanted: JsonObject) -> Setup:
    """The trial that a teacher asks for. Raises `BadParameter`."""
    switches = parse(str(wanted.get("switches", "")))
    labs = int(number(wanted, "labs", 1, 1, MOST_LABS))
    if labs == 1 and switches.of_several:
        raise BadParameter(f"{switches.of_several[0]} needs several labs.")
    if not switches.shared:
        raise BadParameter(
            "A Redis for each lab can only be tried in the terminal: --labs 2 --proxy shared=off."
        )
    hold = number(wanted, "hold", HOLD_S, 0.5, HOLD_S)
    return Setup(switches, hold, number(wanted, "heartbeat", HEARTBEAT_S, 0.5, HEARTBEAT_S), labs)
