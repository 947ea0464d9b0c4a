"""Validates and converts parameters as RSMQ does, with JavaScript's type coercion.

The rules are those of ``_validate`` in RSMQ's ``index.js`` (0.12.4), in the same order.
"""

import math
import re
from decimal import Decimal
from typing import Any

from queueing.exceptions import InvalidFormat, InvalidValue, MissingParameter

QNAME = re.compile(r"[a-zA-Z0-9_-]{1,160}")
ID = re.compile(r"[a-zA-Z0-9:]{32}")
#: The whitespace of JavaScript, which differs from that of Python.
SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
INTEGER = re.compile(f"[{SPACE}]*([+-]?)0*([0-9]+)")
#: A number with more digits than this is out of bounds for every parameter.
MANY_DIGITS = 16
MAX_SECONDS = 9_999_999
MIN_SIZE, MAX_SIZE = 1024, 65536

#: A queue of this name would share a key with the index of all queues, and would lose its messages.
RESERVED_NAME = "QUEUES"


def qname(value: Any) -> str:
    """Check a queue name. Raises ``MissingParameter`` or ``InvalidFormat``."""
    text = _text(value, "qname", QNAME)
    if text == RESERVED_NAME:
        raise InvalidFormat("qname")
    return text


def message_id(value: Any) -> str:
    """Check a message id. Raises ``MissingParameter`` or ``InvalidFormat``."""
    return _text(value, "id", ID)


def seconds(value: Any, item: str) -> int:
    """Convert a ``vt`` or ``delay`` to whole seconds. Raises ``InvalidValue``, which names ``item``."""
    number = parse_int(value)
    if number is None or not 0 <= number <= MAX_SECONDS:
        raise InvalidValue(item, 0, MAX_SECONDS)
    return number


def maxsize(value: Any) -> int:
    """Convert a ``maxsize`` (UTF-16 code units, -1 for unlimited) to an integer. Raises ``InvalidValue``."""
    number = parse_int(value)
    if number is None or not (MIN_SIZE <= number <= MAX_SIZE or number == -1):
        raise InvalidValue("maxsize", MIN_SIZE, MAX_SIZE)
    return number


def utf16_units(text: str) -> int:
    """The length of ``text`` in UTF-16 code units, as in JavaScript. ``maxsize`` limits this length."""
    if text.isascii():
        return len(text)
    return len(text) + sum(1 for character in text if character > "\uffff")


def encode(text: str) -> bytes:
    """Encode a body as UTF-8.

    Surrogate escapes that ``decode.text`` has made become the original bytes again. Every other lone
    surrogate becomes U+FFFD, as in Node.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b"".join(_encode_character(character) for character in text)


def parse_int(value: Any) -> int | None:
    """The result of JavaScript's ``parseInt(value, 10)``. Returns ``None`` for NaN."""
    found = INTEGER.match(javascript_string(value))
    if not found:
        return None
    number = int(found[2][: MANY_DIGITS + 1])
    return -number if found[1] == "-" else number


def javascript_string(value: Any) -> str:
    """The result of JavaScript's ``String(value)``.

    A value of a type that JavaScript does not have becomes ``str(value)``.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # As a BigInt. Python refuses to print thousands of digits, and RSMQ accepts no such number.
        return str(value) if abs(value) < 10**MANY_DIGITS**2 else "9" * MANY_DIGITS**2
    if isinstance(value, float):
        return _javascript_number(value)
    if isinstance(value, list | tuple):
        return ",".join("" if item is None else javascript_string(item) for item in value)
    if isinstance(value, dict):
        return "[object Object]"
    return str(value)


def _javascript_number(number: float) -> str:
    """The result of JavaScript's ``Number.prototype.toString``.

    Unlike Python, JavaScript writes an exponent only below 1e-6 and from 1e21 on.
    """
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{'-' if number < 0 else ''}Infinity"
    if 1e-6 <= abs(number) < 1e21 or not number:
        return f"{Decimal(repr(number or 0.0)):f}".removesuffix(".0")
    return repr(number).replace("e-0", "e-")


def _text(value: Any, item: str, form: re.Pattern[str]) -> str:
    if type(value) is str and form.fullmatch(value):
        return value
    # The falsy values of JavaScript, to which an empty list or dict does not belong.
    if value is None or value is False or value == "" or (value == 0 and not isinstance(value, bytes)):
        raise MissingParameter(item)
    if value != value:  # NaN is falsy, too
        raise MissingParameter(item)
    text = javascript_string(value)
    if not form.fullmatch(text):
        raise InvalidFormat(item)
    return text


def _encode_character(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        return character.encode("utf-8", "surrogateescape")
    if "\ud800" <= character <= "\udfff":
        return b"\xef\xbf\xbd"
    return character.encode()
