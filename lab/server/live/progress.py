"""The progress of the class on `/live`: the whole sheet for the teacher, and for a student that of a name.

Each second every page receives `exercises`, whether the sheet is open and its `revision`. When this changes,
a teacher's page asks by `{"type":"sheet"}`, another page by `{"type":"progress","name"}`.
"""

from lab.errors import Forbidden
from lab.room.messages import compact
from lab.server.lesson.lesson import Fields, Lesson, LivePage
from lab.techniques.refusals import error_json


class Progress:
    """Replies to pages that ask for progress. A page that is still receiving something else asks again."""

    def __init__(self, lesson: Lesson) -> None:
        self.sheet = lesson.class_sheet
        lesson.every_second["exercises"] = self.sheet.state
        lesson.handlers |= {"sheet": self.whole, "progress": self.own}

    def whole(self, page: LivePage, fields: Fields) -> None:
        """Reply to a teacher with the whole sheet."""
        if page.is_teacher:
            page.send(compact({"type": "sheet"} | self.sheet.as_json()))
        else:
            error = Forbidden("The sheet of the class is for the teacher only.")
            page.send(compact({"type": "error"} | error_json(error, 403, False)))

    def own(self, page: LivePage, fields: Fields) -> None:
        """`{"name"}`: reply with the reports of this name."""
        name = fields.get("name")
        if isinstance(name, str):
            found = self.sheet.state() | {"exercises": self.sheet.of(name)}
            page.send(compact({"type": "progress", "name": name} | found))
