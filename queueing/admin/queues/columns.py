"""The columns of the list of queues."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from queueing.broker.outcomes import State
from queueing.models import Queue
from queueing.monitoring.charts import sparkline
from queueing.templatetags.queueing_text import day, duration, moment, visible
from queueing.text.humanize import whole

from .changelist import is_text, lively

#: The names of RSMQ's nine queue attributes, in RSMQ's order.
ATTRIBUTES = ("vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs")


def _title(name: str) -> str:
    """The name of an RSMQ attribute as the title of a column.

    It is a ``<code>`` element, because Django capitalizes plain titles. Browsers may break the line between
    the words of a name.
    """
    words = re.sub("^(total|hidden)", r"\1 ", name).split()
    return format_html("<code>{}</code>", format_html_join(mark_safe("<wbr>"), "{}", ((w,) for w in words)))


def _attribute(name: str) -> Callable[[Queue], Any]:
    @admin.display(description=_title(name))
    def shown(queue: Queue) -> Any:
        return getattr(queue.figures.attributes, name)

    shown.__name__ = name
    return lively(shown)


def _time_attribute(name: str) -> Callable[[Queue], Any]:
    @admin.display(description=_title(name))
    def shown(queue: Queue) -> Any:
        epoch_seconds = getattr(queue.figures.attributes, name)
        at = moment(epoch_seconds)
        return format_html('<span data-label="{}">{}</span>', name, day(at) if at else epoch_seconds)

    shown.__name__ = name
    return shown


def _count(state: State) -> Callable[[Queue], Any]:
    @admin.display(description=state.label)
    def shown(queue: Queue) -> Any:
        return getattr(queue.figures, state)

    shown.__name__ = state.value
    return lively(shown)


vt = _attribute("vt")
delay = _attribute("delay")
maxsize = _attribute("maxsize")
totalrecv = _attribute("totalrecv")
totalsent = _attribute("totalsent")
created = _time_attribute("created")
modified = _time_attribute("modified")
msgs = _attribute("msgs")
hiddenmsgs = _attribute("hiddenmsgs")
ready = _count(State.READY)
delayed = _count(State.DELAYED)
running = _count(State.RUNNING)


@admin.display(description=gettext_lazy("name"))
def shown_name(queue: Queue) -> str:
    """The name of the queue, with invisible characters escaped.

    A dead-letter or low-priority queue is indented below the queue to which it belongs.
    """
    if is_text(queue.name):
        return format_html('<bdi data-depth="{}">{}</bdi>', queue.depth, visible(queue.name))
    why = _("This name is not UTF-8, so it cannot be opened here.")
    return format_html('<bdi>{}</bdi> <span class="quiet">{}</span>', visible(queue.name), why)


@lively
@admin.display(description=State.DEAD.label)
def dead(queue: Queue) -> Any:
    if not queue.figures.dead:
        return 0
    return format_html('<a href="{}">{}</a>', queue.dead_url, queue.figures.dead)


@lively
@admin.display(description=gettext_lazy("oldest"))
def latency(queue: Queue) -> str:
    """The age of the oldest ready message."""
    return duration(queue.figures.latency_seconds)


@lively
@admin.display(description=pgettext_lazy("messages", "in"))
def rate_in(queue: Queue) -> str:
    """The rate at which all programs together send messages to the queue."""
    return _rate(queue.rate.in_per_second)


@lively
@admin.display(description=pgettext_lazy("messages", "out"))
def rate_out(queue: Queue) -> str:
    """The rate at which all programs together remove messages from the queue."""
    return _rate(queue.rate.out_per_second)


@lively
@admin.display(description=gettext_lazy("failures"))
def failures(queue: Queue) -> str:
    """The share of runs that failed or crashed in the last few minutes."""
    ratio = queue.rate.failure_ratio
    if ratio is None:
        return "–"
    text = f"{number_format(f'{100 * ratio:.1f}' if 0 < ratio < 0.1 else f'{100 * ratio:.0f}')}%"
    return format_html('<span class="queueing-bad">{}</span>', text) if ratio else text


@lively
@admin.display(description=gettext_lazy("time to drain"))
def drain(queue: Queue) -> str:
    """The estimated time until no message is ready, at the present rates."""
    rate = queue.rate
    if rate.in_per_second is None:
        return "–"
    return _("never") if rate.drain_seconds is None else duration(rate.drain_seconds)


@admin.display(description=gettext_lazy("last hour"))
def spark(queue: Queue) -> str:
    """A curve of the messages that left the queue in each minute of the last hour. It links to the charts."""
    curve = sparkline(queue.outflow, _("messages out per minute, last hour"))
    if not curve:
        return format_html('<span data-label="{}">–</span>', _("last hour"))
    return format_html('<a href="{}">{}</a>', queue.charts_url, curve) if queue.charts_url else curve


@lively
@admin.display(description=gettext_lazy("state"))
def state(queue: Queue) -> str:
    word, label = ("paused", _("paused")) if queue.figures.paused else ("active", _("active"))
    return format_html('<span class="queueing-state" data-state="{}">{}</span>', word, label)


@admin.display(description=gettext_lazy("actions"))
def actions_of_row(queue: Queue) -> str:
    """The links to the actions on the queue that users need most often."""
    return format_html_join(
        " · ",
        '<a href="{}" data-action>{}<span class="visually-hidden"> {}</span></a>',
        ((tool.url, tool.label, queue.name) for tool in queue.tools),
    )


#: The figures in large type on the page of a queue: a tuple for each line.
FIGURES = ((state, ready, running, delayed, dead, latency), (rate_in, rate_out, failures, drain, spark))
LISTED = (
    *(shown_name, state, ready, running, delayed, dead, latency, rate_in, rate_out, failures, spark),
    actions_of_row,
)
#: The columns that the list shows only on demand: RSMQ's attributes and the time to drain.
ON_DEMAND = (vt, delay, maxsize, totalrecv, totalsent, created, modified, msgs, hiddenmsgs, drain)
#: The columns that open pages update.
LIVE = (
    *(state, ready, running, delayed, dead, latency, rate_in, rate_out, failures),
    *(vt, delay, maxsize, totalrecv, totalsent, msgs, hiddenmsgs, drain),
)


def _rate(per_second: float | None) -> str:
    """A rate as text: per second, or per minute if it is below one message per second.

    ``None`` is an unknown rate, and is shown as a dash.
    """
    if per_second is None:
        return "–"
    if per_second >= 1:
        return _("%s/s") % whole(per_second)
    per_minute = per_second * 60
    return _("%s/min") % number_format(f"{per_minute:.1f}" if 0 < per_minute < 10 else f"{per_minute:.0f}")
