"""How a worker comes to run tasks: its command asks here, where ``TASKS`` may name our backend."""

import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial

from queueing import get_client, handlers
from queueing.broker.outcomes import Outcome
from queueing.broker.task_body import is_task
from queueing.client.default import use_client
from queueing.exceptions import QueueUnavailable
from queueing.signals import job_dead
from queueing.tasks_backend import RSMQBackend

from . import registry
from .compat import task_backends
from .resolver import TaskResolver

logger = logging.getLogger("queueing.worker")

#: Between two looks for a Redis that does not answer yet.
PAUSE_SECONDS = 2.0


def add_tasks(named: Sequence[str]) -> tuple[set[str], bool]:
    """Let a worker of the queues ``named`` (none: of all) run the tasks of our backends.

    Waits for Redis where it has to be asked for the queues. Returns those that have tasks, and whether
    the worker takes others, too, to which tasks are sent later.
    """
    queues: set[str] = set()
    takes_new_queues = False
    found = _patiently(named)
    for resolver in found:
        handlers.add_resolver(resolver, lambda resolver=resolver: resolver.queues)
        queues.update(resolver.queues)
        takes_new_queues |= resolver.takes_new_queues
    job_dead.connect(partial(_tell_death, found), weak=False)
    # The process that asked becomes a supervisor, which has no connection.
    get_client().redis.connection_pool.disconnect()
    use_client(None)
    return queues, takes_new_queues


def resolvers(named: Sequence[str]) -> Iterator[TaskResolver]:
    """One for each of our backends, with its modules loaded. Raises ``QueueUnavailable``."""
    for backend in task_backends.all():
        if isinstance(backend, RSMQBackend):
            registry.discover(backend.task_options.modules)
            yield backend.resolver(named)


def _tell_death(of_backends: Sequence[TaskResolver], outcome: Outcome, **_: object) -> None:
    """Send Django's signal for a task whose code could not: its process was killed."""
    if outcome.is_told or not is_task(outcome.body):
        return
    for resolver in of_backends:
        if resolver.serves(outcome.queue):
            resolver.tell_death(outcome)
            return


def _patiently(named: Sequence[str]) -> list[TaskResolver]:
    is_told = False
    while True:
        try:
            return list(resolvers(named))
        except QueueUnavailable as error:
            if not is_told:
                logger.warning("%s; waiting for it, to learn which queues have tasks", error)
            is_told = True
            time.sleep(PAUSE_SECONDS)
