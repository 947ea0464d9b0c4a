"""The columns in the list of staged messages, and the fields on the page of one message.

All output is escaped for HTML.
"""

import json
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queueing.admin.jobs.call import LISTED_CHARACTERS, call_in
from queueing.admin.jobs.columns import as_text, labelled, shown_id, shown_queue, with_error
from queueing.broker import decode
from queueing.models import StagedMessage
from queueing.templatetags.queueing_text import day, error_text, moment_ms, payload, visible, when

#: The states of a staged message. A message in Redis has other states.
WAITING, REFUSED = "waiting", "refused"
WORDS = {WAITING: _("waiting"), REFUSED: _("refused")}
#: For each state, the job state whose badge has the same colour.
_COLOURS = {WAITING: "ready", REFUSED: "dead"}


def call_of(row: Any, characters: int) -> str:
    """The text of a task call, or the beginning of a message that calls no task.

    For an empty message, it is the message id. The query for ``row`` must include ``body_start``.
    """
    return call_in(decode.text(bytes(row.body_start or b"")), "", characters) or visible(row.message_id)


@admin.display(description=_("message"))
def shown_call(row: StagedMessage) -> str:
    """The output of ``call_of``. If Redis refused the message, the reason is shown below it."""
    text = format_html('<bdi class="queueing-call">{}</bdi>', call_of(row, LISTED_CHARACTERS))
    return with_error(text, row.refusal)


@admin.display(description=_("state"))
def shown_state(row: StagedMessage) -> str:
    return format_html(
        '<span class="queueing-state" data-state="{}">{}</span>', _COLOURS[row.state], WORDS[row.state]
    )


@labelled
@admin.display(description=_("staged"))
def staged(row: StagedMessage) -> str:
    """The time at which the transaction wrote the message, by the clock of the process that ran it."""
    return when(row.staged_at)


@labelled
@admin.display(description=_("due"))
def due(row: StagedMessage) -> str:
    """The time at which a delayed message becomes due."""
    return day(moment_ms(row.due_ms))


@admin.display(description=_("reason"))
def shown_refusal(row: StagedMessage) -> str:
    return error_text(row.refusal)


@admin.display(description=_("headers"))
def shown_headers(row: StagedMessage) -> str:
    headers = json.loads(row.headers or "{}")
    return as_text(payload(json.dumps(headers, ensure_ascii=False))) if headers else "-"


@admin.display(description=_("payload"))
def shown_body(row: StagedMessage) -> str:
    text = decode.text(bytes(row.body))
    return as_text(payload(text)) if text else gettext("(empty)")


LISTED = (shown_call, shown_state, shown_queue, staged, due, shown_id)
READ_ONLY = (
    *(shown_state, shown_queue, staged, due, shown_id),
    *(shown_refusal, shown_headers, shown_body),
)
