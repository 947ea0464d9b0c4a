"""What became of a task: queue and outbox first, in one step, then the database."""

from collections.abc import Sequence

from django.utils import timezone

from queueing import get_client
from queueing.broker import task_queues
from queueing.broker.keys import low_priority_queue
from queueing.broker.outcomes import Outcome
from queueing.broker.rsmq_values import ID
from queueing.broker.task_queues import Whereabouts
from queueing.history import writer

from . import registry, results
from .compat import TaskResult, TaskResultDoesNotExist
from .options import TaskOptions


class TaskLookup:
    """Looks for the tasks of one backend. ``queues``: the only ones it sends to; empty: any."""

    def __init__(self, alias: str, queues: Sequence[str], options: TaskOptions) -> None:
        self.alias, self.options = alias, options
        self.is_open = not queues
        self._queues = queues

    def result(self, id: str) -> TaskResult:
        """Raises ``TaskResultDoesNotExist``, ``QueueUnavailable``, ``DatabaseError``."""
        if not (isinstance(id, str) and ID.fullmatch(id)):
            raise TaskResultDoesNotExist(id)
        where, past = self.find(id)
        body = results.body_of(where, past) if where.queue or past else None
        if body is None:
            raise TaskResultDoesNotExist(id)
        task = registry.find(body.task)
        if task is None:
            registry.discover(self.options.modules)
            task = registry.find(body.task)
        if task is None:
            raise TaskResultDoesNotExist(f"{id}: this project has no task {body.task}")
        queue = self.sent_to(where.queue or past[-1].queue)
        task = results.as_sent(task, body, queue, self.alias)
        result = results.result_of(task, id, self.alias, body, where, past)
        if self._is_expired(result):
            raise TaskResultDoesNotExist(id)
        return result

    def find(self, id: str) -> tuple[Whereabouts, list[Outcome]]:
        """Where the message is, and all its outcomes so far, by receipt."""
        queues = self.queues()
        where = task_queues.find(get_client(), id, queues)
        by_rc: dict[int, Outcome] = {}
        if not self._is_complete(where):
            for outcome in writer.outcomes_of(id):
                if self.is_open or outcome.queue in queues:
                    by_rc.setdefault(outcome.rc, outcome)
        # The first word for a receipt holds, as it does in the history.
        for outcome in where.outcomes:
            by_rc.setdefault(outcome.rc, outcome)
        return where, [by_rc[rc] for rc in sorted(by_rc)]

    def queues(self) -> list[str]:
        """Where to look: the queues it sends to, and their siblings."""
        return task_queues.with_siblings(self._queues or task_queues.known(get_client()))

    def sent_to(self, queue: str) -> str:
        """The queue that was named when a task was sent which lies in ``queue``."""
        base = queue.removesuffix("-low")
        is_sibling = queue == low_priority_queue(base) and (self.is_open or base in self._queues)
        return base if is_sibling else queue

    def _is_complete(self, where: Whereabouts) -> bool:
        """Whether the outcomes of all deliveries are known, so that the database need not be asked."""
        ended = {outcome.rc for outcome in where.outcomes}
        newest = max(ended, default=0)
        if where.queue:
            newest = max(newest, where.rc - bool(where.worker))
        elif not ended:
            return False
        return len(ended) >= newest

    def _is_expired(self, result: TaskResult) -> bool:
        ttl, finished_at = self.options.result_ttl, result.finished_at
        return bool(ttl and finished_at and (timezone.now() - finished_at).total_seconds() > ttl)
