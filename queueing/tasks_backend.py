"""The backend for Django's tasks: ``TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend"}}``.

``enqueue`` sends one RSMQ message, whose id is that of the result; ``manage.py runworker`` runs it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage, Error

from . import get_client
from .broker import task_body, task_queues
from .broker.idempotency import whole_id
from .broker.keys import dead_letter_queue, is_dead_letter_queue, low_priority_queue
from .broker.outcomes import State
from .broker.rsmq_values import QNAME, RESERVED_NAME
from .exceptions import EnqueueFailed, QueueError, QueueNotFound
from .messages import Draft
from .tasks import commits, hearing, options, registry, results
from .tasks.compat import BaseTaskBackend, InvalidTask, Task, TaskResult, signals
from .tasks.lookups import TaskLookup
from .tasks.resolver import TaskResolver
from .tasks.routes import Route

#: The longest name that leaves room for the dead letters of the sibling for low priorities.
MAX_NAME = 160 - len(dead_letter_queue(low_priority_queue("")))

#: Positional and keyword arguments of one call.
Arguments = tuple[Sequence[Any], Mapping[str, Any]]


class RSMQBackend(BaseTaskBackend):
    """One entry of ``TASKS``. Making it touches neither Redis nor models: ``@task`` does so at import."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, params)
        self.task_options = options.read(self.options)
        # Django makes a set of it: of a text, one of its letters.
        self._given_queues = params.get("QUEUES")
        if isinstance(self._given_queues, str):
            self.queues = {self._given_queues}
        #: That of the task which was sent last.
        self._route: Route | None = None

    # --- sending ------------------------------------------------------------------------------

    def validate_task(self, task: Task) -> None:
        """Django's own rules, and RSMQ's for the name of the queue. Raises ``InvalidTask``."""
        if not isinstance(task.run_after, datetime | None):
            raise InvalidTask(f"run_after is a datetime, not {type(task.run_after).__name__}.")
        super().validate_task(task)
        if task.queue_name not in self.queues and (problem := _problem_of_name(task.queue_name)):
            raise InvalidTask(f"Queue {task.queue_name!r} {problem}")
        registry.declare(task)

    def enqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Send a task, within a transaction at its commit (``enqueue_on_commit``).

        Raises ``InvalidTask``, ``TypeError`` and ``ValueError`` for what JSON cannot hold, and what
        ``QueueClient.send_message`` does; at the commit ``EnqueueFailed`` with the id. A message that is
        too long for its queue is refused here, not at the commit.
        """
        route = self._route_of(task)
        result = results.enqueued(task, self.alias, args, kwargs)
        body = route.write(result.args, result.kwargs)
        if aliases := self._to_be_committed():
            self._send_at_commit(aliases, route, [result], [body])
        else:
            [id] = route.send([route.message(body)])
            results.identify(result, id)
            self._tell([result])
        return result

    def enqueue_many(self, task: Task, calls: Iterable[Arguments]) -> list[TaskResult]:
        """Send a task any number of times, each time with the args and kwargs of one call, in a batch."""
        route = self._route_of(task)
        sent = [results.enqueued(task, self.alias, *call) for call in calls]
        bodies = [route.write(result.args, result.kwargs) for result in sent]
        if aliases := self._to_be_committed():
            self._send_at_commit(aliases, route, sent, bodies)
        else:
            for result, id in zip(sent, route.send(list(map(route.message, bodies))), strict=True):
                results.identify(result, id)
            self._tell(sent)
        return sent

    async def aenqueue_many(self, task: Task, calls: Iterable[Arguments]) -> list[TaskResult]:
        """See ``enqueue_many``."""
        return await sync_to_async(self.enqueue_many, thread_sensitive=True)(task, calls)

    # --- asking and taking back ---------------------------------------------------------------

    def get_result(self, result_id: str) -> TaskResult:
        """What became of a task, at this moment, wherever it is.

        Raises ``TaskResultDoesNotExist``, ``QueueUnavailable``, ``DatabaseError``.
        """
        return self._lookup().result(result_id)

    def cancel(self, result_id: str, *, reason: str = "") -> bool:
        """Take back a task that nobody has begun: it never runs.

        ``False``: it runs, has ended, or is unknown.
        """
        lookup, client = self._lookup(), get_client()
        where, _ = lookup.find(result_id)
        if not where.queue or not task_body.is_task(where.body):
            return False
        try:
            word = client.cancel_message(where.queue, result_id, reason=reason or State.CANCELLED)
        except QueueNotFound:
            return False
        return word == State.CANCELLED

    async def acancel(self, result_id: str, *, reason: str = "") -> bool:
        """See ``cancel``."""
        return await sync_to_async(self.cancel, thread_sensitive=True)(result_id, reason=reason)

    def draft(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, Draft]:
        """The queue of a task and its message, which is not sent. Raises what ``enqueue`` does."""
        route = self._route_of(task)
        result = results.enqueued(task, self.alias, args, kwargs)
        return route.queue, route.draft(route.write(result.args, result.kwargs))

    # --- for the worker and the checks --------------------------------------------------------

    def resolver(self, named: Sequence[str]) -> TaskResolver:
        """What finds the tasks for a worker of the queues ``named``, or of all that are this backend's.

        With ``QUEUES: []`` and nothing named these are the queues that the tasks of this project name, and
        those to which tasks were sent, which Redis is asked for, now and later. Raises ``QueueUnavailable``.
        """
        queues = sorted(self.queues) or list(named)
        if queues:
            return TaskResolver(self._lookup(), queues, type(self))
        queues = [*task_queues.known(get_client()), *registry.queues(self.alias)]
        return TaskResolver(self._lookup(), queues, type(self), takes_new_queues=True)

    def check(self, **kwargs: Any) -> Iterator[CheckMessage]:
        """Wrong options and names of queues."""
        where = f'TASKS["{self.alias}"]'
        for name, problem in options.problems(self.options):
            yield Error(f'{where}["OPTIONS"]["{name}"] {problem}', id="queueing.E010")
        if isinstance(self._given_queues, str):
            hint = f"Write [{self._given_queues!r}]."
            yield Error(
                f'{where}["QUEUES"] must be a list of names, not a text.', hint=hint, id="queueing.E013"
            )
        for queue in sorted(self.queues, key=str):
            if problem := _problem_of_name(queue):
                yield Error(f'{where}["QUEUES"]: {queue!r} {problem}', id="queueing.E011")

    # --- inside -------------------------------------------------------------------------------

    def _lookup(self) -> TaskLookup:
        return TaskLookup(self.alias, sorted(self.queues), self.task_options)

    def _to_be_committed(self) -> list[str]:
        return commits.open_transactions() if self.task_options.enqueue_on_commit else []

    def _route_of(self, task: Task) -> Route:
        route = self._route
        if route is None or route.task is not task:
            self.validate_task(task)
            self._route = route = Route(task)
        return route

    def _send_at_commit(
        self, aliases: list[str], route: Route, sent: list[TaskResult], bodies: list[str]
    ) -> None:
        # At the commit it would be too late: what the transaction has changed stays.
        route.refuse_long(bodies)
        for result in sent:
            results.identify(result, whole_id())
        drafts = [route.draft(body, result.id) for body, result in zip(bodies, sent, strict=True)]

        def send() -> None:
            try:
                route.send(drafts)
            except QueueError as error:
                raise EnqueueFailed(sent[0].id, route.task.module_path, error) from error
            self._tell(sent)

        commits.at_commit(aliases, send)

    def _tell(self, sent: list[TaskResult]) -> None:
        if hearing.hears_enqueued():
            for result in sent:
                signals.task_enqueued.send(type(self), task_result=result)


def _problem_of_name(queue: Any) -> str:
    """What is wrong with the name of a queue for tasks, if anything is."""
    if not isinstance(queue, str) or not QNAME.fullmatch(queue) or queue == RESERVED_NAME:
        return "is no name of a queue: it has letters, digits, - and _."
    if len(queue) > MAX_NAME:
        return f"is too long: a queue of tasks has at most {MAX_NAME} characters."
    if is_dead_letter_queue(queue) or queue.endswith(low_priority_queue("")):
        return "ends in -dead or -low, as queues do that are made beside others."
    return ""
