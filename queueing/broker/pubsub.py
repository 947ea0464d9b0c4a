"""Pub/sub: wakes waiting receivers when a message is sent.

No message depends on its announcement: if an announcement is lost, the receiver finds the message with its
next poll. If Redis refuses the subscription, receivers only poll, and the subscription is tried again later.
"""

import asyncio
import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis
from redis import exceptions as driver

from .session import AWAY, Session

logger = logging.getLogger("queueing")
worker_logger = logging.getLogger("queueing.worker")

#: Some senders do not announce their messages, among them RSMQ by default. A poll finds these messages.
POLL_SECONDS = 4.5
#: How long to wait after a refused subscription before it is tried again.
REFUSED_SECONDS = 60.0
SUBSCRIBE_REFUSED = (
    f"Redis refuses SUBSCRIBE to its user: new messages are found by a poll every {POLL_SECONDS:g} s"
)
#: How long the listening thread keeps running after the last caller has stopped waiting. Another caller often
#: waits soon.
LINGER_SECONDS = 5.0
#: How often the listening thread checks whether it is still needed, and reconnects while Redis is away.
LOOK_SECONDS = 1.0

#: Maps the kinds of messages of sharded pub/sub to those of ordinary pub/sub.
SHARDED_KINDS = {b"smessage": "message", b"ssubscribe": "subscribe", b"sunsubscribe": "unsubscribe"}


class Subscription:
    """A connection for pub/sub, outside the pool. After an error, the caller closes it and makes a new one.

    In a cluster with sharded pub/sub, the connection subscribes to each channel in both forms: this package
    announces messages by sharded pub/sub, and other programs announce them by ordinary pub/sub.

    redis-py's ``PubSub`` is not used: it applies the connection's timeout to each read, and has no socket for
    ``select``.
    """

    def __init__(self, redis: Redis) -> None:
        pool = redis.connection_pool
        # Protocol 3 mixes announcements with replies.
        self._connection: Any = pool.connection_class(**{**pool.connection_kwargs, "protocol": 2})
        self._connection.connect()
        discovery = pool.connection_kwargs.get("discovery")
        is_sharded = discovery is not None and discovery.is_cluster and self._has_sharded()
        #: The prefixes of the commands. Redis sends one reply for each prefix and channel.
        self.forms = ("", "S") if is_sharded else ("",)

    def _has_sharded(self) -> bool:
        """Whether the node has sharded pub/sub, which Redis 6.2 does not have."""
        try:
            self._connection.send_command("SUNSUBSCRIBE")
            self._connection.read_response(disable_decoding=True)
        except driver.ResponseError:
            return False
        return True

    def fileno(self) -> int:
        """The file descriptor of the socket, for ``select``. Returns -1 if the socket is not connected."""
        socket = getattr(self._connection, "_sock", None)
        return socket.fileno() if socket else -1

    def send(self, verb: str, *channels: str) -> None:
        """Send the command ``verb``: ``SUBSCRIBE`` or ``UNSUBSCRIBE``.

        In a cluster with sharded pub/sub, the sharded form of the command is sent, too. Redis confirms each
        channel and each form. ``read`` returns the confirmations.
        """
        for form in self.forms:
            self._connection.send_command(form + verb, *channels)

    def read(self, *, timeout_seconds: float | None = None) -> tuple[str, str, str] | None:
        """Read the kind (``message``, ``subscribe`` …), the channel and the text of the next message.

        Returns ``None`` if no message arrives within ``timeout_seconds``, by default the connection's
        timeout.
        """
        if timeout_seconds is not None and not self._connection.can_read(timeout=timeout_seconds):
            return None
        kind, channel, text = self._connection.read_response(disable_decoding=True)
        text = text.decode(errors="replace") if isinstance(text, bytes) else ""
        return SHARDED_KINDS.get(kind) or kind.decode(), (channel or b"").decode(), text

    def close(self) -> None:
        self._connection.disconnect()


