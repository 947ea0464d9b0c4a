"""The columns in the list of processed jobs, and the fields on the page of a job. All output is escaped."""

from collections.abc import Callable
from functools import wraps

from django.contrib import admin
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queueing.models import Job, StagedMessage
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
from queueing.text.humanize import whole

from .call import LISTED_CHARACTERS, call

#: The maximum characters of an error in the list.
ERROR_SHOWN = 80


def labelled(column: Callable[[Job], str]) -> Callable[[Job], str]:
    """Wrap the output of ``column`` in an element that has the title of the column for narrow screens."""

    @wraps(column)
    def shown(job: Job) -> str:
        label = column.short_description  # type: ignore[attr-defined]
        return format_html('<span data-label="{}">{}</span>', label, column(job))

    return shown


def with_error(text: str, error: str) -> str:
    """The content of a cell: ``text``, and below it the beginning of ``error`` if there is one."""
    if not error:
        return text
    shown = error_text(Truncator(error).chars(ERROR_SHOWN))
    return format_html('{}<bdi class="queueing-error">{}</bdi>', text, shown)


@admin.display(description=_("job"))
def shown_call(job: Job) -> str:
    """The call of the job, and below it the beginning of the job's error."""
    text = format_html(
        '<bdi class="queueing-call" title="{}">{}</bdi>', visible(job.handler), call(job, LISTED_CHARACTERS)
    )
    return with_error(text, job.error_start)


@admin.display(description=_("queue"))
def shown_queue(job: Job | StagedMessage) -> str:
    return visible(job.queue)


@admin.display(description=_("message id"))
def shown_id(job: Job | StagedMessage) -> str:
    return visible(job.message_id)


@admin.display(description=_("task or handler"))
def shown_handler(job: Job) -> str:
    return visible(job.handler) or "-"


@admin.display(description=_("state"))
def shown_state(job: Job) -> str:
    """The outcome of the newest attempt as a coloured word.

    If there were several attempts, their number is added.
    """
    badge = format_html(
        '<span class="queueing-state" data-state="{}">{}</span>', job.state, state_word(job.state)
    )
    if job.attempts < 2:
        return badge
    attempts = gettext("attempts")
    return format_html('{} <span class="quiet" title="{}">×{}</span>', badge, attempts, job.attempts)


@labelled
@admin.display(description=_("finished"))
def finished(job: Job) -> str:
    return when(job.finished_at)


@labelled
@admin.display(description=_("wait"))
def wait(job: Job) -> str:
    """How long the message waited, from its due time until its first run started."""
    return duration(None if job.wait_ms is None else job.wait_ms / 1000)


@labelled
@admin.display(description=_("run"))
def run(job: Job) -> str:
    return duration(None if job.run_ms is None else job.run_ms / 1000)


@admin.display(description=_("worker"))
def shown_worker(job: Job) -> str:
    return visible(job.worker) or "-"


@admin.display(description=_("error"))
def shown_error(job: Job) -> str:
    return as_text(with_rest(error_text(job.error_start), job.error_length - len(job.error_start)))


@admin.display(description=_("reason"))
def shown_reason(job: Job) -> str:
    """The reason for the cancellation of the job. It is stored like an error, but is not an error."""
    return shown_error(job)


@admin.display(description=_("result"))
def shown_result(job: Job) -> str:
    """The result of the task, formatted like a payload."""
    return _as_payload(job.result_start, job.result_length, "result/")


@admin.display(description=_("payload"))
def shown_body(job: Job) -> str:
    """The payload. JSON is indented, but its numbers stay as they were written."""
    if not job.body_start:
        return _("(empty)") if job.body_is_whole else _("The payload is not stored.")
    text = _as_payload(job.body_start, job.body_length, "payload/")
    if job.body_is_whole:
        return text
    note = _("This is not the whole payload: it was too long, or had bytes that are not text.")
    return format_html('<div class="queueing-cut">{}<p class="help">{}</p></div>', text, note)


LISTED = (shown_call, shown_state, shown_queue, finished, wait, run, shown_id)
READ_ONLY = (
    *(shown_queue, shown_handler, shown_state, wait, run, shown_worker, shown_id),
    *(shown_error, shown_reason, shown_result, shown_body),
)


def _as_payload(start: str, length: int, file: str) -> str:
    """The HTML of a payload or a result that begins with ``start`` and has ``length`` characters.

    If the text is too long for a page, its beginning is shown with a link to the download ``file``.
    """
    text = as_text(payload(start, length))
    if length <= SHOWN_MAX:
        return text
    return format_html('{}<p><a href="{}" download>{}</a></p>', text, file, _whole(length))


def _whole(length: int) -> str:
    return gettext("Download all %(count)s characters") % {"count": whole(length)}


def as_text(text: str) -> str:
    return format_html('<pre class="queueing-text">{}</pre>', text)
