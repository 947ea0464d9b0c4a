"""Makes ``TaskResult`` objects from a message in its queue and from its outcomes.

The lookup reads queue and outcomes in Redis in one step, and then the outcomes in the database. An outcome
stays in Redis until it is in the database, so a task that ends during the lookup is also found.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from queueing import get_client
from queueing.broker import decode, task_body, task_queues
from queueing.broker.keys import LOW_PRIORITY, low_priority_queue
from queueing.broker.outcomes import Outcome, State
from queueing.broker.rsmq_values import ID
from queueing.broker.task_body import TaskBody
from queueing.broker.task_queues import Whereabouts
from queueing.exceptions import QueueUnavailable, TaskCancelled, TaskCrashed
from queueing.history import writer
from queueing.models import StagedMessage
from queueing.text.errors import class_path
from queueing.transactional import backlog, staging
from queueing.transactional.databases import relayed

from . import ready, registry
from .compat import Task, TaskError, TaskResult, TaskResultDoesNotExist, TaskResultStatus
from .options import TaskOptions

#: The states of outcomes that are listed in ``errors`` of a result.
FAILURES = frozenset({State.CANCELLED, *(end for end in State if end.counts_as_failure)})


def as_sent(task: Task, body: TaskBody, queue: str, alias: str) -> Task:
    """The task with the options of the sent message.

    They may differ from those of ``task``, because the sender may have changed them with ``using``.
    """
    run_after = _moment_in(body.run_after)
    if (task.priority, task.queue_name, task.backend, task.run_after) == (
        *(body.priority, queue, alias, run_after),
    ):
        return task
    # Made from ``func`` and not by ``using``, which cannot remove a priority or a time.
    return type(task)(
        func=task.func,
        priority=body.priority,
        queue_name=queue,
        backend=alias,
        run_after=run_after,
        takes_context=task.takes_context,
    )


class RecordedError(TaskError):
    """A stored error. The class of its exception is available only if this process has already imported it.

    The class is not imported here, because another program may have written the name, and an import runs
    code.
    """

    @property
    def exception_class(self) -> type[BaseException]:
        """The class of the exception. Raises ``ValueError`` if this process has not imported it yet."""
        module, _, name = self.exception_class_path.rpartition(".")
        found = vars(sys.modules.get(module, object())).get(name) if module in sys.modules else None
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
        raise ValueError(f"{self.exception_class_path[:255]} is not an exception that is loaded here.")


def error_of(outcome: Outcome) -> TaskError:
    """The error of an outcome that failed, crashed or was cancelled."""
    if outcome.event == State.CANCELLED:
        # The function may have raised anything to end early, and the last line is the reason of the request.
        path, traceback = class_path(TaskCancelled()), outcome.traceback + outcome.error
    else:
        path = outcome.error_class or class_path(TaskCrashed())
        traceback = outcome.traceback or outcome.error
    return RecordedError(exception_class_path=path, traceback=traceback)


def body_of(where: Whereabouts, past: Sequence[Outcome]) -> TaskBody | None:
    """The body of a task, from the queue or from an outcome. ``None`` if the message is not a task.

    If only cut bodies are left, the returned body has the name of the task, but no arguments.
    """
    for text in (where.body, *(outcome.body for outcome in past)):
        if task_body.is_task(text):
            try:
                return task_body.read(text)
            except ValueError:
                continue
    names = [outcome.handler for outcome in past if outcome.handler and task_body.is_task(outcome.body)]
    return TaskBody(names[-1]) if names else None


def result_of(
    task: Task, id: str, alias: str, body: TaskBody, where: Whereabouts, past: Sequence[Outcome]
) -> TaskResult:
    """The ``TaskResult`` of a message that is in the queue or has outcomes.

    ``past`` are the outcomes of the message, sorted by receive count.
    """
    result = ready.new_result(task, alias, body.args, body.kwargs, id)
    status = _status(where, past)
    # A cancelled task counts as a run if it was stopped after its start.
    runs = [outcome for outcome in past if outcome.event.was_claimed or _was_stopped(outcome)]
    starts = [outcome.started_ms for outcome in runs if outcome.started_ms]
    result.worker_ids.extend(outcome.worker for outcome in runs)
    result.errors.extend(error_of(outcome) for outcome in past if outcome.event in FAILURES)
    changes: dict[str, Any] = {"status": status}
    if status == TaskResultStatus.RUNNING:
        result.worker_ids.append(where.worker)
        starts.append(where.claimed_ms)
    if starts:
        changes |= {"started_at": ready.moment(min(starts)), "last_attempted_at": ready.moment(max(starts))}
    if past and status in (TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED):
        changes["finished_at"] = ready.moment(past[-1].finished_ms)
        if status == TaskResultStatus.SUCCESSFUL and past[-1].result:
            with suppress(decode.Unreadable):
                changes["_return_value"] = decode.message_json(past[-1].result)
    ready.change(result, **changes)
    return result


def _was_stopped(outcome: Outcome) -> bool:
    return outcome.event == State.CANCELLED and outcome.started_ms is not None


def _status(where: Whereabouts, past: Sequence[Outcome]) -> TaskResultStatus:
    newest = past[-1] if past else None
    # The database was read last, so it may have an outcome that is newer than the state of the queue.
    has_moved_on = newest and (newest.rc > where.rc or (where.worker and newest.rc == where.rc))
    if where.queue and not has_moved_on:
        return TaskResultStatus.RUNNING if where.worker else TaskResultStatus.READY
    if newest and newest.event == State.DONE:
        return TaskResultStatus.SUCCESSFUL
    if where.queue and newest and newest.event.runs_again:
        return TaskResultStatus.READY
    # Dead, cancelled, or deleted before its next attempt.
    return TaskResultStatus.FAILED


def _moment_in(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    # A program in another language may write a time without a zone although this project has ``USE_TZ``, or
    # with a zone although it does not.
    if found and settings.USE_TZ and found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    if found and not settings.USE_TZ and found.tzinfo:
        return found.astimezone().replace(tzinfo=None)
    return found


def known_queues() -> list[str]:
    """The queues to which tasks were sent, read from all partitions that answer.

    Raises ``QueueUnavailable`` if no partition answers.
    """
    return [queue for part in get_client().reachable().parts for queue in task_queues.known(part.session)]


def _staged_row(id: str) -> StagedMessage | None:
    """The row of a task that a transaction has staged, or ``None`` if this thread sees no such row.

    Raises ``DatabaseError``.
    """
    rows = (StagedMessage.objects.using(alias).filter(message_id=id).first() for alias in relayed())
    return next(filter(None, rows), None)


def _take_back(row: StagedMessage) -> bool:
    """Delete the row of a task if this thread's open transaction has written it. Returns whether it did.

    The message of any other row is sent, so that the caller can cancel it in Redis. Deleting a committed row
    would not be enough, because another process may be sending its message at this moment. Raises
    ``QueueError``, ``DatabaseError``.
    """
    alias = str(row._state.db)
    if row.message_id in staging.ids_of_transaction(alias):
        return bool(backlog.delete(alias, [row.pk]))
    backlog.retry(get_client(), alias, [row.pk])
    return False


class TaskLookup:
    """Finds the tasks of one backend in its ``queues``, or in all queues of tasks if ``queues`` is empty."""

    def __init__(self, alias: str, queues: Sequence[str], options: TaskOptions) -> None:
        self.alias, self.options = alias, options
        self.is_open = not queues
        self._queues = queues

    def result(self, id: str) -> TaskResult:
        """The result of the task with this id.

        Raises ``TaskResultDoesNotExist``, ``QueueUnavailable``, ``DatabaseError``.
        """
        if not (isinstance(id, str) and ID.fullmatch(id)):
            raise TaskResultDoesNotExist(id)
        where, past = self.find(id)
        if not where.queue and not past and relayed():
            where, past = self._staged(id)
        body = body_of(where, past) if where.queue or past else None
        if body is None:
            why = "is unknown, or not sent yet: tasks are sent at the commit, steps after the one before."
            raise TaskResultDoesNotExist(f"{id} {why}")
        task = registry.find(body.task)
        if task is None:
            registry.discover(self.options.modules)
            task = registry.find(body.task)
        if task is None:
            raise TaskResultDoesNotExist(f"{id}: this project has no task {body.task}")
        queue = self.sent_to(where.queue or past[-1].queue)
        task = as_sent(task, body, queue, self.alias)
        result = result_of(task, id, self.alias, body, where, past)
        if self._is_expired(result):
            raise TaskResultDoesNotExist(id)
        return result

    def sent(self, id: str) -> Whereabouts | None:
        """Find a message in its queue, to cancel or stop it.

        If the message is still a row in the database, the row is sent to the queue before the search. But if
        the transaction of the row is still open in this thread, the row is deleted and ``None`` is returned.
        Raises ``QueueError``, ``DatabaseError``.
        """
        where, _ = self.find(id)
        if not where.queue and relayed():
            row = _staged_row(id)
            if row and _take_back(row):
                return None
            where, _ = self.find(id)
        return where

    def _staged(self, id: str) -> tuple[Whereabouts, list[Outcome]]:
        """Find a task that a transaction has stored and that is not sent yet, so it has no outcomes.

        If its row no longer exists, the message has been sent, so ``find`` is called again.
        """
        row = _staged_row(id)
        if row is None or not (self.is_open or row.queue in self.queues()):
            return self.find(id)
        return Whereabouts(queue=row.queue, outcomes=[], body=decode.text(bytes(row.body))), []

    def find(self, id: str) -> tuple[Whereabouts, list[Outcome]]:
        """Find the message in its queue, and the outcomes of all its deliveries so far.

        The outcomes are sorted by receive count.
        """
        where = self._whereabouts(id)
        queues = task_queues.with_siblings(self._queues)
        by_rc: dict[int, Outcome] = {}
        if not self._is_complete(where):
            for outcome in writer.outcomes_of(id):
                if self.is_open or outcome.queue in queues:
                    by_rc.setdefault(outcome.rc, outcome)
        # The first outcome of a receipt counts, as in the history.
        for outcome in where.outcomes:
            by_rc.setdefault(outcome.rc, outcome)
        return where, [by_rc[rc] for rc in sorted(by_rc)]

    def _whereabouts(self, id: str) -> Whereabouts:
        """Find a message, and its outcomes that are still in Redis, in the partitions that may have it.

        Raises ``QueueUnavailable`` if a partition does not answer and no other partition has the message.
        """
        client = get_client()
        named = dict(client.split(task_queues.with_siblings(self._queues)))
        outage: QueueUnavailable | None = None
        # A message that has moved may have outcomes on its old partition, too.
        found: list[Outcome] = []
        for part in client.parts if self.is_open else named:
            try:
                queues = named.get(part) or task_queues.with_siblings(task_queues.known(part.session))
                where = task_queues.find(part.session, id, queues)
            except QueueUnavailable as error:
                outage = error
                continue
            found += where.outcomes
            if where.queue or (where.outcomes and where.outcomes[-1].event.is_final):
                return replace(where, outcomes=found)
        if outage and not found:
            raise outage
        return Whereabouts("", found)

    def queues(self) -> list[str]:
        """The queues of the backend, and their low-priority queues."""
        return task_queues.with_siblings(self._queues or known_queues())

    def sent_to(self, queue: str) -> str:
        """The queue that the sender named for a task in ``queue``.

        This is ``queue`` itself, unless ``queue`` is a low-priority queue.
        """
        base = queue.removesuffix(LOW_PRIORITY)
        is_sibling = queue == low_priority_queue(base) and (self.is_open or base in self._queues)
        return base if is_sibling else queue

    def _is_complete(self, where: Whereabouts) -> bool:
        """Whether Redis still has the outcomes of all deliveries, so that the database need not be read."""
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
