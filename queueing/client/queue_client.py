"""The blocking client. ``async_client.py`` has its counterpart for event loops."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from redis import Redis

from queueing.broker.idempotency import Senders
from queueing.broker.pubsub import WakeUp, WakeUps
from queueing.broker.session import Session
from queueing.conf import Config
from queueing.resilience.process_state import ProcessState
from queueing.signals import emit

from .bulk import BulkOperations
from .drafts import TextSend
from .steps import in_thread, runs_operations

#: The number of queues whose ``TextSend`` is cached.
TEXT_SENDS = 256


@runs_operations(in_thread)
class QueueClient(BulkOperations):
    """A client for the queues of one namespace on one Redis, with the methods of RSMQ and further methods.

    Threads and forks may share a client, before and after its first call. Each process has its own
    connections. Every method raises ``QueueUnavailable`` if Redis does not answer.

    A receipt is the id and the receive count of one delivery. It is invalid after another receiver has
    received the message, and after the message is deleted. A call with an invalid receipt changes nothing.
    """

    session: Session
    #: The names of the partitions that ``reachable`` has left out.
    away: tuple[str, ...] = ()
    #: For each partition in ``away``, the reason why it refuses. The reason is ``""`` if it does not answer.
    refusals: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self, redis: Redis, ns: str = "rsmq", *, outbox_max: int = Config().OUTBOX_MAX, durable: int = 0
    ) -> None:
        """``outbox_max`` is the limit of the outbox in bytes (the setting ``OUTBOX_MAX``).

        ``durable`` is the number of replicas that must confirm a send (the setting ``DURABLE``).
        """
        self.session, self.outbox_max, self.durable = Session(redis, ns), outbox_max, durable
        self.redis, self.keys = redis, self.session.keys
        self._senders = Senders()
        self._text_sends = lru_cache(maxsize=TEXT_SENDS)(partial(TextSend, self.keys))
        self._wakeups = ProcessState(lambda: WakeUps(redis))
        self._emit = emit

    def reachable(self) -> "QueueClient":
        """A client that uses only the partitions that can be read. Its ``away`` names the other partitions.

        Without partitions, returns this client itself.
        """
        return self

    @property
    def wakeups(self) -> WakeUps:
        """The object with which callers in this process wait for new messages."""
        return self._wakeups.get()

    def _wakeup(self, channel: str) -> AbstractContextManager[WakeUp]:
        return self.wakeups.of(channel)

    def _maintain(self, function: Callable[[Session], Any]) -> Any:
        return function(self.session)
