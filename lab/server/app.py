"""The application: every path of the lab and its handler. It does not listen."""

import logging
from typing import Any

import tornado.log
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from lab import folders
from lab.catalogue import MODES, server_side
from lab.json_types import JsonObject
from lab.server.api import anatomy as bytes_data
from lab.server.api import doctor as network_checks
from lab.server.api import exercises as progress_reports
from lab.server.api import export, openapi, reports, wire
from lab.server.api import lesson as lesson_actions
from lab.server.api import proxy as proxy_actions
from lab.server.api import teacher as actions
from lab.server.connections import base_path
from lab.server.lesson.lesson import Lesson
from lab.server.live import guide, lanes, other_labs, own_requests, own_sends, progress, socket
from lab.server.live import proxy as proxy_news
from lab.server.pages import (
    anatomy,
    compare,
    connections,
    doctor,
    exercises,
    join,
    lesson_sheet,
    page,
    proxy,
    room,
    static,
    teacher,
    technique,
)


class BelowBase(Application):
    """An application whose paths are below a base path."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """The handler of the path that follows the base."""
        lesson: Lesson = self.settings["lesson"]
        request.path = base_path.without(base_path.of(request, lesson.context.settings), request.path)
        return super().find_handler(request, **kwargs)


def make_app(lesson: Lesson) -> Application:
    """Make the application with all handlers: the techniques, the reports, and the pages."""
    context = lesson.context
    techniques = [route for mode in MODES for route in server_side(mode).ROUTES]
    own = [
        ("/history", reports.HistoryReport),
        ("/meters", reports.MetersReport),
        ("/segments", reports.SegmentsReport),
        ("/metrics", reports.Metrics),
        ("/healthz", reports.Healthz),
        ("/readyz", reports.Readyz),
        ("/openapi.json", openapi.OpenApi),
        ("/live", socket.Live),
        ("/", join.Join),
        ("/room", room.RoomPage),
        ("/compare", compare.Compare),
        ("/wire", wire.WireView),
        ("/anatomy", anatomy.Anatomy),
        ("/anatomy/recorded", bytes_data.Recorded),
        ("/anatomy/last", bytes_data.Last),
        ("/anatomy/texts", bytes_data.Texts),
        ("/anatomy/dissect", bytes_data.Dissect),
        ("/anatomy/accept", bytes_data.Accept),
        ("/anatomy/deflated", bytes_data.Deflated),
        ("/anatomy/break", bytes_data.Break),
        ("/exercises", exercises.Exercises),
        ("/exercises/report", progress_reports.ExerciseReport),
        ("/doctor", doctor.Doctor),
        ("/connections", connections.Connections),
        ("/proxy", proxy.ProxyPage),
        ("/doctor/stream", network_checks.ProbeStream),
        ("/doctor/verdict", network_checks.Verdict),
        (r"/technique/(\w+)", technique.TechniquePage),
        ("/lesson/sheet", lesson_sheet.LessonSheet),
        ("/teacher", teacher.Teacher),
        ("/teacher/network", actions.LetPhonesJoin),
        ("/teacher/crew", actions.CrewAction),
        ("/teacher/bet", actions.BetAction),
        ("/teacher/lesson", lesson_actions.LessonAction),
        (r"/teacher/lesson\.csv", lesson_actions.AnswersAsCsv),
        ("/teacher/assign", actions.AssignAction),
        ("/teacher/reset", actions.ResetAction),
        ("/teacher/proxy", proxy_actions.ProxyAction),
        ("/teacher/exercises", progress_reports.OpenSheet),
        (r"/teacher/exercises\.csv", progress_reports.SheetAsCsv),
        (r"/teacher/meters\.json", export.AsJson),
        (r"/teacher/meters\.csv", export.AsCsv),
        (r"/teacher/meters\.svg", export.AsSvg),
        (r"/teacher/meters\.png", export.AsPng),
        ("/qr.svg", join.QrCode),
        ("/palette.css", static.Palette),
    ]
    other_labs.OtherLabs(lesson)
    lanes.Lanes(lesson)
    own_sends.OwnSends(lesson)
    own_requests.OwnRequests(lesson)
    progress.Progress(lesson)
    proxy_news.Proxy(lesson)
    given: JsonObject = {"context": context}
    routes: list[Any] = [(path, handler, given) for path, handler in techniques + own]
    routes.append((r"/static/(.*)", static.Static, given | {"path": str(folders.PAGES / "static")}))
    return BelowBase(
        routes,
        default_handler_class=page.Nowhere,
        default_handler_args=given,
        cross_origin_protection=True,
        websocket_max_message_size=int(min(context.settings.limit("frame_bytes"), 2**31)),
        log_function=log,
        lesson=lesson,
        guide=guide.Guide(lesson),
    )


def log(handler: RequestHandler) -> None:
    """Log one line per request, only with `-v` or `--logging debug`; the query is left out."""
    if tornado.log.access_log.isEnabledFor(logging.DEBUG):  # format only a line that is written
        request = handler.request
        who = (request.method, request.path, request.remote_ip, 1000 * request.request_time())
        tornado.log.access_log.debug("%d %s %s (%s) %.2f ms", handler.get_status(), *who)
