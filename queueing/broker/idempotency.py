"""Idempotent sends: a sender's token and a growing number let the send script recognise a repeated call.

A check whether the message exists would not suffice. A worker may have finished and deleted the message
before the repeated call arrives, and the message would run twice.
"""

import secrets
import string
import time
from collections.abc import Iterator

from queueing.resilience.process_state import ProcessState

ALPHABET = (string.ascii_letters + string.digits).encode()
#: Maps a random byte to a letter or digit. The last bytes are discarded, because with them some characters
#: would be more likely than others.
LETTERS = bytes(ALPHABET[byte % 62] for byte in range(256))
LEFT_OVER = bytes(range(256 - 256 % 62, 256))
DIGITS = string.digits + string.ascii_lowercase
PAIRS = [high + low for high in DIGITS for low in DIGITS]

#: Single sends draw this many random tails in one step, which takes no longer than drawing three.
SPARE = 64
#: Each process draws its own tails, because two messages with the same tail could get the same id.
_spare: ProcessState[list[str]] = ProcessState(list)


class SendCall:
    """The parts of a call of the send script that stay the same when the call is repeated."""

    #: How long Redis remembers a sender: far longer than any call is repeated.
    REMEMBERED_MS = 600_000

    def __init__(self, token: str, number: int, count: int) -> None:
        self.token = token
        self.number = number
        self.tails = random_tails(count)

    def ids(self, first_us: int) -> list[str]:
        """The ids of the messages that the script stored. ``first_us`` is the time of the first one in µs
        since 1970.
        """
        if len(self.tails) == 1:
            return [base36(first_us) + self.tails[0]]
        return [time + tail for time, tail in zip(_count_base36(first_us), self.tails, strict=False)]


class Senders:
    """The senders of one client: one for each send that is in progress at the same time.

    Threads share the list, whose methods are atomic. A fork starts with an empty list: if two processes used
    one token and number, Redis would take the second send for a repeat of the first.
    """

    def __init__(self) -> None:
        self._free: ProcessState[list[tuple[str, int]]] = ProcessState(list)

    def next_call(self, count: int) -> SendCall:
        """The next call of a sender that is free, or the first call of a new sender if all are busy."""
        try:
            token, number = self._free.get().pop()
        except IndexError:
            token, number = secrets.token_hex(8), 0
        return SendCall(token, number + 1, count)

    def answered(self, call: SendCall) -> None:
        """Free the sender of ``call`` after a reply.

        A sender is not used again after a failure, because its call may still arrive.
        """
        self._free.get().append((call.token, call.number))


def random_tails(count: int) -> list[str]:
    """The random parts of ``count`` message ids, 22 characters each."""
    if count == 1:
        spare = _spare.get()
        try:
            return [spare.pop()]
        except IndexError:
            spare.extend(random_tails(SPARE))
    drawn = _random_text(22 * count)
    return [drawn[start : start + 22] for start in range(0, len(drawn), 22)]


def whole_id() -> str:
    """Make a message id from this machine's clock, for a message whose id is needed before it is sent."""
    return base36(time.time_ns() // 1000) + _random_text(22)


def base36(number: int) -> str:
    """``number`` in lower-case base 36, as ``toString(36)`` writes it."""
    text = ""
    while number:
        number, pair = divmod(number, 36 * 36)
        text = PAIRS[pair] + text
    return text.lstrip("0")


def _count_base36(number: int) -> Iterator[str]:
    """Yield ``number`` and the following integers in base 36, without end."""
    high, low = divmod(number, 36)
    while True:
        leading = base36(high)
        for digit in DIGITS[low:]:
            yield leading + digit
        high, low = high + 1, 0


def _random_text(length: int) -> str:
    """Cryptographically random letters and digits, evenly distributed."""
    text = ""
    while len(text) < length:
        drawn = secrets.token_bytes(length - len(text) + 16)
        text += drawn.translate(LETTERS, LEFT_OVER).decode()
    return text[:length]
