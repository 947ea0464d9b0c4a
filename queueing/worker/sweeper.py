"""Deletes data that other programs have left behind in shared queues, at intervals and in small steps."""

import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence

from queueing.client import QueueClient, sweep
from queueing.exceptions import QueueUnavailable
from queueing.messages import Swept

from .guard import Guard, run_until
from .server_clock import Clock

logger = logging.getLogger("queueing.worker")

#: The time between two sweeps. It varies at random by up to a fifth, to spread the sweeps of several workers.
EVERY_SECONDS = 300.0
#: The pause between two steps of one sweep, so that a sweep does not slow down other clients of Redis.
STEP_SECONDS = 0.05


class Sweeper:
    """Sweeps queues and their dead-letter queues. ``step`` does the next step of a sweep if it is due."""

    def __init__(self, client: QueueClient, queues: Sequence[str], clock: Clock = time.monotonic) -> None:
        self.client, self.queues, self.clock = client, queues, clock
        self._steps: Iterator[Swept] | None = None
        self._swept = Swept()
        self._guard = Guard("sweeper")
        self._due_at = clock() + _around(EVERY_SECONDS)

    def run(self) -> None:
        """Call ``step`` for ever, in a daemon thread."""
        run_until(threading.Event(), lambda: self.step(self.clock()))

    def step(self, now: float) -> float:
        """Do the next step if it is due. Returns the seconds until the following step."""
        if not self._steps:
            if now < self._due_at:
                return self._due_at - now
            self._steps = self._sweep()
        self._guard.turn(self._next)
        if self._steps:
            return STEP_SECONDS
        self._due_at = now + _around(EVERY_SECONDS)
        return self._due_at - now

    def _next(self) -> float:
        steps, self._steps = self._steps, None
        assert steps is not None, "a step has begun a sweep"
        swept = next(steps, None)
        if swept is not None:
            self._steps = steps
            self._swept += swept
            return STEP_SECONDS
        total, self._swept = self._swept, Swept()
        if total != Swept():
            logger.info("swept %s: %s", ", ".join(self.queues), total)
        return EVERY_SECONDS

    def _sweep(self) -> Iterator[Swept]:
        for queue in self.queues:
            yield from self._sweep_queue(queue)
            yield from self._sweep_queue(self.client.dead_letter_queue(queue))
        yield Swept(orphans=sweep.sweep_lost_queues(self.client.session))

    def _sweep_queue(self, queue: str) -> Iterator[Swept]:
        """Sweep one queue. Raises ``QueueUnavailable``. Other errors are only logged, so that the other
        queues are swept, too.
        """
        try:
            yield from sweep.sweep(self.client.session, queue)
        except (QueueUnavailable, GeneratorExit):
            raise
        except BaseException as error:
            self._guard.report(error)


def _around(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)
