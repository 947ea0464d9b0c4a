"""Reads what is stored in Redis: the only module that decodes it.

A queue is shared with other programs, so a value may be of any size, depth and type. Each reader here
returns a value within bounds, or raises ``Unreadable`` with the reason. Readers that return a default
instead say so. None of them raises anything else.
"""

import json as _json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeGuard

#: JSON beside a message (headers, records of workers and schedules) may have this many bytes.
RECORD_BYTES = 1_000_000
#: JSON may nest this deep. Python's own limit differs between versions, and a deep value also breaks
#: those that write, compare or print it.
MAX_DEPTH = 100
#: What a double of JavaScript and Lua counts exactly, and every database can hold.
MAX_INTEGER = 2**53 - 1
#: Characters of an integer that are looked at: the largest has 16 digits.
_INTEGER_BYTES = 40
#: An integer as JavaScript's ``parseInt`` reads it: other programs leave floats and worse.
_INTEGER = re.compile(rb"\s*([+-]?)0*([0-9]+)")
_BRACKET = re.compile(r"[\[\]{}]")


class Unreadable(ValueError):
    """A stored value is not what it should be. The text says why, without the value."""


def text(stored: bytes) -> str:
    """The text of any bytes. Those that are not UTF-8 become surrogate escapes and can be encoded again."""
    return stored.decode("utf-8", "surrogateescape")


def integer(stored: bytes | int, default: int = 0) -> int:
    """A stored integer, read as RSMQ does (``parseInt``) and limited to ±``MAX_INTEGER``.

    ``default`` stands for what does not begin with one.
    """
    if isinstance(stored, int):
        return max(-MAX_INTEGER, min(MAX_INTEGER, stored))
    found = _INTEGER.match(stored)
    if not found:
        return default
    digits = found[2]
    number = int(digits) if len(digits) < _INTEGER_BYTES else MAX_INTEGER
    return max(-MAX_INTEGER, -number) if found[1] == b"-" else min(MAX_INTEGER, number)


def number(value: Any, default: float = 0.0) -> float:
    """A finite number of at most ±``MAX_INTEGER`` from decoded JSON; ``default`` for anything else."""
    return value if is_number(value) else default


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value from JSON is a finite number of at most ±``MAX_INTEGER``. ``True`` is not one."""
    return type(value) in (int, float) and -MAX_INTEGER <= value <= MAX_INTEGER


def fraction(stored: bytes, default: float = 0.0) -> float:
    """A stored decimal number; ``default`` for what is not a finite one."""
    try:
        value = float(stored[:_INTEGER_BYTES])
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def moment(ms: float | None, zone: tzinfo | None = UTC) -> datetime | None:
    """A ms epoch as a moment; ``None`` for none, and for one that no calendar holds."""
    try:
        return datetime.fromtimestamp(ms / 1000, zone) if ms else None
    except (OverflowError, ValueError, OSError):
        return None


def json(stored: bytes | str, *, max_bytes: int = RECORD_BYTES) -> Any:
    """The value of a JSON text that has at most ``max_bytes`` and ``MAX_DEPTH``. Raises ``Unreadable``."""
    if len(stored) > max_bytes:
        raise Unreadable(f"it has {len(stored)} bytes, and {max_bytes} are the most")
    return _parsed(stored if isinstance(stored, str) else text(stored), _decode)


def message_json(body: str) -> Any:
    """The value of a body that is JSON: of any length, and with the NaN and infinity that Python writes.

    Raises ``Unreadable``.
    """
    return _parsed(body, _decode_leniently)


def record(stored: bytes | str, *, max_bytes: int = RECORD_BYTES) -> "Record":
    """A JSON object. Raises ``Unreadable``."""
    value = json(stored, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise Unreadable("it is not a JSON object")
    return Record(value)


def record_or_empty(stored: bytes | str) -> "Record":
    """A JSON object, an empty one for anything else."""
    try:
        return record(stored)
    except Unreadable:
        return Record({})


def inflated(stored: bytes, *, max_bytes: int) -> bytes:
    """Inflate bytes of zlib to at most ``max_bytes``. Raises ``Unreadable``."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(stored, max_bytes)
    except zlib.error:
        raise Unreadable("it cannot be inflated") from None
    if inflater.unconsumed_tail:
        raise Unreadable(f"it inflates to more than {max_bytes} bytes")
    if not inflater.eof:
        raise Unreadable("its end is missing")
    return found


class Record:
    """A JSON object, each value read by the type it should have: another one counts as missing."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: float = 0.0) -> float:
        """A number that is not negative."""
        value = self._values.get(name)
        return value if is_number(value) and value >= 0 else default

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number that is not negative."""
        return int(self.number(name, default))

    def all_texts(self) -> dict[str, str]:
        """The names and values of an object of texts. Raises ``Unreadable`` for one of something else."""
        if not all(isinstance(value, str) for value in self._values.values()):
            raise Unreadable("a value of it is not a text")
        return dict(self._values)

    def is_true(self, name: str) -> bool:
        return self._values.get(name) is True

    def values(self, name: str) -> list[Any]:
        value = self._values.get(name)
        return value if isinstance(value, list) else []

    def texts(self, name: str) -> list[str]:
        """The texts of a list; its other values are left out."""
        return [value for value in self.values(name) if isinstance(value, str)]

    def records(self, name: str) -> Iterator["Record"]:
        """The objects of a list; its other values are left out."""
        return (Record(value) for value in self.values(name) if isinstance(value, dict))


def _parsed(text: str, decode: Any) -> Any:
    if is_deep(text):
        raise Unreadable(f"its JSON is nested more than {MAX_DEPTH} deep")
    try:
        return decode(text)
    except ValueError as error:
        # The decoder's own error keeps the whole text.
        raise Unreadable(f"it is not JSON: {str(error)[:200]}") from None


def is_deep(text: str) -> bool:
    """Whether a JSON text nests deeper than ``MAX_DEPTH``."""
    # Most texts have fewer brackets than may be open at a time.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    without_escapes = text.replace("\\\\", "").replace('\\"', "")
    without_strings = "".join(without_escapes.split('"')[::2])
    depth = 0
    for found in _BRACKET.finditer(without_strings):
        depth += 1 if found[0] in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


_decode = _json.JSONDecoder(parse_constant=_refuse_constant).decode
_decode_leniently = _json.JSONDecoder().decode
