"""No long-lived task of the lab dies in silence: each is killed here, is named, and starts again."""

import asyncio
import json
import logging
import threading
from contextlib import asynccontextmanager

import pytest
from websockets.sync.client import connect

from lab.catalogue import MODES
from lab.room.tasks import Tasks, log_unhandled
from lab.server import lifecycle
from lab.server.lesson import kept_lesson, overload, simulated_students
from lab.server.lesson.health import problems
from lab.server.live import lanes
from tests.support.lab_here import PATIENCE_S, LabHere
from tests.support.lab_state import publish, top
from tests.support.listeners import client
from tests.support.wire import eventually, fetch

TAIL = "that follows the history"
VITAL = {TAIL, lifecycle.PULSE}
TASKS = [*VITAL, overload.NAME, kept_lesson.NAME, lanes.NAME, simulated_students.PUBLISHING]
each_task = pytest.mark.parametrize("name", sorted(TASKS))


class Works:
    """A turn that counts, and raises while `broken` is set."""

    def __init__(self):
        self.turns, self.error = 0, None

    async def __call__(self):
        """One turn."""
        await asyncio.sleep(0.001)
        if self.error:
            raise self.error
        self.turns += 1


@asynccontextmanager
async def kept(turn, **options):
    """A task that runs for the length of the block, and all tasks that there are."""
    tasks = Tasks()
    tasks.keep("that counts", turn, **options)
    try:
        yield tasks
    finally:
        await tasks.stop_all()


async def comes_true(probe, what):
    """Wait until something that is asked at once is true."""

    async def ask():
        return probe()

    await eventually(ask, what)


def errors(caplog):
    """What was logged as an error."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# Alone --------------------------------------------------------------------------------------------


async def test_a_task_that_raises_is_logged_once_and_starts_again(caplog):
    """It fails until a turn has come to its end; the same cause is not logged again before that."""
    turn = Works()
    async with kept(turn) as tasks:
        turn.error = KeyError("mid")
        await comes_true(lambda: tasks.by_name["that counts"].failures >= 2, "it has failed twice")
        assert [task.cause for task in tasks.failing()] == ["KeyError: 'mid'"]
        turn.error = None
        await comes_true(lambda: not tasks.failing(), "it works again")
        before = turn.turns
        await comes_true(lambda: turn.turns > before, "it goes on")
    assert errors(caplog) == ["The task that counts stopped and is started again: KeyError: 'mid'."]
    assert "The task that counts works again." in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_task_that_is_cancelled_starts_again(caplog):
    """Cancelling it does not end it."""
    turn = Works()
    async with kept(turn) as tasks:
        tasks.by_name["that counts"].running.cancel()
        await comes_true(tasks.failing, "it has stopped")
        before = turn.turns
        await comes_true(lambda: turn.turns > before and not tasks.failing(), "it goes on")
    assert errors(caplog) == ["The task that counts stopped and is started again: it was cancelled."]


async def test_a_task_that_is_stopped_stays_so(caplog):
    """Stopped in order it is not started again, also while it waits for that; nothing is logged."""
    turn = Works()
    async with kept(turn) as tasks:
        turn.error = ValueError()
        await comes_true(tasks.failing, "it waits to be started again")
        caplog.clear()
        await tasks.stop("that counts")
        assert tasks.by_name == {} and len(asyncio.all_tasks()) == 1
    assert caplog.text == ""


async def test_a_cause_is_logged_with_its_place_when_debugging(caplog):
    """The traceback is there for those who ask for it."""
    turn = Works()
    turn.error = ValueError("no such place")
    with caplog.at_level(logging.DEBUG, "pushlab"):
        async with kept(turn) as tasks:
            await comes_true(tasks.failing, "it has failed")
    assert "Traceback" in caplog.text


async def test_what_a_short_lived_task_raises_is_logged_in_one_line(caplog):
    """An exception that no code has caught is in the log, in one line with its name."""
    asyncio.get_running_loop().set_exception_handler(log_unhandled)

    async def fails():
        raise ZeroDivisionError("as\nexpected")

    asyncio.create_task(fails(), name="that divides")  # noqa: RUF006 - lost on purpose
    await comes_true(lambda: errors(caplog), "it is logged")
    assert errors(caplog) == ["An error was not handled in that divides: ZeroDivisionError: as expected."]


# In a lab -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def school():
    """A lab in which every long-lived task runs: a page shows lanes, and a simulated student sends."""
    with LabHere() as lab:
        lab.teacher_post("crew", do="start", each=1, words=["shortpoll"], rate=20)
        address = f"ws://127.0.0.1:{lab.lab.port}/live"
        with connect(address) as page:
            page.send(json.dumps({"type": "lanes"}))
            reader = threading.Thread(target=lambda: [None for _ in page])
            reader.start()
            asyncio.run(comes_true(lambda: lanes.NAME in tasks_of(lab).by_name, "the lanes are sent"))
            yield lab
        reader.join()


def within(lab, what):
    """Run something in the lab's own loop, to its end."""
    return asyncio.run_coroutine_threadsafe(what, lab.loop).result(PATIENCE_S)


