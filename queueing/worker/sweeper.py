"""Tidies up behind the programs that share a queue, now and then and a little at a time."""

import logging
import random
import threading
from collections.abc import Iterator, Sequence

from ..client import QueueClient
from ..exceptions import QueueError
from ..messages import Swept

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

    def run(self) -> None:
        """Sweep for ever: for a thread that ends with its process."""
        pause = threading.Event()
        pause.wait(_around(EVERY_SECONDS))
        while True:
            pause.wait(self.step())

    def step(self) -> float:
        """One step. Returns the seconds until the next one."""
        self._steps = self._steps or self._sweep()
        try:
            self._swept += next(self._steps)
            return STEP_SECONDS
        except StopIteration:
            if self._swept != Swept():
                logger.info("swept %s: %s", ", ".join(self.queues), self._swept)
        except QueueError as error:
            logger.debug("sweeper: %s", error)
        self._steps, self._swept = None, Swept()
        return _around(EVERY_SECONDS)

    def _sweep(self) -> Iterator[Swept]:
        for queue in self.queues:
            yield from self.client.sweep_steps(queue)
            yield from self.client.sweep_steps(self.client.dead_letter_queue(queue))
        yield Swept(orphans=self.client.sweep_lost_queues())


def _around(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)
