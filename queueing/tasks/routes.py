"""Where the messages of one task go, and what they have in common."""

import time
from collections.abc import Sequence

from queueing.broker import task_queues
from queueing.broker.rsmq_values import MAX_SIZE, MIN_SIZE, utf16_units
from queueing.broker.task_body import BodyWriter
from queueing.client.default import shared_client
from queueing.exceptions import MessageTooLong, QueueError, QueueNotFound
from queueing.messages import Draft

from .compat import Task

#: How long the limit of a queue is taken for known: a loop of many sends asks once.
KNOWN_SECONDS = 1.0


class Route:
    """Of a task that is valid, as it is sent now (``using``). Worked out once for a loop that sends it."""

    __slots__ = ("_due_ms", "_is_plain", "_known", "_known_until", "_priority", "queue", "task", "write")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.queue, self._priority = task_queues.place(task.queue_name, task.priority)
        self._due_ms = None if task.run_after is None else max(0, int(task.run_after.timestamp() * 1000))
        self._is_plain = not self._priority and self._due_ms is None
        self._known, self._known_until = -1, 0.0
        run_after = None if task.run_after is None else task.run_after.isoformat()
        #: Makes the body of args and kwargs; see ``BodyWriter.write``.
        self.write = BodyWriter(task.module_path, task.priority, run_after).write

    def message(self, body: str) -> str | Draft:
        """What is sent for one body: the body alone where there is no more to say."""
        return body if self._is_plain else self.draft(body)

    def draft(self, body: str, id: str | None = None) -> Draft:
        """The same with all that goes with it; under this ``id`` where it has one already."""
        return Draft(body=body, due_ms=self._due_ms, priority=self._priority, id=id)

    def send(self, messages: Sequence[str | Draft]) -> list[str]:
        """Send them now: their ids. Raises what ``send_messages`` does."""
        try:
            return task_queues.send(shared_client(), self.task.queue_name, self.queue, messages)
        except MessageTooLong as error:
            raise MessageTooLong(self._too_long(max(map(_length, messages)))) from error

    def refuse_long(self, bodies: Sequence[str]) -> None:
        """Raises ``MessageTooLong`` for bodies that the queue would refuse now.

        If Redis cannot be asked, nothing is refused: the send comes later.
        """
        length = max(map(_length, bodies), default=0)
        if length > MIN_SIZE and 0 <= self._limit() < length:
            raise MessageTooLong(self._too_long(length))

    def _limit(self) -> int:
        """The longest message that the queue takes, -1: any, or it is not known. Asked once for a loop."""
        now = time.monotonic()
        if now > self._known_until:
            try:
                self._known = shared_client().get_queue_attributes(self.queue).maxsize
            except QueueNotFound:
                self._known = MAX_SIZE
            except QueueError:
                self._known = -1
            self._known_until = now + KNOWN_SECONDS
        return self._known

    def _too_long(self, length: int) -> str:
        limit = self._limit()
        taken = f"{limit:,}" if limit > 0 else "fewer"
        return (
            f"Message too long: {self.task.module_path} with its arguments makes {length:,} characters, and "
            f"the queue {self.queue} takes {taken}. Send a key of what is stored elsewhere, or raise the "
            f"limit: manage.py queues set {self.queue} --maxsize -1"
        )


def _length(message: str | Draft) -> int:
    return utf16_units(message if isinstance(message, str) else message.body)
