"""Idempotent sends: the send script recognises a repeated call by the sender's token and the call's number.

Each sender numbers its calls. A check whether the message exists would not suffice: a worker may have
finished and deleted the message before the repeated call arrives. Then the message would run twice.
"""

import secrets
import string
import time
from collections.abc import Iterator

from queueing.resilience.process_state import ProcessState

ALPHABET = (string.ascii_letters + string.digits).encode()
#: ``LETTERS`` maps a random byte to a letter or digit. The bytes in ``LEFT_OVER`` are discarded: with them,
#: some characters would be more likely than others.
LETTERS = bytes(ALPHABET[byte % 62] for byte in range(256))
LEFT_OVER = bytes(range(256 - 256 % 62, 256))
DIGITS = string.digits + string.ascii_lowercase
PAIRS = [high + low for high in DIGITS for low in DIGITS]

#: A tail is the random part of a message id. Tails for single sends are made in advance, this many in one
#: step, which takes no longer than making three.
SPARE = 64


class SendCall:
    """The parts of a call of the send script that stay the same when the call is repeated."""

    #: How long Redis remembers a sender. Calls are repeated for a far shorter time.
    REMEMBERED_MS = 600_000

    def __init__(
        self, token: str, number: int, tails: list[str], free: list[tuple[str, int]] | None = None
    ) -> None:
        self.token, self.number, self.tails = token, number, tails
        #: The free senders of the process that made this call.
        self.free = [] if free is None else free

    def ids(self, first_us: int) -> list[str]:
        """The ids of the messages that the script stored.

        ``first_us`` is the time in the id of the first message, in µs since 1970.
        """
        if len(self.tails) == 1:
            return [base36(first_us) + self.tails[0]]
        return [time + tail for time, tail in zip(_count_base36(first_us), self.tails, strict=False)]


class Senders:
    """The free senders of one client, and its spare tails. Threads and forks may share an instance.

    A sender is a random token, and a number that counts its calls. Each send that is in progress needs a
    sender of its own. A tail is the random last part of a message id.

    Threads share the two lists, because the methods of a list are atomic. A fork starts with empty lists. If
    two processes used the same token and number, Redis would take the second send for a repeat of the first.
    If they used the same tail, two messages could get the same id.
    """

    def __init__(self) -> None:
        self._state: ProcessState[tuple[list[tuple[str, int]], list[str]]] = ProcessState(lambda: ([], []))

    def next_call(self, count: int) -> SendCall:
        """A call that sends ``count`` messages, by a free sender or, if none is free, by a new one."""
        free, spare = self._state.get()
        try:
            token, number = free.pop()
        except IndexError:
            token, number = secrets.token_hex(8), 0
        if count != 1:
            return SendCall(token, number + 1, random_tails(count), free)
        try:
            tail = spare.pop()
        except IndexError:
            tail, *others = random_tails(SPARE)
            spare.extend(others)
        return SendCall(token, number + 1, [tail], free)

    def answered(self, call: SendCall) -> None:
        """Free the sender of ``call`` for other sends, after Redis has replied to the call.

        A sender whose call got no reply must not be used again, because that call may still arrive.
        """
        call.free.append((call.token, call.number))


def random_tails(count: int) -> list[str]:
    """The random parts of ``count`` message ids, 22 characters each."""
    drawn = _random_text(22 * count)
    return [drawn[start : start + 22] for start in range(0, len(drawn), 22)]


def whole_id() -> str:
    """Make a message id from this machine's clock, for a message whose id is needed before it is sent."""
    return base36(time.time_ns() // 1000) + _random_text(22)


def base36(number: int) -> str:
    """``number`` in lower-case base 36, as JavaScript's ``toString(36)`` writes it."""
    text = ""
    while number:
        number, pair = divmod(number, 36 * 36)
        text = PAIRS[pair] + text
    return text.lstrip("0")


def _count_base36(number: int) -> Iterator[str]:
    """Yield ``number`` and all following integers in base 36, without end."""
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
