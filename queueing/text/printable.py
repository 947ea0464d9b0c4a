r"""Escapes invisible characters in text, as in ``\u202e``.

Anyone who can reach Redis can write bodies, names and errors. If such text were not escaped, it could reverse
a line, break it, or be invisible.
"""

from collections.abc import Callable


def printable(
    text: str,
    *,
    is_shown: Callable[[str], bool] = str.isprintable,
    escape: Callable[[str], str] = lambda character: character.encode("unicode_escape").decode(),
) -> str:
    r"""Return ``text`` with its invisible characters escaped, by default as ``\n``, ``\x1b`` or ``\u202e``.

    A character is invisible if ``is_shown(character)`` is false. It is replaced by ``escape(character)``. If
    ``is_shown(text)`` is true, the whole text is returned unchanged.
    """
    if is_shown(text):
        return text
    return "".join(character if is_shown(character) else escape(character) for character in text)


def hexadecimal(character: str) -> str:
    r"""Escape a character with two hexadecimal digits, as in ``\x0a``.

    A character above ``\xff`` is escaped with at least four digits, as in ``\u202e``.
    """
    return f"\\x{ord(character):02x}" if character < "\u0100" else four_digits(character)


def four_digits(character: str) -> str:
    r"""Escape a character with at least four hexadecimal digits, as in ``\u000a``."""
    return f"\\u{ord(character):04x}"
