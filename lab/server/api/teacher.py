"""The teacher's actions: requests that change the lesson, and the check that the teacher sends them.

Every action is a POST with a JSON object, from the lab's own pages with the teacher's cookie, or from a
script with `Authorization: Bearer <the token of the link>`. Every other request gets 403.
"""

from lab.errors import BadJson, Forbidden
from lab.json_types import JsonObject
from lab.room.messages import compact
from lab.server.lesson.assignment import WAYS
from lab.server.lesson.lan import adapters
from lab.server.lesson.lesson import Lesson
from lab.server.lesson.parameters import one_of
from lab.server.lesson.questions import BY_HAND
from lab.server.lesson.simulated_students import Plan
from lab.server.live.socket import spread
from lab.techniques.endpoint import Endpoint
from lab.techniques.refusals import parse_json, require_json

BEARER = "Bearer "


class ForTeacher(Endpoint):
    """A handler for the teacher only."""

    def prepare(self) -> None:
        """Check the key. Raises `Forbidden`; `TooManyTries` after several wrong tokens from one address."""
        super().prepare()
        key, given = self.lesson.key, self.request.headers.get("Authorization", "")
        if key.fits(self.get_cookie(self.lesson.cookie, "")):
            return
        if not given or not key.fits_script(given.removeprefix(BEARER), self.request.remote_ip or ""):
            raise Forbidden("This is for the teacher only.")

    @property
    def lesson(self) -> Lesson:
        """The lesson that the pages share."""
        lesson: Lesson = self.settings["lesson"]
        return lesson


class Action(ForTeacher):
    """An action that changes the lesson."""

    ends_demonstration = False
    """Whether the demonstration ends first, because the action is about figures of the lab itself."""

    SUPPORTED_METHODS = ("POST",)

    async def post(self) -> None:
        """Do the action, and respond with the new state."""
        require_json(self.request.headers)
        wanted = parse_json(await self.whole_body())
        if not isinstance(wanted, dict):
            raise BadJson("This request must have a JSON object as its body.")
        if self.ends_demonstration:
            self.lesson.demonstration.stop()
        self.finish(compact(await self.do(wanted)))

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Do the action with these parameters; returns the new state."""
        raise NotImplementedError


class LetPhonesJoin(Action):
    """Listen at an address of this machine's network too: `{"address"}`; without one, the likeliest."""

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Listen, test the address, and return the addresses to choose from."""
        network = self.lesson.network
        found = adapters()
        network.open(str(wanted.get("address") or (found[0].address if found else "")))
        await network.test()
        return network.as_json() | {"adapters": [adapter._asdict() for adapter in found]}


class CrewAction(Action):
    """Simulated students: `{"do": "start", …the plan…}` or `{"do": "stop"}`; browsers alone: `pace`."""

    ends_demonstration = True

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Start or stop simulated students; browsers use the plan's interval and hold from then on."""
        what = one_of(wanted, "do", ("start", "stop", "pace"))
        if what == "stop":
            await self.lesson.simulated.stop()
        else:
            plan = Plan.read(wanted)
            self.lesson.set_pace(plan)
            if what == "start":
                await self.lesson.simulated.start(plan)
        spread(self.lesson)
        return self.lesson.simulated.as_json()


class BetAction(Action):
    """The vote by hand: `{"do": "open"}`, then `{"do": "count"}`, then `{"do": "close"}`.

    It is `"about": "bytes"`, or about the `"proxy"`; a trial of the proxy then ends it.
    """

    ends_demonstration = True

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Move the vote to its next state, and notify every page at once."""
        lesson, what = self.lesson, one_of(wanted, "do", ("open", "count", "close"))
        about = one_of({"about": "bytes"} | wanted, "about", BY_HAND)
        lesson.credit()
        lesson.by_hand.do(what)
        if what == "open":
            lesson.by_hand.question = BY_HAND[about]
        lesson.bet = lesson.by_hand if what != "close" else lesson.guided.bet or lesson.by_hand
        spread(lesson)
        return lesson.by_hand.as_json()


class AssignAction(Action):
    """Which technique new users get: `{"to": "choice" | "rotation" | a mode}`."""

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Change the assignment from now on."""
        self.lesson.assignment.way = one_of(wanted, "to", WAYS)
        return {"to": self.lesson.assignment.way}


class ResetAction(Action):
    """Reset the meters to zero."""

    ends_demonstration = True

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Now."""
        self.lesson.reset()
        return {"since": self.context.meters.since}
