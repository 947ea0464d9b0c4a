"""Who sends: a token and a growing number, by which the send script recognises a repeated call.

"Add if it is absent" would not do: a worker may have finished and deleted the message before the
repeat arrives, and it would run twice.
"""

import secrets
import string
import time
from collections.abc import Iterator

from queueing.resilience.process_state import ProcessState

ALPHABET = (string.ascii_letters + string.digits).encode()
#: Each byte's letter or digit, and the bytes that have none: they would make some likelier than others.
LETTERS = bytes(ALPHABET[byte % 62] for byte in range(256))
LEFT_OVER = bytes(range(256 - 256 % 62, 256))
DIGITS = string.digits + string.ascii_lowercase
PAIRS = [high + low for high in DIGITS for low in DIGITS]

#: Single sends draw so many random tails in one go, which takes no longer than drawing three.
SPARE = 64
#: Each process draws its own: two messages with the same tail could get one id.
_spare: ProcessState[list[str]] = ProcessState(list)


class SendCall:
    """One call of the send script with all that must be the same when it is repeated."""

    #: How long Redis remembers a sender: far longer than anybody repeats a call.
    REMEMBERED_MS = 600_000

    def __init__(self, token: str, number: int, count: int) -> None:
        self.token = token
        self.number = number
        self.tails = random_tails(count)

    def ids(self, first_us: int) -> list[str]:
        """The ids that the script made, from the µs of the first one."""
        if len(self.tails) == 1:
            return [base36(first_us) + self.tails[0]]
        return [time + tail for time, tail in zip(_count_base36(first_us), self.tails, strict=False)]


class Senders:
    """The senders of one client: one for each call that is under way at the same time.

    Threads share it: a list's own steps are whole. A fork has its own: Redis takes two sends with one
    token and number for one send and its repeat.
    """

    def __init__(self) -> None:
        self._free: ProcessState[list[tuple[str, int]]] = ProcessState(list)

    def next_call(self, count: int) -> SendCall:
        """The next call of a free sender."""
        try:
            token, number = self._free.get().pop()
        except IndexError:
            token, number = secrets.token_hex(8), 0
        return SendCall(token, number + 1, count)

    def answered(self, call: SendCall) -> None:
        """Its sender is free again. One whose call failed never is: that call may still arrive."""
        self._free.get().append((call.token, call.number))


def random_tails(count: int) -> list[str]:
    """The 22 random characters of so many ids."""
    if count == 1:
        spare = _spare.get()
        try:
            return [spare.pop()]
        except IndexError:
            spare.extend(random_tails(SPARE))
    drawn = _random_text(22 * count)
    return [drawn[start : start + 22] for start in range(0, len(drawn), 22)]


def whole_id() -> str:
    """An id made here, with the time of this machine: for what must have one before it is sent."""
    return base36(time.time_ns() // 1000) + _random_text(22)


def base36(number: int) -> str:
    """``number`` in lower-case base 36, as ``toString(36)`` writes it."""
    text = ""
    while number:
        number, pair = divmod(number, 36 * 36)
        text = PAIRS[pair] + text
    return text.lstrip("0")


def _count_base36(number: int) -> Iterator[str]:
    """``number``, the next one and so on, in base 36."""
    high, low = divmod(number, 36)
    while True:
        leading = base36(high)
        for digit in DIGITS[low:]:
            yield leading + digit
        high, low = high + 1, 0


def _random_text(length: int) -> str:
    """Unpredictable letters and digits, each as likely as the others."""
    text = ""
    while len(text) < length:
        drawn = secrets.token_bytes(length - len(text) + 16)
        text += drawn.translate(LETTERS, LEFT_OVER).decode()
    return text[:length]
