"""Tidies up behind the programs that share a queue, now and then and a little at a time."""

import logging
import random
from collections.abc import Iterator, Sequence

from queueing.client import QueueClient
from queueing.exceptions import QueueUnavailable
from queueing.messages import Swept

from .guard import Guard, turn_for_ever

logger = logging.getLogger("queueing.worker")

#: How long after one sweep the next one begins, give or take a fifth: workers begin apart.
EVERY_SECONDS = 300.0
#: Between the steps of one sweep, so that nobody notices it.
STEP_SECONDS = 0.05


class Sweeper:
    """Sweeps some queues and their dead-letter queues. ``step`` does one step."""

    def __init__(self, client: QueueClient, queues: Sequence[str]) -> None:
        self.client, self.queues = client, queues
        self._steps: Iterator[Swept] | None = None
        self._swept = Swept()
        self._guard = Guard("sweeper")
        self._is_first = True

    def run(self) -> None:
        """Sweep for ever: for a thread that ends with its process."""
        turn_for_ever(self._wait_or_step)

    def _wait_or_step(self) -> float:
        if self._is_first:
            self._is_first = False
            return _around(EVERY_SECONDS)
        return self.step()

    def step(self) -> float:
        """One step. Returns the seconds until the next one."""
        self._steps = self._steps or self._sweep()
        self._guard.turn(self._next)
        return STEP_SECONDS if self._steps else _around(EVERY_SECONDS)

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
        yield Swept(orphans=self.client.sweep_lost_queues())

    def _sweep_queue(self, queue: str) -> Iterator[Swept]:
        """Sweep one queue. An error with it must not keep the others from being swept."""
        try:
            yield from self.client.sweep_steps(queue)
        except (QueueUnavailable, GeneratorExit):
            raise
        except BaseException as error:
            self._guard.report(error)


def _around(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)
