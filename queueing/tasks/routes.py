"""Where the messages of one task go, and what they have in common."""

from collections.abc import Sequence

from .. import task_queues
from ..connections import shared_client
from ..messages import Draft
from ..task_body import BodyWriter
from .compat import Task


class Route:
    """Of a task that is valid, as it is sent now (``using``). Worked out once for a loop that sends it."""

    __slots__ = ("_due_ms", "_is_plain", "_priority", "queue", "task", "write")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.queue, self._priority = task_queues.place(task.queue_name, task.priority)
        self._due_ms = None if task.run_after is None else max(0, int(task.run_after.timestamp() * 1000))
        self._is_plain = not self._priority and self._due_ms is None
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
        return task_queues.send(shared_client(), self.task.queue_name, self.queue, messages)