class Listener:
    """Listens for announcements of new messages for one child process of a worker.

    Between ``open`` and ``close`` it listens on the child's own channel (``own``). Between ``start`` and
    ``stop`` it also listens on the channels of the child's queues. A busy child stops this, because
    announcements that nobody reads fill Redis' memory. With ``logs_refusal`` (one listener of each worker), a
    refused subscription is logged.
    """

    def __init__(
        self, session: Session, queues: Sequence[str], *, own: str = "", logs_refusal: bool = True
    ) -> None:
        self._logs_refusal, self._refused_until = logs_refusal, -math.inf
        self._redis = session.redis
        self._queues, self.own = {session.keys.channel(queue): queue for queue in queues}, own
        self._subscription: Subscription | None = None
        self._woken: set[str] = set()
        self._announced: set[str] = set()
        #: Whether this is subscribed to the channel of its child (``is_open``), and to the channels of its
        #: queues (``is_listening``).
        self.is_open = self.is_listening = False

    def fileno(self) -> int:
        """The file descriptor of the socket, for ``select``. Returns -1 without a subscription."""
        return self._subscription.fileno() if self._subscription else -1

    def open(self) -> bool:
        """Subscribe to the child's own channel.

        Returns whether this call has subscribed. If so, the caller must check for messages, because earlier
        announcements are lost.
        """
        if self.is_open or not self.own or time.monotonic() < self._refused_until:
            return False
        self.is_open = self._send("SUBSCRIBE", [self.own])
        return self.is_open

    def start(self) -> bool:
        """Subscribe to the channels of the queues. Like ``open``, returns whether it has subscribed."""
        if self.is_listening or time.monotonic() < self._refused_until:
            return False
        self.is_listening = self._send("SUBSCRIBE", self._queues)
        return self.is_listening

    def stop(self) -> None:
        """Unsubscribe from the channels of the queues. The connection stays open."""
        if self.is_listening:
            self.is_listening = False
            self._send("UNSUBSCRIBE", self._queues)

    def drain(self) -> tuple[set[str], set[str]]:
        """Read all announcements that have arrived. Returns two sets of queue names.

        The first set has the queues for which the child's own channel woke it. The second set has the queues
        with announcements on their channels.
        """
        try:
            while self._subscription and (heard := self._subscription.read(timeout_seconds=0)):
                self._keep(*heard)
                if heard[0] == "unsubscribe":
                    self.close()  # The slot of the queues has moved to another node.
        except AWAY:
            self.close()
        woken, self._woken = self._woken, set()
        announced, self._announced = self._announced, set()
        return woken, announced

    def _keep(self, kind: str, channel: str, text: str) -> None:
        if kind == "message" and channel == self.own:
            self._woken.add(text)
        elif kind == "message" and channel in self._queues:
            self._announced.add(self._queues[channel])

    def close(self) -> None:
        self.is_listening = self.is_open = False
        if self._subscription:
            self._subscription.close()
            self._subscription = None

    def _send(self, verb: str, channels: Collection[str]) -> bool:
        try:
            self._subscription = self._subscription or Subscription(self._redis)
            self._subscription.send(verb, *channels)
            confirmed = 0
            while confirmed < len(channels) * len(self._subscription.forms):
                if heard := self._subscription.read():
                    confirmed += heard[0] == verb.lower()
                    self._keep(*heard)
            return True
        except driver.NoPermissionError as error:
            self._is_refused(error)
            return False
        except AWAY:
            # A poll finds new messages, and the next claim reports an outage of Redis.
            self.close()
            return False

    def _is_refused(self, error: driver.NoPermissionError) -> None:
        self.close()
        self._refused_until = time.monotonic() + REFUSED_SECONDS
        if self._logs_refusal:
            self._logs_refusal = False
            worker_logger.warning("%s (%s)", SUBSCRIBE_REFUSED, error)


class WakeUp:
    """An event for one waiting thread. Any thread may set the event with ``ring``."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for a call of ``ring``, and clear the event. Returns whether it was set."""
        rang = self._event.wait(seconds)
        self._event.clear()
        return rang


