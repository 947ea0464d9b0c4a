"""Helpers for a project's tests: queues in memory, and a worker that runs within the test.

::

    from queueing.testing import fake_queues, run_pending

    class Welcome(TestCase):
        def setUp(self):
            self.enterContext(fake_queues())

        def test_a_new_customer_gets_a_mail(self):
            with self.captureOnCommitCallbacks(execute=True):
                result = welcome.enqueue("ada@example.com")
            run_pending()
            result.refresh()
            self.assertEqual(result.return_value, "sent")

A ``TestCase`` runs in a transaction that is never committed. A task that is enqueued in a transaction is sent
at the commit, here at the end of ``captureOnCommitCallbacks``. Tests with Django's immediate and dummy
backends do not need this module. The module needs ``pip install "django-rsmq[testing]"``.
"""

import time
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured

from . import conf, get_client, handlers
from .broker import task_queues
from .broker.leases import Delivery, QueueLease, extend
from .broker.outcomes import Outcome, State
from .client import QueueClient, follow_ups
from .client.default import use_client
from .exceptions import QueueError, QueueNotFound
from .worker.processor import Processor
from .worker.recalls import Recalls
from .worker.runtime import awaited
from .worker.shared_memory import SharedMemory

__all__ = ["fake_queues", "run_pending", "send_staged"]

#: The most messages that one call runs, because a job may send itself again without end.
LIMIT = 1000


@contextmanager
def fake_queues(ns: str = "rsmq") -> Iterator[QueueClient]:
    """A context manager or decorator that keeps the queues of this process in memory, empty at first.

    It yields a client for these queues. Within it, ``queueing.get_client()`` returns the same client.
    ``ns`` is the prefix of all keys. Raises ``ImproperlyConfigured`` if fakeredis is not installed.
    """
    try:
        import fakeredis
    except ImportError:
        raise ImproperlyConfigured(
            'queueing.testing needs fakeredis: pip install "django-rsmq[testing]"'
        ) from None
    client = QueueClient(fakeredis.FakeRedis(server=fakeredis.FakeServer()), ns=ns)
    use_client(client)
    try:
        yield client
    finally:
        use_client(None)


def run_pending(*queues: str, delayed: bool = False, limit: int = LIMIT) -> list[Outcome]:
    """Run the due messages of ``queues`` in this thread, and return their outcomes in order.

    Without ``queues``, the messages of all queues for which this project has code are run. Messages that a
    job sends are run, too. ``delayed`` also runs messages that are not due yet, such as retries, and messages
    that wait for a rate limit. ``limit`` is the maximum number of messages.

    Handlers and tasks run with their policies, but time limits are not applied. A job that fails is retried
    or dead: see ``event``, ``error``, ``traceback`` and ``exception`` of its ``Outcome``.
    """
    outcomes: list[Outcome] = []
    with _code_of_tasks(queues):
        names = queues or handlers.queues()
        takers = [_Taker(get_client().at([queue]), queue) for queue in task_queues.with_siblings(names)]
        for part, _ in get_client().split(names):
            follow_ups.send_due(part)
        while len(outcomes) < limit:
            # A worker, too, begins with the preferred queue again after each message.
            ran = next(filter(None, (taker.run_next(delayed=delayed) for taker in takers)), None)
            if ran is None:
                break
            outcomes.append(ran)
    return outcomes


def send_staged() -> int:
    """Send the staged messages of this test, and return the number of those that were sent.

    A staged message is a row in a database, and is sent after the commit of its transaction. The transaction
    of a ``TestCase`` is never committed, so a test calls this function instead. Messages are staged by the
    backend's option ``"enqueue": "transaction"`` and by ``send_message`` with ``via="database"``. A message
    that Redis refuses stays in its table, with the reason.
    """
    from .models import StagedMessage
    from .transactional import backlog, databases

    sent = 0
    for alias in databases.relayed():
        rows = StagedMessage.objects.using(alias).filter(is_refused=False).order_by("id")
        sent += len(backlog.retry(get_client(), alias, set(rows.values_list("id", flat=True))))
    return sent


@contextmanager
def _code_of_tasks(queues: Iterable[str]) -> Iterator[None]:
    """Within the ``with`` block, let ``handlers.find`` find tasks, as ``runworker`` does."""
    handlers.discover()
    with ExitStack() as stack:
        if conf.may_name_backend():
            from .tasks import worker_integration

            for resolver in worker_integration.resolvers(list(queues)):
                handlers.add_resolver(resolver)
                stack.callback(handlers.remove_resolver, resolver)
        yield


class _Taker:
    """Claims, runs and settles the messages of one queue, one at a time."""

    def __init__(self, client: QueueClient, queue: str) -> None:
        # No keeper renews the lease while a test is stopped in a debugger.
        config = replace(conf.get_conf(), LEASE=3600.0)
        self._client, self._queue = client, queue
        self._lease = QueueLease(client.session, config, f"test-{time.monotonic_ns()}", queue)
        desk, now_ms = _Desk(self._lease, config), lambda: time.time() * 1000
        self._processor = _Here(desk, max_attempts=config.MAX_ATTEMPTS, now_ms=now_ms)
        [slot] = SharedMemory(1, 1, (queue,)).slots
        [self._mark] = slot.marks

    def run_next(self, *, delayed: bool) -> Outcome | None:
        """Run the next message, and return its outcome. Returns ``None`` if there is no message to run."""
        with suppress(QueueNotFound):
            if delayed:
                self._bring_forward()
            reply = self._client.session.call(self._lease.claim(1, suspects="take"))
            for delivery in self._lease.read_claim(reply).deliveries:
                outcome = self._processor.process(delivery, self._mark)
                self._mark.finish()
                settled = self._client.session.call(self._lease.settle([outcome]))
                follow_ups.send(self._client, self._lease.read_follow_ups(settled))
                return outcome
        return None

    def _bring_forward(self) -> None:
        waiting = self._client.peek_messages(self._queue, count=1000)
        ids = [message.id for message in waiting if State(message.state).is_due_later]
        self._client.change_visibilities(self._queue, ids, 0)
        # For each rate limit, Redis stores when the next message may start. Delete these times, so that the
        # delayed messages can start now.
        self._client.redis.delete(self._client.keys.rates())


class _Here(Processor):
    """A ``Processor`` that runs jobs in the thread of the test, and so within its transaction."""

    def _tend_connections(self) -> None:
        pass

    def _await(self, coroutine: Coroutine[Any, Any, Any], deadline: float | None, limit: float) -> Any:
        return async_to_sync(awaited)(coroutine)


class _Desk:
    """The ``Runtime`` of jobs that run in a test."""

    worker = "test"
    is_stopping = False

    def __init__(self, lease: QueueLease, config: conf.Config) -> None:
        self._lease, self._config = lease, config

    def stop_reason(self, delivery: Delivery) -> str | None:
        """The reason why the run of ``delivery`` must stop, ``None`` if it may continue.

        A run must stop if its batch is cancelled or if someone has requested it. This method reads such
        requests from Redis. In a worker, the keeper process reads them.
        """
        if recalled := Recalls(self._lease.session).reason(delivery):
            return recalled
        queue, receipt = delivery.queue, (delivery.message.id, delivery.message.rc)
        found = extend(self._lease.session, self._config, {queue: [self._lease.child]})[queue]
        stops = [] if isinstance(found, QueueError) else found.stops
        return next((stop.reason for stop in stops if (stop.id, stop.rc) == receipt), None)

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        message = delivery.message
        get_client().report_progress(delivery.queue, message.id, message.rc, fraction, note)
