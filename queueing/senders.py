"""Who sends: a token and a growing number, by which the send script recognises a repeated call.

"Add if it is absent" would not do: a worker may have finished and deleted the message before the
repeat arrives, and it would run twice.
"""

import secrets
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ALPHABET = string.ascii_letters + string.digits
DIGITS = string.digits + string.ascii_lowercase


class SendCall:
    """One call of the send script with all that must be the same when it is repeated."""

    #: How long Redis remembers a sender: far longer than anybody repeats a call.
    REMEMBERED_MS = 600_000

    def __init__(self, token: str, number: int, count: int) -> None:
        self.token = token
        self.number = number
        drawn = _random_text(22 * count)
        self.tails = [drawn[start : start + 22] for start in range(0, len(drawn), 22)]

    def ids(self, first_us: int) -> list[str]:
        """The ids that the script made, from the µs of the first one."""
        return [base36(first_us + index) + tail for index, tail in enumerate(self.tails)]


class Senders:
    """The senders of one client: one for each call that is under way at the same time."""

    def __init__(self) -> None:
        self._free: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    @contextmanager
    def call(self, count: int) -> Iterator[SendCall]:
        """The next call of a free sender. A call that fails retires its sender: it may still arrive."""
        with self._lock:
            token, number = self._free.pop() if self._free else (secrets.token_hex(8), 0)
        yield SendCall(token, number + 1, count)
        with self._lock:
            self._free.append((token, number + 1))


def base36(number: int) -> str:
    """``number`` in lower-case base 36, as ``toString(36)`` writes it."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text


def _random_text(length: int) -> str:
    """Unpredictable letters and digits: bytes above the last multiple of 62 are drawn again."""
    text = ""
    while len(text) < length:
        drawn = secrets.token_bytes(length - len(text) + 16)
        text += "".join(ALPHABET[byte % 62] for byte in drawn if byte < 248)
    return text[:length]
