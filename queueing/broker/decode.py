"""Decodes values that are stored in Redis. No other module decodes them.

Other programs share the queues, so a value may have any size, depth and type. Each function returns a value
within bounds. If the stored value has the wrong form, the function raises ``Unreadable`` with the reason, or
returns a default that its docstring names. It raises no other error.
"""

import json as _json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeGuard

#: The most bytes of JSON other than a body: headers, and the records of workers and schedules.
RECORD_BYTES = 1_000_000
#: The most levels of nesting in JSON. Python's own limit differs between versions. Deeper values also break
#: code that writes, compares or prints them.
MAX_DEPTH = 100
#: The largest integer that JavaScript and Lua represent exactly. Every database can store it.
MAX_INTEGER = 2**53 - 1
#: An integer with this many digits or more is not parsed, but counts as ``MAX_INTEGER``, which has 16 digits.
_INTEGER_BYTES = 40
#: An integer as JavaScript's ``parseInt`` reads it. Other programs also store floats, and texts that are not
#: numbers.
_INTEGER = re.compile(rb"\s*([+-]?)0*([0-9]+)")
#: A table for ``str.translate`` that removes all ASCII characters except brackets.
_ONLY_BRACKETS = dict.fromkeys(set(range(128)) - set(map(ord, "[]{}")))


class Unreadable(ValueError):
    """A stored value has the wrong form. The error text gives the reason, but never contains the value."""


def text(stored: bytes) -> str:
    """Decode bytes as UTF-8.

    Invalid bytes become surrogate escapes, which ``rsmq_values.encode`` restores.
    """
    return stored.decode("utf-8", "surrogateescape")


def integer(stored: bytes | int, default: int = 0) -> int:
    """Parse a stored integer as RSMQ does (``parseInt``), limited to ±``MAX_INTEGER``.

    Returns ``default`` if the value does not begin with an integer.
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
    """Return ``value`` if ``is_number(value)`` is true, else ``default``."""
    return value if is_number(value) else default


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is a number from ``-MAX_INTEGER`` to ``MAX_INTEGER``. A bool is not a number."""
    return type(value) in (int, float) and -MAX_INTEGER <= value <= MAX_INTEGER


def fraction(stored: bytes, default: float = 0.0) -> float:
    """Parse a stored decimal number. Returns ``default`` if it is not a finite number."""
    try:
        value = float(stored[:_INTEGER_BYTES])
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def moment(ms: float | None, zone: tzinfo | None = UTC) -> datetime | None:
    """Convert ms since 1970 to a ``datetime``. Returns ``None`` for 0, ``None`` and times out of range."""
    try:
        return datetime.fromtimestamp(ms / 1000, zone) if ms else None
    except (OverflowError, ValueError, OSError):
        return None


def json(stored: bytes | str, *, max_bytes: int = RECORD_BYTES) -> Any:
    """Parse JSON of up to ``max_bytes`` bytes and ``MAX_DEPTH`` nested levels. Raises ``Unreadable``."""
    if len(stored) > max_bytes:
        raise Unreadable(f"it has {len(stored)} bytes, and {max_bytes} are the most")
    return _parsed(stored if isinstance(stored, str) else text(stored), _decode)


def message_json(body: str) -> Any:
    """Parse a message body of any length as JSON with at most ``MAX_DEPTH`` levels of nesting.

    NaN and infinity are allowed, because Python's ``json`` writes them. Raises ``Unreadable``.
    """
    return _parsed(body, _decode_leniently)


def record(stored: bytes | str, *, max_bytes: int = RECORD_BYTES) -> "Record":
    """Parse a JSON object of at most ``max_bytes`` bytes. Raises ``Unreadable``."""
    value = json(stored, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise Unreadable("it is not a JSON object")
    return Record(value)


def record_or_empty(stored: bytes | str) -> "Record":
    """Parse a JSON object. Returns an empty record if the value is anything else."""
    try:
        return record(stored)
    except Unreadable:
        return Record({})


def inflated(stored: bytes, *, max_bytes: int) -> bytes:
    """Decompress zlib data. Raises ``Unreadable`` if it is damaged or has more than ``max_bytes`` bytes."""
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
    """A JSON object with a method for each type of value. A value of the wrong type counts as missing."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: float = 0.0) -> float:
        """The number called ``name``, or ``default`` if the value is negative or not a number."""
        value = self._values.get(name)
        return value if is_number(value) and value >= 0 else default

    def integer(self, name: str, default: int = 0) -> int:
        """The number called ``name``, truncated to an integer.

        Returns ``default`` if the value is negative or not a number.
        """
        return int(self.number(name, default))

    def all_texts(self) -> dict[str, str]:
        """The object as a dict of strings. Raises ``Unreadable`` if one of its values is not a string."""
        if not all(isinstance(value, str) for value in self._values.values()):
            raise Unreadable("a value of it is not a text")
        return dict(self._values)

    def is_true(self, name: str) -> bool:
        return self._values.get(name) is True

    def values(self, name: str) -> list[Any]:
        value = self._values.get(name)
        return value if isinstance(value, list) else []

    def texts(self, name: str) -> list[str]:
        """The strings in the list called ``name``. Other values in the list are left out."""
        return [value for value in self.values(name) if isinstance(value, str)]

    def records(self, name: str) -> Iterator["Record"]:
        """The objects in the list called ``name``. Other values in the list are left out."""
        return (Record(value) for value in self.values(name) if isinstance(value, dict))


def _parsed(text: str, decode: Any) -> Any:
    if is_deep(text):
        raise Unreadable(f"its JSON is nested more than {MAX_DEPTH} deep")
    try:
        return decode(text)
    except ValueError as error:
        # The original error would keep the whole text in memory and in tracebacks.
        raise Unreadable(f"it is not JSON: {str(error)[:200]}") from None


def is_deep(text: str) -> bool:
    """Whether a JSON text nests deeper than ``MAX_DEPTH``."""
    # A fast path: most texts have fewer brackets in all than the limit.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    without_escapes = text.replace("\\\\", "").replace('\\"', "")
    without_strings = "".join(without_escapes.split('"')[::2])
    depth = 0
    for bracket in without_strings.translate(_ONLY_BRACKETS):
        depth += 1 if bracket in "[{" else -(bracket in "]}")
        if depth > MAX_DEPTH:
            return True
    return False


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


_decode = _json.JSONDecoder(parse_constant=_refuse_constant).decode
_decode_leniently = _json.JSONDecoder().decode
