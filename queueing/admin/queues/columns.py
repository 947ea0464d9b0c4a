"""The columns of the list of queues."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.broker.outcomes import State
from queueing.models import Queue
from queueing.monitoring.charts import sparkline
from queueing.templatetags.queueing_text import day, duration, moment, visible

from .changelist import is_text, lively

#: RSMQ's nine attributes, by RSMQ's names and in its order.
ATTRIBUTES = ("vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs")


def _title(name: str) -> str:
    """Code, else it would get a capital; its words may stand one below the other."""
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
        return day(at) if at else epoch_seconds

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
    """The name, with what cannot be seen in it written out."""
    if is_text(queue.name):
        return format_html("<bdi>{}</bdi>", visible(queue.name))
    why = _("This name is not UTF-8, so it cannot be opened here.")
    return format_html('<bdi>{}</bdi> <span class="quiet">{}</span>', visible(queue.name), why)


@lively
@admin.display(description=State.DEAD.label)
def dead(queue: Queue) -> Any:
    """How many lie in its dead-letter queue, with the way there."""
    if not queue.figures.dead:
        return 0
    return format_html('<a href="{}">{}</a>', queue.dead_url, queue.figures.dead)


@lively
@admin.display(description=gettext_lazy("latency"))
def latency(queue: Queue) -> str:
    """Age of the oldest ready message."""
    return duration(queue.figures.latency_seconds)


@lively
@admin.display(description=gettext_lazy("rate in"))
def rate_in(queue: Queue) -> str:
    """Messages sent, whoever sends."""
    return _rate(queue.rate.in_per_second)


@lively
@admin.display(description=gettext_lazy("rate out"))
def rate_out(queue: Queue) -> str:
    """Messages gone, whoever takes."""
    return _rate(queue.rate.out_per_second)


@lively
@admin.display(description=gettext_lazy("failure %"))
def failures(queue: Queue) -> str:
    """Of the runs of the last minutes, the part that failed or crashed."""
    ratio = queue.rate.failure_ratio
    if ratio is None:
        return "–"
    text = f"{ratio:.1%}" if 0 < ratio < 0.1 else f"{ratio:.0%}"
    return format_html('<span class="queueing-bad">{}</span>', text) if ratio else text


@lively
@admin.display(description=gettext_lazy("time to drain"))
def drain(queue: Queue) -> str:
    """Until nothing is ready any more, if all goes on like this."""
    rate = queue.rate
    if rate.in_per_second is None:
        return "–"
    return _("never") if rate.drain_seconds is None else duration(rate.drain_seconds)


@admin.display(description=gettext_lazy("last hour"))
def spark(queue: Queue) -> str:
    """Messages out, minute by minute, with the way to the charts."""
    curve = sparkline(queue.outflow, _("messages out a minute, last hour"))
    return (
        format_html('<a href="{}">{}</a>', queue.charts_url, curve) if curve and queue.charts_url else curve
    )


@lively
@admin.display(description=gettext_lazy("paused"))
def paused(queue: Queue) -> str:
    """Whether it gives out messages."""
    if not queue.figures.paused:
        return ""
    return format_html('<span class="queueing-state" data-state="paused">{}</span>', _("paused"))


@admin.display(description=gettext_lazy("actions"))
def actions_of_row(queue: Queue) -> str:
    """What is done to it most often."""
    return format_html_join(
        " · ",
        '<a href="{}" data-action>{}<span class="visually-hidden"> {}</span></a>',
        ((tool.url, tool.label, queue.name) for tool in queue.tools),
    )


#: The figures that a queue's page shows, large, line by line.
FIGURES = (
    (ready, delayed, running, dead, latency),
    (rate_in, rate_out, failures, drain, spark, paused),
)
LISTED = (
    *(shown_name, vt, delay, maxsize, totalrecv, totalsent, created, modified, msgs, hiddenmsgs),
    *(ready, delayed, running, dead, latency, rate_in, rate_out, failures, drain, spark, paused),
    actions_of_row,
)
#: The columns whose figures are kept fresh on open pages.
LIVE = (
    *(vt, delay, maxsize, totalrecv, totalsent, msgs, hiddenmsgs, ready, delayed, running, dead, latency),
    *(rate_in, rate_out, failures, drain, paused),
)


def _rate(per_second: float | None) -> str:
    """Per second where that is one or more, else per minute."""
    if per_second is None:
        return "–"
    if per_second >= 1:
        return _("%s/s") % f"{per_second:,.0f}"
    per_minute = per_second * 60
    return _("%s/min") % (f"{per_minute:.1f}" if 0 < per_minute < 10 else f"{per_minute:.0f}")