class AsyncWakeUp:
    """An event for one coroutine of a running event loop. Any thread may set the event with ``ring``."""

    def __init__(self) -> None:
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()

    def ring(self) -> None:
        with suppress(RuntimeError):  # The loop was closed a moment ago.
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` for a call of ``ring``, and clear the event for the next ``wait``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class WakeUps:
    """Lets threads and coroutines wait for announcements. One extra thread listens on all channels."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._waiting: dict[str, set[WakeUp | AsyncWakeUp]] = defaultdict(set)
        self._subscription: Subscription | None = None
        self._is_listening = False
        self._idle_since = 0.0
        self._refusal_level = logging.WARNING  # the first time

    @contextmanager
    def of(self, channel: str) -> Iterator[WakeUp]:
        """Yield an event that is set when Redis announces a message on ``channel``.

        The event is also set when the subscription begins. The caller must then check for messages, because
        earlier announcements are lost.
        """
        wakeup = WakeUp()
        with self.ringing(channel, wakeup):
            yield wakeup

    @contextmanager
    def ringing(self, channel: str, wakeup: WakeUp | AsyncWakeUp) -> Iterator[None]:
        """Like ``of``, but sets the given event ``wakeup``, until the end of the ``with`` block."""
        self._add(channel, wakeup)
        try:
            yield
        finally:
            self._remove(channel, wakeup)

    def _add(self, channel: str, wakeup: WakeUp | AsyncWakeUp) -> None:
        with self._lock:
            if not self._is_listening:
                # Before the rest, because the process may have no thread left.
                threading.Thread(target=self._listen, name="wake-ups", daemon=True).start()
                self._is_listening = True
            elif self._waiting[channel]:
                wakeup.ring()
            else:
                self._send("SUBSCRIBE", channel)
            self._waiting[channel].add(wakeup)

    def _remove(self, channel: str, wakeup: WakeUp | AsyncWakeUp) -> None:
        with self._lock:
            self._waiting[channel].discard(wakeup)
            if not self._waiting[channel]:
                del self._waiting[channel]
                self._idle_since = time.monotonic()
                self._send("UNSUBSCRIBE", channel)

    def _send(self, verb: str, channel: str) -> None:
        # A new connection subscribes to all channels. The listening thread notices a lost connection.
        if self._subscription:
            with suppress(*AWAY):
                self._subscription.send(verb, channel)

    # --- the listening thread -----------------------------------------------------------------

    def _listen(self) -> None:
        while not self._is_over():
            try:
                self._hear()
            except driver.NoPermissionError as error:
                # Waiting threads poll meanwhile. Without a long pause, each would open a connection a second.
                level, self._refusal_level = self._refusal_level, logging.DEBUG
                logger.log(level, "%s (%s)", SUBSCRIBE_REFUSED, error)
                self._rest(REFUSED_SECONDS)
            except AWAY:
                time.sleep(LOOK_SECONDS)
            except Exception:
                # Waiting threads need the listener again after any error.
                logger.exception("the listener failed")
                time.sleep(LOOK_SECONDS)

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._is_wanted() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)

    def _hear(self) -> None:
        subscription = Subscription(self._redis)
        try:
            with self._lock:
                self._subscription = subscription
                if self._waiting:
                    subscription.send("SUBSCRIBE", *self._waiting)
            while self._is_wanted():
                heard = subscription.read(timeout_seconds=LOOK_SECONDS)
                if heard and heard[0] == "unsubscribe" and heard[1] in self._waiting:
                    return  # The slot of the queues has moved to another node.
                if heard:
                    self._wake(heard[1])
        finally:
            with self._lock:
                self._subscription = None
            subscription.close()

    def _wake(self, channel: str) -> None:
        with self._lock:
            for wakeup in self._waiting.get(channel, ()):
                wakeup.ring()

    def _is_wanted(self) -> bool:
        return bool(self._waiting) or time.monotonic() - self._idle_since < LINGER_SECONDS

    def _is_over(self) -> bool:
        with self._lock:
            self._is_listening = self._is_wanted()
            return not self._is_listening
