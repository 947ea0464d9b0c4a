"""Decides which thread leads a child, which means that it claims, settles and waits.

In a child with one handler thread, this thread also leads while it has nothing to run. So a message runs in
the thread that was woken for it, without a switch of threads. While a job takes longer than a few
milliseconds, the main thread leads.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any

from .waker import Waker

#: The main thread checks the handler thread after each ``LOOK_SECONDS``. If a job has run without a pause
#: since the last check, the main thread takes the lead. After ``IDLE_LOOKS`` checks in a row that find no new
#: job, the main thread sleeps until the next one.
LOOK_SECONDS, IDLE_LOOKS = 0.005, 200
#: If more messages than this wait for the handler thread, the main thread takes the lead before they run,
#: without the check. So the next claim does not wait until they have run.
FEW = 8


def wait(changed: threading.Condition) -> None:
    """Wait until ``changed`` is notified.

    Code of the project, such as a time limit, may throw an exception into this thread after its job has
    ended. The exception is dropped, because it would end the thread.
    """
    with suppress(BaseException):
        changed.wait()


class Leader(Enum):
    """The thread that leads, or ``NOBODY`` while the handler thread begins to run a job."""

    MAIN = 0
    HANDLER = 1
    NOBODY = 2


class Lead:
    """Passes the lead of one child from the main thread to the handler thread and back.

    The thread that leads claims and settles messages, and waits for new ones. ``waiting`` has the deliveries
    that wait for the handler thread. ``waker`` wakes the leading thread while it waits.
    """

    def __init__(self, waiting: deque[Any], waker: Waker) -> None:
        self._waiting, self._waker = waiting, waker
        #: Notifies the thread that does not lead: of deliveries, or that the lead has changed.
        self.changed = threading.Condition()
        self._leader = Leader.MAIN
        self._is_wanted = self._is_asleep = self._is_called = False
        #: How often the handler thread has led.
        self._times = 0
        self._turn: Callable[[], object] = lambda: None
        self._is_over: Callable[[], bool] = lambda: True
        self._error: BaseException | None = None

    @property
    def is_lent(self) -> bool:
        """Whether the handler thread leads."""
        return self._leader is Leader.HANDLER

    @property
    def is_wanted(self) -> bool:
        """Whether the handler thread has nothing to run and waits for the lead."""
        return self._is_wanted and not self._waiting

    def run(self, turn: Callable[[], object], is_over: Callable[[], bool]) -> None:
        """Called by the main thread: let the leading thread call ``turn`` until ``is_over()`` is true."""
        self._turn, self._is_over = turn, is_over
        while not (self._error or is_over()):
            if self.is_wanted:
                self._lend()
                continue
            turn()
        if self._error:
            raise self._error

    def fail(self, error: BaseException) -> None:
        """Let ``run`` raise ``error``, because a handler thread has ended with it."""
        with self.changed:
            self._error, self._leader = error, Leader.MAIN
            self.changed.notify_all()
        # A handler may have closed all descriptors.
        with suppress(OSError):
            self._waker.wake()

    def _lend(self) -> None:
        """Let the handler thread lead until it gives the lead back, or until a job of it takes long."""
        looks = 0
        with self.changed:
            self._leader = Leader.NOBODY
            self.changed.notify()
            while self._leader is not Leader.MAIN:
                times = self._times
                self._is_asleep = looks >= IDLE_LOOKS
                self.changed.wait(None if self._is_asleep else LOOK_SECONDS)
                self._is_asleep = False
                looks = looks + 1 if times == self._times else 0
                if self._leader is Leader.NOBODY and not self._is_wanted and (looks or self._is_called):
                    self._leader = Leader.MAIN
                self._is_called = False

    def follow(self) -> bool:
        """Called by the handler thread when it has nothing to run: wait for a delivery. Meanwhile, the thread
        leads if the main thread allows it. Returns whether it has led.
        """
        with self.changed:
            if self._leader is Leader.MAIN:
                self._is_wanted = True
                self._waker.wake()
                while not self._waiting and self._leader is Leader.MAIN:
                    wait(self.changed)
                self._is_wanted = False
            if self._waiting:
                return False
            self._leader = Leader.HANDLER
        try:
            while not (self._waiting or self._is_over()):
                self._turn()
        except BaseException as error:
            self._error = error
        with self.changed:
            self._times += 1
            is_end = self._error or not self._waiting
            self._leader = Leader.MAIN if is_end else Leader.NOBODY
            self._is_called = len(self._waiting) > FEW
            if is_end or self._is_called or self._is_asleep:
                self.changed.notify()
        return True
