"""Filters that make hostile text safe to display, and figures easy to read.

Payloads, queue names and error texts come from anyone who can reach Redis. Django's escaping keeps
them from being markup; ``visible`` keeps them from turning the line around, hiding in it, or
being impossible to encode. Escaping itself stays with the template.
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
from queueing.text.humanize import duration, visible
from queueing.text.redaction import redacted, struck

register = template.Library()
register.filter(visible)
register.filter(duration)

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)
_OPEN, _CLOSE = frozenset("[{"), frozenset("]}")
_JSON_DEPTH_MAX = 40
#: Characters of one payload or error text that a page shows.
SHOWN_MAX = 100_000

_LABELS = {state.value: state.label for state in State}


@register.filter
def payload(text: str, length: int | None = None) -> str:
    """A payload as a page shows it: secrets struck out, JSON laid out, never endless.

    ``length`` is that of the whole payload, if ``text`` is only its beginning.
    """
    length = len(text) if length is None else length
    if length > SHOWN_MAX:
        return with_rest(visible(redacted(text[:SHOWN_MAX])), length - SHOWN_MAX)
    return visible(laid_out(redacted(text)))


def with_rest(text: str, left: int) -> str:
    """A text with the number of its left-out characters at its end."""
    if left <= 0:
        return text
    more = gettext("… and %(count)s more characters") % {"count": f"{left:,}"}
    return f"{text}\n{more}"


@register.filter
def error_text(text: str) -> str:
    """An error or a traceback as a page shows it: secrets struck out."""
    return visible(struck(text))


@register.filter
def payload_start(text: str, characters: int) -> str:
    """The beginning of a payload, secrets struck out, in one line's worth of ``characters``."""
    return visible(Truncator(redacted(text[: 4 * characters])).chars(characters))


def laid_out(text: str) -> str:
    """JSON objects and arrays with line breaks and indents; any other text unchanged.

    Only the white space between the tokens changes. Numbers are never read, so one beyond 2^53, an
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
    """The tokens of valid JSON, one member a line; empty if they are nested too deeply to read."""
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
    """The state of a message in the reader's language."""
    return str(_LABELS.get(state, state))


@register.filter
def moment(epoch_seconds: float | None) -> datetime | None:
    """Convert seconds since 1970 to a time. Returns ``None`` for an impossible time."""
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
    """A time in few characters: the time of today, else the day and the minute."""
    return _time_element(at, "minute", "%Y-%m-%d %H:%M")


@register.filter
def day(at: datetime | None) -> SafeString:
    """A time in few characters: the time of today, else the day."""
    return _time_element(at, "day", "%Y-%m-%d")


@register.filter
def exactly(at: datetime | None) -> SafeString:
    """A time with its day and milliseconds."""
    return _time_element(at, "exact", "")


def _time_element(at: datetime | None, precision: str, earlier: str) -> SafeString:
    """A time in the server's zone, which ``times.js`` shows in the browser's; its title has all of it."""
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
