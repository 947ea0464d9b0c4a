"""What the list and the page show of a processed job: readable, and inert whatever it contains."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queueing.models import Job
from queueing.templatetags.queueing_text import (
    SHOWN_MAX,
    duration,
    error_text,
    payload,
    state_word,
    visible,
    when,
    with_rest,
)

#: Characters of an error that the list shows.
ERROR_SHOWN = 80


@admin.display(description=_("queue"))
def shown_queue(job: Job) -> str:
    """The queue's name."""
    return visible(job.queue)


@admin.display(description=_("task or handler"))
def shown_handler(job: Job) -> str:
    """Which code ran."""
    return visible(job.handler) or "-"


@admin.display(description=_("state"))
def shown_state(job: Job) -> str:
    """The newest outcome, coloured by what it means."""
    return format_html(
        '<span class="queueing-state" data-state="{}">{}</span>', job.state, state_word(job.state)
    )


@admin.display(description=_("sent"))
def sent(job: Job) -> str:
    """When it was sent."""
    return when(job.sent_at)


@admin.display(description=_("started"))
def started(job: Job) -> str:
    """When its newest attempt began."""
    return when(job.started_at)


@admin.display(description=_("finished"))
def finished(job: Job) -> str:
    """When its newest attempt ended."""
    return when(job.finished_at)


@admin.display(description=_("wait"))
def wait(job: Job) -> str:
    """From when it could be received to its start."""
    return duration(None if job.wait_ms is None else job.wait_ms / 1000)


@admin.display(description=_("run"))
def run(job: Job) -> str:
    """From start to end of the newest attempt."""
    return duration(None if job.run_ms is None else job.run_ms / 1000)


@admin.display(description=_("worker"))
def shown_worker(job: Job) -> str:
    """Who ran it."""
    return visible(job.worker) or "-"


@admin.display(description=_("error"), empty_value="-")
def shown_error_start(job: Job) -> str:
    """The beginning of the error: the list reads no more of it."""
    return error_text(Truncator(job.error_start).chars(ERROR_SHOWN))


@admin.display(description=_("error"))
def shown_error(job: Job) -> str:
    """The error of the newest attempt."""
    return _as_text(with_rest(error_text(job.error_start), job.error_length - len(job.error_start)))


@admin.display(description=_("reason"))
def shown_reason(job: Job) -> str:
    """Why it was cancelled, which is no error."""
    return shown_error(job)


@admin.display(description=_("result"))
def shown_result(job: Job) -> str:
    """What the task returned, shown as a payload is."""
    return _as_payload(job.result_start, job.result_length, "result/")


@admin.display(description=_("payload"))
def shown_body(job: Job) -> str:
    """The message as it was sent; JSON laid out, its numbers as they were written."""
    if not job.body_start:
        return _("(empty)") if job.body_is_whole else _("The payload is not stored.")
    text = _as_payload(job.body_start, job.body_length, "payload/")
    if job.body_is_whole:
        return text
    note = _("This is not the whole payload as it was sent: it was too long, or had bytes that are no text.")
    return format_html('<div class="queueing-cut">{}<p class="help">{}</p></div>', text, note)


LISTED = (
    *("message_id", shown_state, shown_handler, shown_queue, finished, wait, run),
    *("attempts", "crashes", shown_error_start, sent, started, shown_worker),
)
READ_ONLY = (
    *(shown_queue, shown_handler, shown_state, wait, run, shown_worker),
    *(shown_error, shown_reason, shown_result, shown_body),
)


def _as_payload(start: str, length: int, file: str) -> str:
    """The beginning of a payload or a result, with the address of the whole where that is longer."""
    text = _as_text(payload(start, length))
    if length <= SHOWN_MAX:
        return text
    return format_html('{}<p><a href="{}" download>{}</a></p>', text, file, _whole(length))


def _whole(length: int) -> str:
    return gettext("Download all %(count)s characters") % {"count": f"{length:,}"}


def _as_text(text: str) -> str:
    return format_html('<pre class="queueing-text">{}</pre>', text)
