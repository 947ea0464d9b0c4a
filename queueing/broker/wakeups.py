"""Waking whoever waits for messages: one listener for all waiting threads of a process.

A wake-up carries no data, and a lost one costs at most the poll of the one who waits. The connection
is there only while somebody waits, and a moment longer.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis import exceptions as driver

from .subscription import AWAY, REFUSED_SECONDS, SUBSCRIBE_REFUSED, Subscription

logger = logging.getLogger("queueing")

#: How long the listener stays when nobody waits any more: the next one often comes soon.
LINGER_SECONDS = 5.0
#: How often the listener looks whether it is still wanted, and tries again while Redis is away.
LOOK_SECONDS = 1.0


class WakeUp:
    """Rings for one who waits."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Whether it rang within so many seconds; then it is silent again."""
        rang = self._event.wait(seconds)
        self._event.clear()
        return rang


class WakeUps:
    """The channels on which threads wait, and the one thread that listens to them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._waiting: dict[str, set[WakeUp]] = defaultdict(set)
        self._subscription: Subscription | None = None
        self._is_listening = False
        self._idle_since = 0.0
        self._refusal_level = logging.WARNING  # the first time

    @contextmanager
    def of(self, channel: str) -> Iterator[WakeUp]:
        """A wake-up that rings with each announcement on ``channel``, and once when it listens.

        What was announced before that was not heard, so whoever waits looks once more then.
        """
        wakeup = WakeUp()
        self._add(channel, wakeup)
        try:
            yield wakeup
        finally:
            self._remove(channel, wakeup)

    def _add(self, channel: str, wakeup: WakeUp) -> None:
        with self._lock:
            is_first = not self._waiting[channel]
            self._waiting[channel].add(wakeup)
            if not self._is_listening:
                self._is_listening = True
                threading.Thread(target=self._listen, name="wake-ups", daemon=True).start()
            elif is_first:
                self._say("SUBSCRIBE", channel)
            else:
                wakeup.ring()

    def _remove(self, channel: str, wakeup: WakeUp) -> None:
        with self._lock:
            self._waiting[channel].discard(wakeup)
            if not self._waiting[channel]:
                del self._waiting[channel]
                self._idle_since = time.monotonic()
                self._say("UNSUBSCRIBE", channel)

    def _say(self, verb: str, channel: str) -> None:
        # While there is no connection there is nothing to say; a lost one is noticed by its reader.
        if self._subscription:
            with suppress(*AWAY):
                self._subscription.say(verb, channel)

    # --- the listening thread -----------------------------------------------------------------

    def _listen(self) -> None:
        while not self._is_over():
            try:
                self._hear()
            except driver.NoPermissionError as error:
                # Those who wait poll. Without a long pause each would cost a connection a second.
                level, self._refusal_level = self._refusal_level, logging.DEBUG
                logger.log(level, "%s (%s)", SUBSCRIBE_REFUSED, error)
                self._rest(REFUSED_SECONDS)
            except AWAY:
                time.sleep(LOOK_SECONDS)
            except Exception:
                # Whatever it is, those who wait must be heard for again.
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
                    subscription.say("SUBSCRIBE", *self._waiting)
            while self._is_wanted():
                heard = subscription.read(timeout_seconds=LOOK_SECONDS)
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
