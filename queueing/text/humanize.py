"""Formats text and numbers for people, in the language of the page."""

import re
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import pgettext

from .printable import four_digits, printable

#: Characters that are escaped: controls, marks that reverse or hide text, lone surrogates, tags.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: Any) -> str:
    r"""``text`` with every invisible character escaped, as in ``\u202e``."""
    return printable(str(text), is_shown=lambda part: not _UNSEEN.search(part), escape=four_digits)


def duration(seconds: float | None) -> str:
    """A duration as text with one or two units, such as ``0 s``, ``0.42 s``, ``3 min 5 s`` or ``2 d``.

    The decimal separator is that of the active language, and the spaces do not break. Returns ``–`` for
    ``None``.
    """
    return "–" if seconds is None else unbroken(_duration(max(0.0, float(seconds))))


def whole(number: float) -> str:
    """A rounded number with the thousands separators of the active language."""
    text: str = number_format(round(number), force_grouping=True)
    return text


def unbroken(figure: str) -> str:
    """A number and its unit with no-break spaces, so that a line does not end between them."""
    return figure.replace(" ", "\xa0")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return pgettext("seconds", "%s s") % number_format(f"{seconds:.{_digits(seconds)}f}")
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return pgettext("minutes", "%(minutes)d min %(rest)d s") % {"minutes": minutes, "rest": rest}
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return pgettext("hours", "%(hours)d h %(rest)d min") % {"hours": hours, "rest": rest}
    return pgettext("days", "%d d") % (hours // 24)


def _digits(seconds: float) -> int:
    if seconds == 0 or seconds >= 10:
        return 0
    return 3 if seconds < 0.1 else 2 if seconds < 1 else 1
