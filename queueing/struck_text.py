r"""Secrets in text that is no JSON: errors and tracebacks, which repeat what they were about.

``password=geheim``, ``"token": "geheim"``, ``{'api_key': ['geheim']}`` and ``{\"password\": \"geheim\"}``:
the value goes, the rest stays. It is about showing, as all of ``redaction``, and knows names only: a
secret that stands somewhere else in a text is not known for one. Each character is looked at a few times
at the most, whatever the text: anybody may send one.
"""

import re
from collections.abc import Iterator, Sequence

from .conf import get_conf

STRUCK = "[redacted]"
#: A name, the quote that ends it, and what says that its value follows; not ``==``, ``:=`` or ``::``.
_KEY = re.compile(r"""(?<![\w-])([\w-]++)(?:\\{0,7}["'])?[ \t]{0,3}(?:=>?|:)(?![=:])[ \t]{0,3}""")
#: How a value begins: quoted, in brackets, or bare up to what ends it; the scheme of a header is no secret.
_QUOTED = re.compile(r"""[bBrRuU]{0,2}(\\{0,7})(["'])""")
_BARE = re.compile(r"""(?:(?:bearer|basic|digest|negotiate|token)[ \t]+)?[^\s,;&)}\]"'<>]++""", re.IGNORECASE)
#: A quote with all the backslashes before it.
_QUOTES = {quote: re.compile(rf"(?<!\\)(\\*+){quote}") for quote in "\"'"}
#: What a value in brackets is made of: strings, of which the last may be cut off, and brackets.
_NESTED = re.compile(
    r""""(?:[^"\\]|\\.)*+(?:"|\\?\Z)|'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|[\[({]|[\])}]""",
    re.DOTALL,
)


def struck(text: str, names: Sequence[str] | None = None) -> str:
    """``text`` without the values of what is called like one of ``names`` (``None``: those of the setting).

    ``names`` are lower case, and need to be a part of the name only; ``-`` is as good as ``_``.
    """
    names = get_conf().REDACT if names is None else names
    return "".join(_pieces(text, names)) if names else text


def _pieces(text: str, names: Sequence[str]) -> Iterator[str]:
    shown = at = 0
    while key := _KEY.search(text, at):
        at = key.end()
        name = key[1].lower().replace("-", "_")
        if any(part in name for part in names):
            begin, end = _value(text, at)
            if end > begin:
                yield text[shown:begin] + STRUCK
                shown = at = end
    yield text[shown:]


def _value(text: str, at: int) -> tuple[int, int]:
    """From where to where the value goes that begins here."""
    if quoted := _QUOTED.match(text, at):
        return quoted.end(), _end_of_string(text, quoted.end(), quoted[2], len(quoted[1]))
    if text[at : at + 1] in {"[", "{", "("}:
        return at, _end_of_brackets(text, at)
    bare = _BARE.match(text, at)
    return at, bare.end() if bare else at


def _end_of_string(text: str, at: int, quote: str, depth: int) -> int:
    """Where the quote stands that has no more backslashes than the first one; the end, where it was cut."""
    for found in _QUOTES[quote].finditer(text, at):
        if len(found[1]) <= depth:
            return found.start()
    return len(text)


def _end_of_brackets(text: str, at: int) -> int:
    """Behind the bracket that closes the first one; the end of the text, where it was cut."""
    depth = 0
    for found in _NESTED.finditer(text, at):
        depth += (found[0] in "[({") - (found[0] in "])}")
        if not depth:
            return found.end()
    return len(text)
