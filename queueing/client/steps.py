"""Operations that are written once for two clients: the blocking client and the asyncio client.

An operation is a generator. It yields each call to Redis, and continues with the reply::

    reply = yield self.session.call(call)

``session.call`` returns the reply in a ``QueueClient``, and an awaitable in an ``AsyncQueueClient``. The
generator receives the reply in both cases.
"""

import inspect
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache, wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, get_args, overload

from queueing.broker.async_session import AsyncSession
from queueing.broker.idempotency import Senders
from queueing.broker.keys import Keys
from queueing.broker.places import DEFAULT
from queueing.broker.scripts import Call, QueueCall, room_call
from queueing.broker.session import Session
from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable

from .drafts import TextSend

Client = TypeVar("Client", bound=type)
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

#: A generator that yields calls of a session, and returns the result of the operation.
Steps = Generator[Any, Any, Result]

#: The clients of this many queues are cached.
REMEMBERED = 4096


class InThreads(Protocol):
    """A client whose operations return their results."""

    @property
    def session(self) -> Session: ...


class InLoops(Protocol):
    """A client whose operations are coroutine functions."""

    @property
    def session(self) -> AsyncSession: ...


class AnySession(Protocol):
    """The methods of a session that operations call. Calls return replies, or awaitables of replies."""

    def call(self, call: Call | QueueCall, *, replicas: int = 0) -> Any: ...
    def call_each(self, calls: Sequence[Call | QueueCall], *, replicas: int = 0) -> Any: ...
    def dead_letter_queue(self, queue: str) -> str: ...
    def learn_dead_letter_queue(self, queue: str, name: str) -> None: ...
    def queue_keys(self, queue: str) -> list[str]: ...


class Routing:
    """Finds the client of a queue's partition. The function ``place`` returns the partition of a queue."""

    def __init__(self, parts: Sequence[Any], place: Callable[[str], str]) -> None:
        self.parts, self.place = tuple(parts), place
        #: For each partition that was left out, the reason why it refuses, ``""`` if it does not answer.
        self.refusals: Mapping[str, str] = {}
        self._by_name = {part.partition: part for part in parts}
        #: Returns the client of a queue's partition. Raises ``QueueUnavailable`` if ``parts`` lacks it.
        self.at = lru_cache(REMEMBERED)(self._at)

    def _at(self, qname: str) -> Any:
        name = self.place(qname)
        if name not in self._by_name:
            raise unusable(name, self.refusals.get(name, ""))
        return self._by_name[name]

    def common(self, qnames: Iterable[str]) -> Any:
        """The client of the partition that has all these queues.

        Raises ``QueueError`` if the queues are on different partitions.
        """
        places = {self.place(qname): qname for qname in qnames}
        if len(places) > 1:
            said = ", ".join(
                f"{qname} is on the partition {place}" for place, qname in sorted(places.items())
            )
            raise QueueError(f"These queues must be on one partition, and {said}: change PLACES")
        return self.at(next(iter(places.values()), ""))


def unusable(partition: str, refusal: str) -> QueueUnavailable:
    """Make the error for a call to a partition that ``reachable`` has left out.

    ``refusal`` is the reason why the partition refuses, or ``""`` if it does not answer.
    """
    error = QueueUnavailable(f"The partition {partition} does not answer")
    if refusal:
        error = QueueRefused(f"The partition {partition} cannot be used: {refusal}")
    error.partition = partition
    return error


