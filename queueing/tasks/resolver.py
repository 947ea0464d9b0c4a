"""Finds the task of a message for the worker: only what is a task of this project can be run by a body."""

from collections.abc import Sequence
from contextlib import suppress

from queueing import handlers
from queueing.broker import task_queues
from queueing.broker.outcomes import Outcome
from queueing.broker.task_body import BadTaskBody, is_task, read
from queueing.exceptions import UnknownTask
from queueing.messages import Message
from queueing.policies import Policy

from . import registry
from .compat import TaskResultDoesNotExist, signals
from .lookups import TaskLookup
from .runner import TaskCode, TaskRun

#: What is wrong with a body stays wrong.
BAD = Policy(max_attempts=1)


class TaskResolver:
    """For the queues of one backend. ``sender`` is the class that sends Django's signals.

    ``takes_new_queues``: also for those that come up later and have no handler.
    """

    def __init__(
        self, lookup: TaskLookup, queues: Sequence[str], sender: type, *, takes_new_queues: bool = False
    ) -> None:
        self._lookup, self._sender, self.takes_new_queues = lookup, sender, takes_new_queues
        self._queues = frozenset(task_queues.with_siblings(queues))
        self._codes: dict[str, TaskCode] = {}
        #: Those without their siblings, by name.
        self.queues = sorted(set(queues))

    def __call__(self, queue: str, message: Message) -> TaskRun | None:
        """The task that is to run, ``None`` where the message is none.

        Raises ``UnknownTask``, ``BadTaskBody``, ``NewerTaskBody``.
        """
        if not is_task(message.body) or not self.serves(queue):
            return None
        try:
            body = read(message.body)
        except BadTaskBody as error:
            error.policy = BAD
            raise
        code = self._codes.get(body.task)
        if code is None:
            code = self._codes[body.task] = self._code(body.task)
        return TaskRun(code, body)

    def tell_death(self, outcome: Outcome) -> None:
        """Send the signal for a task that has failed though it could not say so: its process died.

        Raises ``QueueUnavailable``, ``DatabaseError``.
        """
        with suppress(TaskResultDoesNotExist):
            result = self._lookup.result(outcome.id)
            if result.is_finished:
                signals.task_finished.send_robust(self._sender, task_result=result)

    def serves(self, queue: str) -> bool:
        """Whether the tasks in ``queue`` are of this backend."""
        return queue in self._queues or (self.takes_new_queues and not handlers.has_handler(queue))

    def _code(self, path: str) -> TaskCode:
        task = registry.find(path)
        if task is None:
            raise UnknownTask(f"This project has no task {path}.")
        return TaskCode(task, self._lookup, self._sender)
