"""Connects tasks with the worker: finds the task of a message, and makes the message of a schedule.

The command ``runworker`` uses this module if the setting ``TASKS`` has an ``RSMQBackend``.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from queueing import get_client, handlers, periodic
from queueing.broker import task_queues
from queueing.broker.outcomes import Outcome
from queueing.broker.task_body import BadTaskBody, is_task, read
from queueing.client.default import use_client
from queueing.exceptions import QueueUnavailable, UnknownTask
from queueing.messages import Message
from queueing.policies import Policy, limits, policy_of
from queueing.policies.above import above
from queueing.scheduling.schedule import Target
from queueing.signals import emit, job_dead

from . import registry
from .backend import RSMQBackend
from .compat import InvalidTask, Task, TaskResultDoesNotExist, signals, task_backends
from .results import TaskLookup, known_queues
from .runner import TaskCode, TaskRun

logger = logging.getLogger("queueing.worker")

#: The policy for an invalid body. There is only one attempt, because later ones would fail, too.
BAD = Policy(max_attempts=1)


class TaskResolver:
    """Finds the code for the tasks of one backend.

    It finds tasks in the ``queues`` and their low-priority queues. With ``takes_new_queues``, it also finds
    tasks in every other queue without a handler. ``sender`` is the sender of Django's signals for tasks.
    """

    def __init__(
        self, lookup: TaskLookup, queues: Sequence[str], sender: type, *, takes_new_queues: bool = False
    ) -> None:
        self._lookup, self._sender, self.takes_new_queues = lookup, sender, takes_new_queues
        self._queues = frozenset(task_queues.with_siblings(queues))
        self._codes: dict[str, TaskCode] = {}
        #: The names of the queues, sorted, without their low-priority queues.
        self.queues = sorted(set(queues))

    def __call__(self, queue: str, message: Message) -> TaskRun | None:
        """The code of the message's task, or ``None`` if the message is not a task of this backend.

        Raises ``UnknownTask``, ``BadTaskBody``, ``NewerTaskBody``.
        """
        if not is_task(message.body) or not self.serves(queue):
            return None
        try:
            body = read(message.body)
        except BadTaskBody as error:
            error.policy = BAD  # type: ignore[attr-defined]
            raise
        code = self._codes.get(body.task)
        if code is None:
            code = self._codes[body.task] = self._code(body.task)
        return TaskRun(code, body)

    def emit_failed(self, outcome: Outcome) -> None:
        """Send Django's signal ``task_finished`` for a task whose process died before it could send it.

        Raises ``QueueUnavailable``, ``DatabaseError``.
        """
        with suppress(TaskResultDoesNotExist):
            result = self._lookup.result(outcome.id)
            if result.is_finished:
                emit(signals.task_finished, self._sender, task_result=result)

    def serves(self, queue: str) -> bool:
        """Whether the tasks in ``queue`` belong to this backend."""
        return queue in self._queues or (self.takes_new_queues and not handlers.has_handler(queue))

    def _code(self, path: str) -> TaskCode:
        task = registry.find(path)
        if task is None:
            raise UnknownTask(
                f"This project has no task {path}. A worker finds tasks in the tasks.py of the apps in "
                'INSTALLED_APPS, and in the modules of OPTIONS["modules"].'
            )
        return TaskCode(task, self._lookup, self._sender)


#: The pause between two calls while Redis does not answer yet.
PAUSE_SECONDS = 2.0


def add_tasks(named: Sequence[str]) -> tuple[set[str], bool]:
    """Let the worker run the tasks of each ``RSMQBackend``.

    ``named`` has the queues that the command line names. If it is empty, the worker takes messages from all
    queues. If names of queues must be read from Redis, this function waits until Redis answers.

    Returns the queues with tasks, and whether the worker also takes messages from queues that receive their
    first task later.
    """
    queues: set[str] = set()
    takes_new_queues = False
    found = _patiently(named)
    for resolver in found:
        handlers.add_resolver(resolver)
        queues.update(resolver.queues)
        takes_new_queues |= resolver.takes_new_queues
    job_dead.connect(partial(_emit_failed, found), weak=False)
    # This process becomes the supervisor, which must not have a connection.
    for part in get_client().parts:
        part.redis.connection_pool.disconnect()
    use_client(None)
    return queues, takes_new_queues


def resolvers(named: Sequence[str]) -> Iterator[TaskResolver]:
    """The ``TaskResolver`` of each ``RSMQBackend``, after the import of its modules with tasks.

    ``named`` has the queues that the command line names. Raises ``QueueUnavailable``.
    """
    return (resolver_of(backend, named) for backend in _backends())


def _backends() -> Iterator[RSMQBackend]:
    """Import the modules with tasks of each ``RSMQBackend``, and yield the backend.

    They are ``tasks`` of every app, and ``modules`` in the options of the backend.
    """
    for backend in task_backends.all():
        if isinstance(backend, RSMQBackend):
            registry.discover(backend.task_options.modules)
            yield backend


def resolver_of(backend: RSMQBackend, named: Sequence[str]) -> TaskResolver:
    """Make the ``TaskResolver`` of a backend.

    It finds tasks in the ``QUEUES`` of the backend or, if these are empty, in the queues ``named``. If
    ``named`` is empty as well, it finds tasks in every queue to which this project's tasks are ever sent.
    Raises ``QueueUnavailable``.
    """
    queues = sorted(backend.queues) or list(named)
    if queues:
        return TaskResolver(backend.lookup(), queues, type(backend))
    queues = [*known_queues(), *registry.queues(backend.alias)]
    return TaskResolver(backend.lookup(), queues, type(backend), takes_new_queues=True)


def _emit_failed(of_backends: Sequence[TaskResolver], outcome: Outcome, **_: object) -> None:
    """Send Django's signal ``task_finished`` for a task whose process was killed before it could send it.

    This is a receiver of ``job_dead``.
    """
    if outcome.is_reported or not is_task(outcome.body):
        return
    for resolver in of_backends:
        if resolver.serves(outcome.queue):
            resolver.emit_failed(outcome)
            return


def _patiently(named: Sequence[str]) -> list[TaskResolver]:
    is_logged = False
    while True:
        try:
            return list(resolvers(named))
        except QueueUnavailable as error:
            if not is_logged:
                logger.warning("%s; waiting for it, to learn which queues have tasks", error)
            is_logged = True
            time.sleep(PAUSE_SECONDS)


def register_schedules() -> None:
    """Let ``@periodic`` accept tasks, and let ``above.limit_of_task`` find the limits of tasks.

    Every process calls this function when Django starts.
    """
    periodic.add_maker(_schedule_target, modules=_import_modules)
    above.limit_of_task = _limit_of


def _import_modules() -> None:
    list(_backends())


def _limit_of(body: str) -> dict[str, str]:
    """The header with the limit of a task, made from the ``body`` of the task's message.

    It is for a task that is sent again, or that follows in a chain or batch. Returns ``{}`` if the task has
    no limit, and also, with a line in the log, if the key function of its policy fails.
    """
    if not is_task(body):
        return {}
    with suppress(BadTaskBody):
        sent = read(body)
        if registry.find(sent.task) is None:
            _import_modules()
        if task := registry.find(sent.task):
            try:
                return limits.of_call(policy_of(task.func), task.module_path, sent.args, sent.kwargs)
            except Exception:
                logger.exception("the key of %s fails: it is sent without its limit", sent.task)
    return {}


def _schedule_target(subject: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Target | None:
    """The queue and the message for a schedule that enqueues the task ``subject``.

    Returns ``None`` if ``subject`` is not a task of an ``RSMQBackend``. Raises ``ImproperlyConfigured``.
    """
    if not isinstance(subject, Task):
        return None
    backend = subject.get_backend()
    if not isinstance(backend, RSMQBackend):
        return None
    try:
        queue, draft = backend.draft(subject, args, kwargs)
    except (InvalidTask, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"The schedule of {subject.module_path}: {error}") from error
    return Target(subject.module_path, queue, lambda tick: draft)
