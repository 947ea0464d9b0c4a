"""What of a payload is not for the eyes of those who look at a queue: by the setting ``REDACT``.

It is about showing. The queue and the history keep the whole payload, or a message could neither
be processed nor run again; who must not store it sets ``STORE_BODIES`` to ``False``.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from .conf import get_conf

REDACTED = '"[redacted]"'
#: Strings (the last one may be cut off), brackets and commas, white space, and what lies between.
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{},:]|\s+|[^\s"\[\]{},:]+', re.DOTALL)
#: JSON within a string within JSON: so deep it is looked into.
DEPTH = 3
#: What is left of an escape at the end of a string that was cut off in it.
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_OPEN, _CLOSE = frozenset("[{"), frozenset("]}")


def redacted(text: str, names: Sequence[str] | None = None) -> str:
    """``text`` with the values of those keys struck out whose names contain one of ``names``.

    ``names`` are lower case, ``None``: those of the setting. It reads JSON, also what is left of it
    after a cut, and strings in it that are JSON themselves; numbers and all that is not struck out
    stay as they are. Any other text has no keys, and comes back as it is.
    """
    names = get_conf().REDACT if names is None else names
    if not names or text.lstrip()[:1] not in {"{", "[", '"'}:
        return text
    return "".join(_struck(TOKEN.findall(text), names, DEPTH))


def _struck(tokens: list[str], names: Sequence[str], depth: int) -> Iterator[str]:
    key, at, end = "", 0, len(tokens)
    while at < end:
        token = tokens[at]
        if token == ":" and _is_secret(key, names):
            yield ": " + REDACTED if tokens[at + 1 : at + 2] == [" "] else ":" + REDACTED
            at = _after_value(tokens, at + 1)
            key = ""
            continue
        if token[0] == '"':
            key = token
            token = _looked_into(token, names, depth)
        elif not token.isspace():
            key = ""
        yield token
        at += 1


def _after_value(tokens: list[str], at: int) -> int:
    """The place of the first token after the value that begins at ``at``; the end, where it was cut."""
    depth = 0
    while at < len(tokens):
        token = tokens[at]
        if not depth and (token == "," or token in _CLOSE):
            return at
        depth += (token in _OPEN) - (token in _CLOSE)
        at += 1
    return at


def _is_secret(key: str, names: Sequence[str]) -> bool:
    if not key:
        return False
    name = _content(key).lower()
    return any(part in name for part in names)


def _content(token: str, *repaired: str) -> str:
    """What a JSON string says, or the first of its repairs that is one; the token itself where none is."""
    for text in (token, *repaired):
        with suppress(ValueError):
            return json.loads(text, strict=False)
    return token


def _looked_into(token: str, names: Sequence[str], depth: int) -> str:
    """A string, and if it holds JSON with a secret, without that."""
    if not depth or not any(mark in token[1:20] for mark in "{["):
        return token
    inner = _content(token, _HALF_ESCAPE.sub(r"\1", token) + '"')
    if inner.lstrip()[:1] not in {"{", "["}:
        return token
    struck = "".join(_struck(TOKEN.findall(inner), names, depth - 1))
    return token if struck == inner else json.dumps(struck, ensure_ascii=False)
