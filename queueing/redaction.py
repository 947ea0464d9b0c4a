"""What of a payload is not for the eyes of those who look at a queue: by the setting ``REDACT``.

It is about showing. The queue and the history keep the whole payload, or a message could neither
be processed nor run again; who must not store it sets ``STORE_BODIES`` to ``False``.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

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
    return "".join(redacted_pieces(text, names))


def redacted_pieces(text: str, names: Sequence[str] | None = None) -> Iterator[str]:
    """The same in pieces, most of them very short: of a long text there is never a second one in memory."""
    names = get_conf().REDACT if names is None else names
    if not names or text.lstrip()[:1] not in {"{", "[", '"'}:
        return iter([text])
    return _struck(_tokens(text), names, DEPTH)


def _tokens(text: str) -> Iterator[str]:
    return (found[0] for found in TOKEN.finditer(text))


def _struck(tokens: Iterator[str], names: Sequence[str], depth: int) -> Iterator[str]:
    key = ""
    for token in tokens:
        if token == ":" and _is_secret(key, names):
            following = next(tokens, "")
            yield ": " + REDACTED if following == " " else ":" + REDACTED
            token = _after_value(chain([following], tokens))
            key = ""
            if not token:
                return
        if token[0] == '"':
            key = token
            token = _looked_into(token, names, depth)
        elif not token.isspace():
            key = ""
        yield token


def _after_value(tokens: Iterator[str]) -> str:
    """The first token after the value that begins here; empty at the end, where it was cut."""
    depth = 0
    for token in tokens:
        if not depth and (token == "," or token in _CLOSE):
            return token
        depth += (token in _OPEN) - (token in _CLOSE)
    return ""


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
    struck = "".join(_struck(_tokens(inner), names, depth - 1))
    return token if struck == inner else json.dumps(struck, ensure_ascii=False)
