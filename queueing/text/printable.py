"""Text in which characters that cannot be seen are written out, as in ``\\u202e``.

Bodies, names and errors come from anyone who can reach Redis. As they are, they could turn a line around,
hide in it, or break it.
"""

from collections.abc import Callable


def printable(
    text: str,
    *,
    is_shown: Callable[[str], bool] = str.isprintable,
    escape: Callable[[str], str] = lambda character: character.encode("unicode_escape").decode(),
) -> str:
    r"""``text`` with hidden characters written by ``escape``, as in ``\n``, ``\x1b`` or ``\u202e``.

    ``is_shown`` is asked once for the whole text, and then for its characters.
    """
    if is_shown(text):
        return text
    return "".join(character if is_shown(character) else escape(character) for character in text)


def hexadecimal(character: str) -> str:
    r"""Two digits as in ``\x0a``, or four and more as in ``\u202e``."""
    return f"\\x{ord(character):02x}" if character < "\u0100" else four_digits(character)


def four_digits(character: str) -> str:
    r"""Four and more digits, as in ``\u000a``."""
    return f"\\u{ord(character):04x}"
