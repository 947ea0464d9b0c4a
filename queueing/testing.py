"""For the tests of your project: queues in memory, and what waits in them run here and now.

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

A ``TestCase`` runs in a transaction that is never committed, so a task that is sent at the commit goes
out at the end of ``captureOnCommitCallbacks``. Nothing of this is needed under Django's own immediate or
dummy backend. It needs ``pip install "fakeredis[lua]"``.
"""

import time
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured

from . import conf, get_client, handlers
from .broker import task_queues
from .broker.leases import Delivery, Lane
from .broker.outcomes import Outcome, State
from .client import QueueClient
from .client.default import use_client
from .exceptions import QueueNotFound
from .worker.processor import Processor
from .worker.shared_memory import SharedMemory

__all__ = ["fake_queues", "run_pending"]

#: The most messages of one call: a handler that sends to its own queue would never end.
LIMIT = 1000


@contextmanager
def fake_queues(ns: str = "rsmq") -> Iterator[QueueClient]:
    """Let this process have its queues in memory, empty at first: the client on them.

    A context manager and a decorator. All that uses ``queueing.get_client()`` meets there.
    """
    try:
        import fakeredis
    except ImportError:
        raise ImproperlyConfigured('queueing.testing needs fakeredis: pip install "fakeredis[lua]"') from None
    client = QueueClient(fakeredis.FakeRedis(server=fakeredis.FakeServer()), ns=ns)
    use_client(client)
    try:
        yield client
    finally:
        use_client(None)


def run_pending(*queues: str, delayed: bool = False, limit: int = LIMIT) -> list[Outcome]:
    """Run all that is due in ``queues`` (none: in all that have code here), as a worker would, but here.

    Handlers and tasks run with your policies; a failure is retried or dead, as its ``Outcome`` shows
    (``event``, ``error``, ``traceback``, ``exception``). ``delayed``: bring forward what is not due yet,
    retries, too. Messages that a run sends are run, too. Time limits are not watched. Returns the outcomes in
    their order.
    """
    outcomes: list[Outcome] = []
    with _code_of_tasks(queues):
        names = queues or handlers.queues()
        takers = [_Taker(get_client(), queue) for queue in task_queues.with_siblings(names)]
        while len(outcomes) < limit:
            # The preferred queue first, and again after each message: that is the order of a worker.
            ran = next(filter(None, (taker.run_next(delayed=delayed) for taker in takers)), None)
            if ran is None:
                break
            outcomes.append(ran)
    return outcomes


@contextmanager
def _code_of_tasks(queues: Iterable[str]) -> Iterator[None]:
    """Handlers and tasks are found as by ``runworker``."""
    handlers.discover()
    with ExitStack() as stack:
        if conf.may_name_backend():
            from .tasks import worker_integration

            for resolver in worker_integration.resolvers(list(queues)):
                handlers.add_resolver(resolver, partial(getattr, resolver, "queues"))
                stack.callback(handlers.remove_resolver, resolver)
        yield


class _Taker:
    """Takes messages of one queue, one at a time, and runs them."""

    def __init__(self, client: QueueClient, queue: str) -> None:
        # Nobody extends the lease while a test is stopped in a debugger.
        config = replace(conf.get_conf(), LEASE=3600.0)
        self._client, self._queue = client, queue
        self._lane = Lane(client.session, config, f"test-{time.monotonic_ns()}", queue)
        self._processor = _Here(_Desk(), max_attempts=config.MAX_ATTEMPTS, now_ms=lambda: time.time() * 1000)
        [slot] = SharedMemory(1, 1, (queue,)).slots
        [self._mark] = slot.marks

    def run_next(self, *, delayed: bool) -> Outcome | None:
        """Run the next message, ``None``: there is none."""
        with suppress(QueueNotFound):
            if delayed:
                self._bring_forward()
            reply = self._client.session.call(self._lane.claim(1, suspects="take"))
            for delivery in self._lane.read_claim(reply).deliveries:
                outcome = self._processor.process(delivery, self._mark)
                self._mark.finish()
                self._client.session.call(self._lane.settle([outcome]))
                return outcome
        return None

    def _bring_forward(self) -> None:
        waiting = self._client.peek_messages(self._queue, count=1000)
        ids = [message.id for message in waiting if State(message.state).is_due_later]
        self._client.change_visibilities(self._queue, ids, 0)


class _Here(Processor):
    """Runs in the thread of the test, within its transaction."""

    def _tend_connections(self) -> None:
        pass

    def _await(self, coroutine: Coroutine[Any, Any, Any], deadline: float | None, limit: float) -> Any:
        return async_to_sync(_awaited)(coroutine)


class _Desk:
    """The runtime of a test."""

    worker = "test"
    is_stopping = False

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        message = delivery.message
        get_client().report_progress(delivery.queue, message.id, message.rc, fraction, note)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