class OperationsBase:
    """The base class of clients, with the attributes that operations need.

    All operations may raise ``QueueUnavailable``.
    """

    #: The partition of the client's queues, and the clients of all partitions if there are several.
    partition: str = DEFAULT
    routing: Routing | None = None
    session: AnySession
    keys: Keys
    #: Replicas that must confirm a send (the setting ``DURABLE``).
    durable: int
    #: The limit of the outbox in bytes (the setting ``OUTBOX_MAX``).
    outbox_max: int
    _senders: Senders
    #: Returns the ``TextSend`` of a queue.
    _text_sends: Callable[[str], TextSend]
    #: Returns a context manager for the wake-up of one channel.
    _wakeup: Callable[[str], AbstractContextManager[Any]]
    #: Calls a slow function with a ``Session``. An operation must yield the returned value.
    _maintain: Callable[[Callable[[Session], Any]], Any]
    #: Sends a signal of this package. An operation must yield the returned value.
    _emit: Callable[..., Any]

    def _room_call(self, script: str, qname: str, *args: Any, repeatable: bool = True) -> QueueCall:
        return room_call(self.keys, self.outbox_max, script, qname, *args, repeatable=repeatable)

    @property
    def parts(self) -> Sequence[Self]:
        """The client of each partition. Without partitions, only this client."""
        return self.routing.parts if self.routing else (self,)

    def at(self, qnames: Iterable[str]) -> Self:
        """The client of the partition that has all these queues.

        Raises ``QueueError`` if the queues are on different partitions.
        """
        return self.routing.common(qnames) if self.routing else self

    def split(self, qnames: Sequence[str]) -> list[tuple[Self, list[str]]]:
        """Split queues by partition. Returns pairs: the client of a partition, and its queues.

        Queues on partitions that ``reachable`` has left out are missing in the result.
        """
        if not self.routing:
            return [(self, list(qnames))]
        place = self.routing.place
        found = [(part, [one for one in qnames if place(one) == part.partition]) for part in self.parts]
        return [(part, of_part) for part, of_part in found if of_part]


class operation(Generic[Parameters, Result]):
    """Decorator for an operation: a generator method that returns ``Steps``.

    Each client class replaces the operation by a blocking method or a coroutine function. Private methods
    that operations share are not decorated, because operations call them with ``yield from``.
    """

    def __init__(self, steps: Callable[Concatenate[Any, Parameters], Steps[Result]]) -> None:
        self.steps = steps

    @overload
    def __get__(self, client: InThreads, owner: Any) -> Callable[Parameters, Result]: ...
    @overload
    def __get__(self, client: InLoops, owner: Any) -> Callable[Parameters, Coroutine[Any, Any, Result]]: ...
    @overload
    def __get__(self, client: None, owner: Any) -> Callable[..., Any]: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        # Client classes replace operations by functions (see ``runs_operations``), which are faster to call.
        return self.steps if client is None else self.steps.__get__(client)


def runs_operations(
    driver: Callable[[Callable[..., Steps[Any]]], Callable[..., Any]],
) -> Callable[[Client], Client]:
    """Decorator for a client class: replaces each operation of its bases by a method.

    ``driver`` makes the method from the operation. It is ``in_thread`` or ``in_loop``.
    """

    def equip(client: Client) -> Client:
        for base in client.__mro__:
            for name, found in vars(base).items():
                if isinstance(found, operation) and name not in vars(client):
                    method = wraps(found.steps)(driver(found.steps))
                    method.__signature__ = _signature(found.steps)  # type: ignore[attr-defined]
                    setattr(client, name, method)
        return client

    return equip


def _signature(steps: Callable[..., Any]) -> inspect.Signature:
    found = inspect.signature(steps)
    return found.replace(return_annotation=get_args(found.return_annotation)[-1])


def in_thread(steps: Callable[Parameters, Steps[Result]]) -> Callable[Parameters, Result]:
    """Make a blocking function from the generator function ``steps``.

    The generator makes blocking calls and yields the reply of each call, which is passed back to it.
    """

    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        running = steps(*args, **kwargs)
        try:
            reply = next(running)
            while True:
                reply = running.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result

    return run


def in_loop(steps: Callable[Parameters, Steps[Result]]) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
    """Make a coroutine function from the generator function ``steps``.

    The calls in the generator return awaitables, which it yields. Each awaitable is awaited, and the reply is
    passed back to the generator.
    """

    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        running = steps(*args, **kwargs)
        try:
            awaitable = next(running)
            while True:
                try:
                    reply = await awaitable
                except BaseException as error:
                    # Any error, even a cancellation, makes the generator leave its context managers.
                    awaitable = running.throw(error)
                else:
                    awaitable = running.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result

    return run
