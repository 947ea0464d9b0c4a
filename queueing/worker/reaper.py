"""Gives back what a dead child held: to the head of its queues, with what the supervisor knows of its end."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing.broker import leases
from queueing.client import QueueClient
from queueing.conf import Conf
from queueing.exceptions import QueueUnavailable

from . import timeouts
from .logging import OutcomeLog
from .shared_memory import Running

logger = logging.getLogger("queueing.worker")


@dataclass(frozen=True, slots=True)
class Death:
    """A child that has ended: what counts a crash, why, and what ran past its time limit."""

    child: str
    started: list[str]
    reason: str
    overdue: list[Running] = field(default_factory=list)


class GiveBack:
    """The children whose messages are still to be given back. ``step`` gives back all it can."""

    def __init__(self, client: QueueClient, conf: Conf, queues: Sequence[str]) -> None:
        self.client, self.conf, self.queues = client, conf, queues
        self._deaths: deque[Death] = deque()
        self._log = OutcomeLog(log_jobs=False)
        #: Whether something was written for the recorder since it was last looked at.
        self.has_recorded = False

    @property
    def is_done(self) -> bool:
        return not self._deaths

    def add(self, death: Death) -> None:
        self._deaths.append(death)

    def step(self) -> None:
        """Give back in the order of the deaths. Raises ``QueueUnavailable``; then it goes on next time."""
        while self._deaths:
            death = self._deaths[0]
            failed: list[tuple[str, Exception]] = []
            for number, queue in enumerate(self.queues):
                overdue = [running for running in death.overdue if running.queue == number]
                try:
                    self._settle(death.child, queue, overdue)
                    self._abandon(death, queue)
                except QueueUnavailable:
                    raise
                except Exception as error:
                    failed.append((queue, error))
            # Before the log: a handler of the project that raises must not bring the death back.
            self._deaths.popleft()
            for queue, error in failed:
                logger.error(
                    "%s: %s; what %s held is given back when its lease ends", queue, error, death.child
                )

    def _settle(self, child: str, queue: str, overdue: list[Running]) -> None:
        if not overdue:
            return
        now_ms = self.client.now_ms()
        for outcome in timeouts.settle(self.client, self.conf, child, queue, overdue, now_ms=now_ms):
            self._log.tell(outcome)
            self.has_recorded = True

    def _abandon(self, death: Death, queue: str) -> None:
        count = leases.abandon(
            self.client, self.conf, queue, death.child, started=death.started, reason=death.reason
        )
        if count:
            logger.warning("%s gave back %d messages of %s: %s", death.child, count, queue, death.reason)
            self.has_recorded = True
