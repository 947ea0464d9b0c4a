"""Masks secrets in payloads, results, errors and tracebacks that are displayed.

A value is masked if its name contains one of the words in the setting ``REDACT``. The comparison ignores
case, ``-``, ``_`` and spaces, and treats full-width characters as normal ones. The words ``auth`` and ``otp``
must end the name. The user info of a URL is always masked.

A secret without a name is not recognised. Examples are a positional argument, the value in the pair
``{"name": "password", "value": …}``, and the ``x`` in the sentence ``invalid password 'x'``.

Only the display is masked. The queue and the history keep the whole payload, because it is needed to process
a message or to run it again. A project that must not store payloads sets ``STORE_BODIES`` to ``False``.

Anyone may send a text, so the time to mask it is limited: each character is read only a few times.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain

from queueing.conf import get_conf

STRUCK = "[redacted]"
_STRUCK_JSON = f'"{STRUCK}"'
#: Words that other words contain, such as ``author`` and ``footprint``.
_ENDINGS = frozenset({"auth", "otp"})
#: Only this number of characters of a name is compared, from its beginning.
_NAME_MAX = 200


def redacted(text: str, names: Sequence[str] | None = None) -> str:
    """A payload with its secrets masked.

    JSON is parsed, including JSON that was cut and JSON inside a JSON string. ``names`` replaces the words in
    the setting ``REDACT``. Text that is not masked, including numbers, stays unchanged.
    """
    names = get_conf().REDACT if names is None else tuple(names)
    if names and text.lstrip("\ufeff\x00 \t\r\n")[:1] in {"{", "[", '"'}:
        text = "".join(_struck_json(_tokens(text), names, _DEPTH))
    return struck(text, names)


def struck(text: str, names: Sequence[str] | None = None) -> str:
    """An error or a traceback with its secrets masked.

    Only the value is masked, for example in ``password=x``, ``password: str = 'x'``, ``"token": "x"``,
    ``{'api_key': ['x']}``, ``<password>x<`` and ``{"password": "x"}``. ``names`` replaces the words in the
    setting ``REDACT``.
    """
    names = get_conf().REDACT if names is None else tuple(names)
    text = _USER_INFO.sub(STRUCK, text)
    return "".join(_pieces(text, names)) if names else text


@lru_cache(maxsize=4096)
def _is_secret(name: str, names: tuple[str, ...]) -> bool:
    name = _plain(name)
    parts = filter(None, map(_plain, names))
    return any(name.endswith(part) if part in _ENDINGS else part in name for part in parts)


def _plain(name: str) -> str:
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


# --- JSON -----------------------------------------------------------------------------------------

#: A token of JSON: a string (the last one may be cut), a bracket, ``,``, ``:``, white space, or other text.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{},:]|\s+|[^\s"\[\]{},:]+', re.DOTALL)
#: The number of levels to which JSON inside strings of JSON is read.
_DEPTH = 3
#: An incomplete escape at the end of a string that was cut.
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_OPEN, _CLOSE = frozenset("[{"), frozenset("]}")


def _tokens(text: str) -> Iterator[str]:
    return (found[0] for found in _TOKEN.finditer(text))


def _struck_json(tokens: Iterator[str], names: tuple[str, ...], depth: int) -> Iterator[str]:
    key = ""
    for token in tokens:
        if token == ":" and key and _is_secret(_content(key)[:_NAME_MAX], names):
            following = next(tokens, "")
            yield ": " + _STRUCK_JSON if following == " " else ":" + _STRUCK_JSON
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
    """Skip the value with which ``tokens`` begins, and return the token that follows it.

    Returns ``""`` if the text ends within the value.
    """
    depth = 0
    for token in tokens:
        if not depth and (token == "," or token in _CLOSE):
            return token
        depth += (token in _OPEN) - (token in _CLOSE)
    return ""


def _content(token: str, *repaired: str) -> str:
    """Parse the JSON string ``token``, and return its content.

    If ``token`` is invalid, the first valid text in ``repaired`` is parsed instead. If none is valid,
    ``token`` is returned.
    """
    for text in (token, *repaired):
        with suppress(ValueError):
            return str(json.loads(text, strict=False))
    return token


def _looked_into(token: str, names: tuple[str, ...], depth: int) -> str:
    """Return the JSON string ``token``. If it contains JSON with secrets, the secrets are masked.

    JSON in strings that are nested deeper than ``depth`` levels stays unchanged.
    """
    if not depth or not any(mark in token[1:20] for mark in "{["):
        return token
    inner = _content(token, _HALF_ESCAPE.sub(r"\1", token) + '"')
    if inner.lstrip()[:1] not in {"{", "["}:
        return token
    struck = "".join(_struck_json(_tokens(inner), names, depth - 1))
    return token if struck == inner else json.dumps(struck, ensure_ascii=False)


# --- Text -----------------------------------------------------------------------------------------

#: The user info of a URL, between ``//`` and ``@``.
_USER_INFO = re.compile(r"""(?<=://)[^\s/?#"'<>\\]+(?=@)""")
#: A name, the quote that ends it, and the sign before its value. ``==`` and ``::`` are not such signs.
_KEY = re.compile(
    r"""(?<![\w-])([\w-]++)"""
    r"""(?:(?:\\{0,31}["'])?\s{0,3}(?:=>?|:=?|->)(?![=:])[ \t]{0,3}|>|%3[dD])"""
)
#: The annotation of a variable with the ``=`` before its value.
_ANNOTATION = re.compile(r"""[\w.]{1,80}(?:\[[^\]\n]{0,80}\])?(?: ?\| ?\w{1,40}){0,3} ?=(?!=) ?""")
#: The beginning of a quoted value, and a whole value without quotes. Such a value may begin with the
#: scheme of a header, such as ``Bearer``: the secret is the word after it.
_QUOTED = re.compile(r"""[bBfFrRuU]{0,2}(\\{0,31})(["'])""")
_BARE = re.compile(
    r"""(?:(?:bearer|basic|digest|negotiate|token)[ \t]+)?(?:\\.|[^\s,;&)}\]"'<>\\])++""", re.IGNORECASE
)
#: For each kind of quote, a pattern for the quote with all backslashes before it.
_QUOTES = {quote: re.compile(rf"(?<!\\)(\\*+){quote}") for quote in "\"'"}
#: A part of a value in brackets: a string (the last one may be cut) or a bracket.
_NESTED = re.compile(
    r""""(?:[^"\\]|\\.)*+(?:"|\\?\Z)|'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|[\[({]|[\])}]""",
    re.DOTALL,
)


def _pieces(text: str, names: tuple[str, ...]) -> Iterator[str]:
    shown = at = 0
    while key := _KEY.search(text, at):
        at = key.end()
        if _is_secret(key[1][:_NAME_MAX], names):
            if annotation := _ANNOTATION.match(text, at):
                at = annotation.end()
            begin, end = _value(text, at)
            if end > begin:
                yield text[shown:begin] + STRUCK
                shown = at = end
    yield text[shown:]


def _value(text: str, at: int) -> tuple[int, int]:
    """The start and end of the text to mask in the value that begins at ``at``.

    The quotes of a string are not masked.
    """
    if quoted := _QUOTED.match(text, at):
        return quoted.end(), _end_of_string(text, quoted.end(), quoted[2], len(quoted[1]))
    if text[at : at + 1] in {"[", "{", "("}:
        return at, _end_of_brackets(text, at)
    bare = _BARE.match(text, at)
    return at, bare.end() if bare else at


def _end_of_string(text: str, at: int, quote: str, depth: int) -> int:
    """The position where the closing quote begins, with the backslashes before it.

    ``depth`` is the number of backslashes before the opening quote. A quote with more backslashes is a part
    of the string. Returns the length of the text if there is no closing quote.
    """
    for found in _QUOTES[quote].finditer(text, at):
        if len(found[1]) <= depth:
            return found.start()
    return len(text)


def _end_of_brackets(text: str, at: int) -> int:
    """The position after the closing bracket. Returns the end of the text if there is no closing bracket."""
    depth = 0
    for found in _NESTED.finditer(text, at):
        depth += (found[0] in "[({") - (found[0] in "])}")
        if not depth:
            return found.end()
    return len(text)
