"""Clients for several partitions (namespaces, often on different servers).

Such a client has a client for each partition, and passes a call for a queue to the client of its partition.
A call for all queues asks each partition, and raises ``QueueUnavailable`` if a partition does not answer. A
call without a queue, such as ``count_hit``, goes to the default partition.
"""

import inspect
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from queueing.broker.refusals import PERMISSIONS
from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable
from queueing.messages import QueueFigures
from queueing.resilience import deadline

from .async_client import AsyncQueueClient
from .queue_client import QueueClient
from .steps import Routing, Steps, in_loop, in_thread

logger = logging.getLogger("queueing")

Client = TypeVar("Client", bound=type)

#: How long ``reachable`` waits for the answer of a partition, and how long it leaves out a partition that did
#: not answer or has refused.
ASK_SECONDS, BELIEVED_SECONDS = 0.3, 2.0
#: The commands without which a partition cannot be shown.
READING = frozenset(
    ("HGET", "HGETALL", "HMGET", "SMEMBERS", "TIME", "XLEN", "XRANGE")
    + ("ZCARD", "ZCOUNT", "ZRANGEBYSCORE", "ZREVRANGE")
)
#: The most clients that ``reachable`` keeps, one for each set of partitions that it has left out.
MOST_KEPT = 16


def _ping(client: Any) -> Steps[None]:
    for part in client.parts:
        yield part.ping()


def _list_queues(client: Any) -> Steps[list[str]]:
    names: list[str] = []
    for part in client.parts:
        found = yield part.list_queues()
        # A queue that was moved may still exist, with some messages, on its former partition.
        names += [name for name in found if client.routing.place(name) == part.partition]
    return names


def _queue_figures(client: Any, qnames: Sequence[str] | None = None) -> Steps[list[QueueFigures]]:
    names = (yield from _list_queues(client)) if qnames is None else qnames
    figures: list[QueueFigures] = []
    for part, of_part in client.split(names):
        figures += yield part.queue_figures(of_part)
    return sorted(figures, key=lambda queue: queue.name)


def _move_messages(client: Any, source: str, target: str, **options: Any) -> Steps[int]:
    part = client.routing.common([source, target])
    moved: int = yield part.move_messages(source, target, **options)
    return moved


def _set_redrive_policy(
    client: Any, qname: str, max_receive_count: int, dead_letter_queue: str | None = None
) -> Steps[Any]:
    part = client.routing.common([qname, dead_letter_queue or qname])
    return (yield part.set_redrive_policy(qname, max_receive_count, dead_letter_queue))


#: The operations that concern several queues or no queue, by the name of the method.
TOGETHER: dict[str, Callable[..., Steps[Any]]] = {
    "ping": _ping,
    "list_queues": _list_queues,
    "queue_figures": _queue_figures,
    "move_messages": _move_messages,
    "set_redrive_policy": _set_redrive_policy,
}


def routes(driver: Callable[[Callable[..., Steps[Any]]], Callable[..., Any]]) -> Callable[[Client], Client]:
    """Decorator for a client class: a method with a ``qname`` runs on the client of that queue's partition.

    For the methods that ``TOGETHER`` names, ``driver`` (``in_thread`` or ``in_loop``) makes other methods
    from the operations in ``TOGETHER``.
    """

    def equip(client: Client) -> Client:
        for name, method in inspect.getmembers(client, inspect.isfunction):
            if name in TOGETHER:
                setattr(client, name, wraps(method)(driver(TOGETHER[name])))
            elif not name.startswith("_") and list(inspect.signature(method).parameters)[1:2] == ["qname"]:
                setattr(client, name, _routed(name, method))
        return client

    return equip


def _routed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(client: Any, qname: str, *args: Any, **options: Any) -> Any:
        # The client of any partition refuses a name that is not a text.
        part = client.routing.at(qname) if isinstance(qname, str) else client.parts[0]
        return getattr(part, name)(qname, *args, **options)

    return call


@routes(in_thread)
class PartitionedClient(QueueClient):
    """A blocking client that uses several partitions."""

    def __init__(self, parts: Sequence[QueueClient], place: Callable[[str], str]) -> None:
        """``parts`` are the clients of the partitions, the default one first.

        ``place`` returns the name of a queue's partition.
        """
        vars(self).update(vars(parts[0]))
        self.routing: Routing = Routing(parts, place)
        #: For each partition that is left out: until when, and its refusal, ``""`` if it does not answer.
        self._believed: dict[str, tuple[float, str]] = {}
        self._without: dict[tuple[tuple[str, str], ...], QueueClient] = {}

    def reachable(self) -> QueueClient:
        """A client that uses only the partitions that can be read. See ``QueueClient.reachable``.

        A partition that does not answer, or refuses, is left out and is not asked again for two seconds. If
        no partition can be read, this client is returned.
        """
        found = {part.partition: self._refusal(part) for part in self.parts}
        away = {name: refusal for name, refusal in found.items() if refusal is not None}
        if not away or len(away) == len(self.parts):
            return self
        key = tuple(away.items())
        if key not in self._without:
            if len(self._without) >= MOST_KEPT:
                self._without.clear()
            self._without[key] = self._leave_out(away)
        return self._without[key]

    def _leave_out(self, away: Mapping[str, str]) -> QueueClient:
        parts = [part for part in self.parts if part.partition not in away]
        assert self.routing
        found = PartitionedClient(parts, self.routing.place)
        found.away, found.refusals = tuple(away), away
        found.routing.refusals = away
        # A call without a queue goes to the default partition, even if that partition is left out.
        vars(found).update({name: vars(self)[name] for name in vars(parts[0])})
        return found

    def _refusal(self, part: QueueClient) -> str | None:
        """Return ``None`` if the partition can be read, ``""`` if it does not answer, else why it refuses.

        A partition that could not be read is asked again after two seconds at the earliest.
        """
        until, refusal = self._believed.get(part.partition, (0.0, ""))
        if time.monotonic() < until:
            return refusal
        try:
            _check(part)
        except QueueError as error:
            is_silent = isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused)
            named = f"Partition {part.partition}: "
            found = "" if is_silent else str(error).removeprefix(named).removesuffix(".")
            if found and self._believed.get(part.partition, (0.0, ""))[1] != found:
                logger.warning("the partition %s is left out: %s", part.partition, error)
            self._believed[part.partition] = (time.monotonic() + BELIEVED_SECONDS, found)
            return found
        self._believed.pop(part.partition, None)
        return None


def _check(part: QueueClient) -> None:
    """Raise a ``QueueError`` if the partition cannot be read. Its node may be a primary or a replica."""
    # The check has a time limit of its own, so that a partition that hangs does not use up the time that the
    # request has for the other partitions.
    with deadline.within(ASK_SECONDS):
        missing = READING.intersection(part.session.refused_commands())
    if missing:
        raise QueueRefused(f"Redis refuses {', '.join(sorted(missing))}: {PERMISSIONS}", is_lasting=True)


@routes(in_loop)
class AsyncPartitionedClient(AsyncQueueClient):
    """An asyncio client that uses several partitions."""

    def __init__(self, client: QueueClient) -> None:
        """Use the partitions of ``client``.

        Raises ``ValueError`` for a connection option that redis-py's asyncio connections lack.
        """
        assert client.routing, "a client of several partitions"
        parts = [AsyncQueueClient(part) for part in client.parts]
        vars(self).update(vars(parts[0]))
        self.of, self.routing = client, Routing(parts, client.routing.place)