def tasks_of(lab):
    """The lab's long-lived tasks."""
    return lab.lab.context.room.tasks


def test_every_task_of_a_lab_is_known(school):
    """Nothing else of the lab runs for long: what is killed below is all that there is."""
    assert set(tasks_of(school).by_name) == set(TASKS)


async def cancelled(lab, name):
    """Cancel the task of this name; what the lab says of itself then."""
    running = tasks_of(lab).by_name[name].running
    while not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=0.05)
    await asyncio.sleep(0)
    return problems(lab.lab.context)


def heals(lab, name):
    """Wait until this task works again, after whatever happened to it."""
    asyncio.run(comes_true(lambda: not tasks_of(lab).by_name[name].cause, f"the task {name} works again"))


async def receives_by_everything(port):
    """Whether what is sent now is received by every technique."""
    listeners = [await client(mode, port).connect(await top(port)) for mode in MODES]
    (id_,) = await publish(port, 1)
    bodies = {
        mode: listener.receive_up_to(int(id_.split("-")[1]))
        for mode, listener in zip(MODES, listeners, strict=True)
    }
    await asyncio.gather(*bodies.values())
    return all(any(event.get("id") == id_ for event in listener.events) for listener in listeners)


@each_task
def test_a_cancelled_task_is_named_and_starts_again(school, name, caplog):
    """Cancelled, it is a problem at once, logged once, and works again; everything is received."""
    found = within(school, cancelled(school, name))
    assert [(problem.code, problem.cause, problem.vital) for problem in found] == [
        ("task_failing", name, name in VITAL)
    ]
    heals(school, name)
    assert errors(caplog) == [f"The task {name} stopped and is started again: it was cancelled."]
    assert asyncio.run(receives_by_everything(school.lab.port))


@each_task
def test_a_task_that_raises_is_named_until_it_works(school, name, caplog):
    """While it fails `/readyz` says which and why, if the lab cannot do without it; then it heals."""
    task = tasks_of(school).by_name[name]
    usual, broken = task.turn, Works()
    broken.error = RuntimeError("broken")
    task.turn = broken
    try:
        asyncio.run(comes_true(lambda: task.failures >= 2, "it has failed twice"))
        ready = asyncio.run(fetch(school.lab.port, "GET", "/readyz"))
    finally:
        task.turn = usual
    sentence = f"The task {name} fails: RuntimeError: broken."
    assert ready.status == (503 if name in VITAL else 200)
    assert (sentence in ready.json["details"]) == ("task_failing" in ready.json["reasons"]) == (name in VITAL)
    heals(school, name)
    assert asyncio.run(fetch(school.lab.port, "GET", "/readyz")).status == 200
    assert errors(caplog) == [f"The task {name} stopped and is started again: RuntimeError: broken."]
    assert asyncio.run(receives_by_everything(school.lab.port))


def test_one_listener_that_fails_keeps_no_other_from_the_news(school, caplog):
    """A bug in what hands on the news of one technique does not end the tail; its clients reconnect."""

    class Broken:
        notified = None

        def __len__(self):
            return 1

        def notify(self, batch):
            raise RuntimeError("broken")

        def send_bye(self, retry_ms):
            self.notified = retry_ms

    broken, room = Broken(), school.lab.context.room

    async def join(listener):
        room.stream(listener, room.top)

    async def leave(listener):
        room.leave(listener)

    within(school, join(broken))
    try:
        assert asyncio.run(receives_by_everything(school.lab.port))
    finally:
        within(school, leave(broken))
    assert broken.notified and "A listener failed" in errors(caplog)[0]
    assert not tasks_of(school).failing()
