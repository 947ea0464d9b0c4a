"""Template filters that make hostile text safe to display, and figures easy to read.

Anyone who can reach Redis can write payloads, queue names and error texts. Django's escaping keeps such text
from being interpreted as HTML. ``visible`` escapes characters that are invisible, change the direction of the
text, or cannot be encoded. These filters do not escape HTML: the template does.
"""

import json
import re
from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext

from queueing.broker.outcomes import State
from queueing.text.humanize import duration, visible, whole
from queueing.text.redaction import redacted, struck

register = template.Library()
register.filter(visible)
register.filter(duration)

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)
_OPEN, _CLOSE = frozenset("[{"), frozenset("]}")
_JSON_DEPTH_MAX = 40
#: The number of characters of a payload that a page shows.
SHOWN_MAX = 100_000

_LABELS = {state.value: state.label for state in State}


@register.filter
def payload(text: str, length: int | None = None) -> str:
    """A payload for a page. Its secrets are masked, and its JSON is indented.

    A payload of more than ``SHOWN_MAX`` characters is cut instead of indented. If ``text`` is only the
    beginning of a payload, ``length`` is the length of the whole payload.
    """
    length = len(text) if length is None else length
    if length > SHOWN_MAX:
        return with_rest(visible(redacted(text[:SHOWN_MAX])), length - SHOWN_MAX)
    return visible(laid_out(redacted(text)))


def with_rest(text: str, left: int) -> str:
    """Append a note with the number of characters that were cut off (``left``).

    Returns ``text`` unchanged if ``left`` is not positive.
    """
    if left <= 0:
        return text
    more = gettext("… and %(count)s more characters") % {"count": whole(left)}
    return f"{text}\n{more}"


@register.filter
def error_text(text: str) -> str:
    """An error or a traceback for a page. Its secrets are masked."""
    return visible(struck(text))


@register.filter
def payload_start(text: str, characters: int) -> str:
    """The beginning of a payload in at most ``characters`` characters, with secrets masked."""
    return visible(Truncator(redacted(text[: 4 * characters])).chars(characters))


def laid_out(text: str) -> str:
    """Format a JSON object or array with line breaks and indents. Return any other text unchanged.

    Only the white space between the tokens changes. Numbers are not parsed, so a number beyond 2^53, an
    exponent or a trailing zero stays as the sender wrote it.
    """
    if text.lstrip()[:1] not in {"{", "["} or not _is_json(text):
        return text
    return _indented(_JSON_TOKEN.findall(text)) or text


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _indented(tokens: list[str]) -> str:
    """Format the tokens of valid JSON with one member per line.

    Returns ``""`` if the JSON is nested too deep.
    """
    parts: list[str] = []
    depth = 0
    for before, token in zip(["", *tokens], tokens, strict=False):
        depth -= token in _CLOSE
        if before == "," or (before in _OPEN) != (token in _CLOSE):
            parts.append("\n" + "  " * depth)
        parts.append(": " if token == ":" else token)
        depth += token in _OPEN
        if depth > _JSON_DEPTH_MAX:
            return ""
    return "".join(parts)


@register.filter
def state_word(state: str) -> str:
    """The name of a state in the language of the page."""
    return str(_LABELS.get(state, state))


@register.filter
def moment(epoch_seconds: float | None) -> datetime | None:
    """Convert seconds since 1970 to a time.

    Returns ``None`` if ``epoch_seconds`` is ``None``, not positive or out of range.
    """
    if epoch_seconds is None or epoch_seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(epoch_seconds, timezone.get_current_timezone())
    except (ValueError, OverflowError, OSError):
        return None


@register.filter
def moment_ms(epoch_ms: float | None) -> datetime | None:
    """Convert milliseconds since 1970 to a time, as ``moment`` does."""
    return None if epoch_ms is None else moment(epoch_ms / 1000)


@register.filter
def when(at: datetime | None) -> SafeString:
    """A ``<time>`` element. It shows the time of day if ``at`` is today, or else the date and the minute."""
    return _time_element(at, "minute", "%Y-%m-%d %H:%M")


@register.filter
def day(at: datetime | None) -> SafeString:
    """A ``<time>`` element. It shows the time of day if ``at`` is today, or else only the date."""
    return _time_element(at, "day", "%Y-%m-%d")


@register.filter
def exactly(at: datetime | None) -> SafeString:
    """A ``<time>`` element that shows the date and the time with milliseconds."""
    return _time_element(at, "exact", "")


def _time_element(at: datetime | None, precision: str, earlier: str) -> SafeString:
    """A ``<time>`` element in the server's time zone. Its title has the date, the time and the zone.

    ``times.js`` converts the element to the time zone of the browser, with the ``precision`` ``minute``,
    ``day`` or ``exact``. ``earlier`` is the ``strftime`` format for times that are not today. Returns ``–``
    for ``None``.
    """
    if at is None:
        return SafeString("–")
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localtime(datetime.now(UTC)).date()
    # strftime with digits alone is many times faster than Django's own formats.
    short = local.strftime("%H:%M:%S" if is_today else earlier)
    return format_html(
        '<time datetime="{}" data-precision="{}" title="{}">{}</time>',
        local.isoformat(),
        precision,
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        local.isoformat(" ", "milliseconds")[:23] if precision == "exact" else short,
    )
