"""Limits over all workers: how many messages run at a time, and how often one starts.

The limit of a task, or of a handler with a ``key``, is stored in the header ``queueing-limit`` of its
messages. The limit of a handler without a ``key``, or of the setting ``LIMITS``, applies to a whole queue.
When workers claim messages, they apply both kinds of limits: see ``broker/lua/lib/limits.lua``.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .above import above

HEADER = "queueing-limit"
#: A key with more characters is stored as a digest.
KEY_CHARACTERS = 200
#: The largest valid ``concurrency``.
MAX_CONCURRENCY = 100_000
#: The suffix of a low-priority queue, which shares the limit of its main queue.
SIBLING = "-low"
#: The keys of one limit in the setting ``LIMITS``.
NAMES = ("rate", "concurrency")

_RATE = re.compile(r"([1-9]\d{0,5})/(s|min|h|d)")
_UNIT_US = {"s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_VALUE = re.compile(r"(\d{1,9}) (\d{1,15}) (.+)")


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on runs. ``concurrency`` is the highest number of messages that run at a time.

    ``rate`` is the highest number of messages that start in a period, such as ``10/s``. By default, neither
    is limited.
    """

    rate: str = ""
    concurrency: int = 0

    def __bool__(self) -> bool:
        return bool(self.rate or self.concurrency)

    def __str__(self) -> str:
        words = [f"{self.concurrency} at a time"] if self.concurrency else []
        return ", ".join([*words, *filter(None, [self.rate])])

    @property
    def interval_us(self) -> int:
        """The shortest time between two starts in µs, 0 without a rate."""
        found = _RATE.fullmatch(self.rate)
        return max(1, _UNIT_US[found[2]] // int(found[1])) if found else 0

    def of_key(self, key: str) -> str:
        """The text that the scripts parse: the limit, and the key to which it applies."""
        return f"{self.concurrency} {self.interval_us} {key}"


def problem(rate: Any, concurrency: Any) -> str:
    """A sentence that explains an invalid ``rate`` or ``concurrency``, ``""`` if both are valid.

    ``None`` is valid: it means no limit.
    """
    if rate is not None and not (isinstance(rate, str) and _RATE.fullmatch(rate)):
        return 'rate must be a text such as "10/s": a whole number, and s, min, h or d.'
    is_count = type(concurrency) is int and 1 <= concurrency <= MAX_CONCURRENCY
    if concurrency is not None and not is_count:
        return f"concurrency must be a whole number from 1 to {MAX_CONCURRENCY}."
    return ""


def key_of_queue(queue: str) -> str:
    """The key that the scripts use for the limit of a whole queue.

    A low-priority queue has the key of its main queue.
    """
    return f"queue:{queue.removesuffix(SIBLING)}"


def headers(limit: Limit, name: str, key: Any = None) -> dict[str, str]:
    """The headers of a message with a limit. ``name`` keeps the keys of different functions apart.

    ``key`` is any value that JSON can represent. Raises ``TypeError`` for another value.
    """
    text = name if key is None else f"{name} {json.dumps(key, sort_keys=True, ensure_ascii=False)}"
    if len(text) > KEY_CHARACTERS or not text.isprintable():
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        text = f"{name[:KEY_CHARACTERS]} {digest}"
    return {HEADER: limit.of_key(text)}


def of_call(policy: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, str]:
    """The limit header for one call of the task or handler ``name``, ``{}`` if it has no limit.

    Raises the errors of the key function.
    """
    if not policy.limit:
        return {}
    return headers(policy.limit, name, policy.key(*args, **kwargs) if policy.key else None)


def of_handler(queue: str, body: str) -> dict[str, str]:
    """The limit header for a message of a queue's handler, ``{}`` if the handler has no limit per key.

    Raises the errors of the key function.
    """
    handler = above.handler_of(queue)
    if handler is None or not handler.policy.key:
        return {}
    return of_call(handler.policy, handler.name, [body], {})


def of_queue(settings: Mapping[str, Mapping[str, Any]], queue: str) -> Limit:
    """The limit of a whole queue: the strictest values of the setting ``LIMITS`` and of the queue's handler.

    If the handler has a ``key``, its limit does not apply to the whole queue and is not used.
    """
    base = queue.removesuffix(SIBLING)
    said, handler = settings.get(base, {}), above.handler_of(base)
    found = [Limit(said.get("rate") or "", said.get("concurrency") or 0)]
    if handler and not handler.policy.key:
        found.append(handler.policy.limit)
    concurrency = min((one.concurrency for one in found if one.concurrency), default=0)
    return Limit(max(found, key=lambda one: one.interval_us).rate, concurrency)


def text_of_queue(settings: Mapping[str, Mapping[str, Any]], queue: str) -> str:
    """The limit of a whole queue as the text that the scripts parse, ``""`` without a limit."""
    limit = of_queue(settings, queue)
    return limit.of_key(key_of_queue(queue)) if limit else ""


def shown_key(headers: Mapping[str, str]) -> str:
    """The key of a message's limit, ``""`` if the message has none."""
    found = _VALUE.fullmatch(headers.get(HEADER, ""))
    return found[3] if found else ""
