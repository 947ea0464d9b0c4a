"""What a child offers to the messages that run in it."""

import time

from queueing.broker.leases import Delivery
from queueing.client import QueueClient
from queueing.exceptions import QueueError

#: Between two notes of progress that are kept for one message.
REPORT_SECONDS = 0.25
#: Characters of a note.
NOTE_CHARACTERS = 200


class ChildWorkplace:
    """The workplace of one child: see ``queueing.context.Workplace``."""

    def __init__(self, client: QueueClient, worker: str) -> None:
        self.worker = worker
        self.is_stopping = False
        self._client = client
        self._reported_at: dict[str, float] = {}

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        now, id = time.monotonic(), delivery.message.id
        if fraction < 1 and now - self._reported_at.get(id, 0.0) < REPORT_SECONDS:
            return
        if len(self._reported_at) > 1000:
            self._reported_at.clear()
        self._reported_at[id] = now
        try:
            self._client.report_progress(
                delivery.queue, id, delivery.message.rc, fraction, note[:NOTE_CHARACTERS]
            )
        except QueueError:
            # How far it is matters less than that it goes on.
            return
