"""The columns in the list of staged messages, and the fields on the page of one. Output is escaped."""

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

#: The states of a row: none of those of a message, which is not in Redis yet.
WAITING, REFUSED = "waiting", "refused"
WORDS = {WAITING: _("waiting"), REFUSED: _("refused")}
#: The colour of each, as the badge of another state has it.
_COLOURS = {WAITING: "ready", REFUSED: "dead"}


def call_of(row: Any, characters: int) -> str:
    """The call of a task, or the beginning of any other message. The query must include ``body_start``."""
    return call_in(decode.text(bytes(row.body_start or b"")), "", characters) or visible(row.message_id)


@admin.display(description=_("message"))
def shown_call(row: StagedMessage) -> str:
    """The call of a task or the beginning of a message, and below it the reason why Redis refused it."""
    text = format_html('<bdi class="queueing-call">{}</bdi>', call_of(row, LISTED_CHARACTERS))
    return with_error(text, row.refusal)


@admin.display(description=_("state"))
def shown_state(row: StagedMessage) -> str:
    word = REFUSED if row.is_refused else WAITING
    return format_html('<span class="queueing-state" data-state="{}">{}</span>', _COLOURS[word], WORDS[word])


@labelled
@admin.display(description=_("staged"))
def staged(row: StagedMessage) -> str:
    """The time at which the transaction wrote the message, by the clock of its process."""
    return when(row.staged_at)


@labelled
@admin.display(description=_("due"))
def due(row: StagedMessage) -> str:
    """The time at which the message becomes due, if it is delayed."""
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
