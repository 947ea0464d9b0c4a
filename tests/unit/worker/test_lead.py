"""The main thread and the handler thread of a child lead it in turns."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from queueing.worker.lead import FEW, Lead
from queueing.worker.waker import Waker, readable
from tests.support.waiting import eventually


class Child:
    """A child whose turns take messages from ``inbox``. It notes which thread does what."""

    def __init__(self) -> None:
        self.inbox: deque[list[Any]] = deque()
        self.waiting: deque[Any] = deque()
        self.waker = Waker()
        self.lead = Lead(self.waiting, self.waker)
        self.turned: list[str] = []
        self.ran: list[tuple[Any, str]] = []
        self.is_over = False
        self.error: BaseException | None = None
        self.jobs: dict[Any, Callable[[], object]] = {}
        for target, name in ((self._main, "main"), (self._handle, "handler")):
            threading.Thread(target=target, name=name, daemon=True).start()

    def _main(self) -> None:
        try:
            self.lead.run(self._turn, lambda: self.is_over)
        except BaseException as error:
            self.error = error
        self.is_over = True

    def _turn(self) -> None:
        self.turned.append(threading.current_thread().name)
        readable([self.waker.fileno()], 0.01)
        self.waker.clear()
        if self.inbox:
            found = self.inbox.popleft()
            if isinstance(found, BaseException):
                raise found
            self.waiting.extend(found)
            if not self.lead.is_lent:
                with self.lead.changed:
                    self.lead.changed.notify()

    def _handle(self) -> None:
        while not self.is_over:
            while self.waiting:
                job = self.waiting.popleft()
                self.jobs.get(job, lambda: None)()
                self.ran.append((job, threading.current_thread().name))
            self.lead.follow()

    def leads(self, name: str) -> None:
        """Wait until the thread ``name`` leads."""
        eventually(lambda: self.turned[-3:] == [name] * 3)


@pytest.fixture
def child():
    made = Child()
    yield made
    made.is_over = True


def test_the_handler_thread_leads_an_idle_child(child):
    child.leads("handler")
    for number in range(5):
        child.inbox.append([number])
    eventually(lambda: child.ran == [(number, "handler") for number in range(5)])
    child.leads("handler")


def test_the_main_thread_leads_while_a_job_takes_longer(child):
    child.leads("handler")
    end = threading.Event()
    child.jobs["long"] = end.wait
    child.inbox.append(["long"])
    child.leads("main")
    assert child.ran == []
    child.inbox.append(["next"])
    end.set()
    eventually(lambda: [job for job, _ in child.ran] == ["long", "next"])
    child.leads("handler")


def test_the_main_thread_sleeps_until_a_job_begins(child, monkeypatch):
    monkeypatch.setattr("queueing.worker.lead.IDLE_LOOKS", 1)
    eventually(lambda: child.lead._is_asleep)
    end = threading.Event()
    child.jobs["long"] = end.wait
    child.inbox.append(["long"])
    child.leads("main")
    end.set()


def test_the_main_thread_leads_beside_many_messages(child):
    child.leads("handler")
    end = threading.Event()
    child.jobs[0] = end.wait
    child.inbox.append(list(range(FEW + 1)))
    child.leads("main")
    end.set()
    eventually(lambda: len(child.ran) == FEW + 1)


def test_an_error_of_a_turn_ends_the_main_thread(child):
    child.leads("handler")
    child.inbox.append(ValueError("wrong"))
    eventually(lambda: child.error)
    assert str(child.error) == "wrong"


def test_the_main_thread_ends_after_the_last_turn(child):
    child.leads("handler")
    child.is_over = True
    eventually(
        lambda: not any(thread.name == "main" and thread.is_alive() for thread in threading.enumerate())
    )
