"""The pages that show the first or last messages of a queue, or a single message.

The pages only peek: they do not receive messages.
"""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.admin.base import address
from queueing.admin.downloads import payload_file
from queueing.broker import rsmq_values
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue
from queueing.broker.outcomes import State
from queueing.exceptions import InvalidFormat
from queueing.messages import PeekedMessage
from queueing.policies import unique
from queueing.templatetags.queueing_text import SHOWN_MAX, payload, visible
from queueing.text.redaction import redacted

from .actions import QueueAction
from .forms import WholeNumberField, is_actionable

#: The default and the maximum number of messages on a page.
SHOWN, SHOWN_AT_MOST = 50, 200
#: The bytes of each body that are read for a row, which shows 200 characters.
ROW_BYTES = 1000
#: The bytes of the body that are read for the page of one message. They are enough for one character more
#: than the page shows.
PAGE_BYTES = 4 * (SHOWN_MAX + 1)
ENDS = ("first", "last")


class LookForm(forms.Form):
    """The form to choose how many messages to show, and from which end of the queue.

    Submitted values are not validated by the form: ``clamped`` parses the number.
    """

    which = forms.ChoiceField(
        label=gettext_lazy("From"),
        choices=[("first", gettext_lazy("the head")), ("last", gettext_lazy("the tail"))],
    )
    count = WholeNumberField(
        label=gettext_lazy("Number"),
        min_value=1,
        max_value=SHOWN_AT_MOST,
        widget=forms.NumberInput(attrs={"class": "vSmallNumberField"}),
    )


def clamped(text: str | None) -> int:
    """Parse the number of messages in a query string.

    A number out of bounds is replaced by the nearest bound, and an invalid text by the default.
    """
    number = rsmq_values.parse_int(text) if text else None
    return max(1, min(SHOWN if number is None else number, SHOWN_AT_MOST))


def message_rows(
    site: AdminSite, queue: str, messages: Iterable[PeekedMessage]
) -> list[tuple[PeekedMessage, str]]:
    """Pairs of each message and the URL of its page.

    The URL is ``""`` if RSMQ does not allow the id of the message.
    """
    return [
        (
            message,
            address(site, "queue_message", queue, message.id) if rsmq_values.ID.fullmatch(message.id) else "",
        )
        for message in messages
    ]


class Reading(QueueAction):
    """The base class of the pages that show messages. They accept no POST."""

    permission = "view_queue"
    http_method_names = ("get", "head", "options")


class Messages(Reading):
    name = "messages"
    label = gettext_lazy("peek")

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the first or last messages of the queue. Only the shown part of each payload is read."""
        which = request.GET.get("which")
        which = which if which in ENDS else ENDS[0]
        count = clamped(request.GET.get("count"))
        found = queueing.get_client().peek_messages(
            self.queue.name, count=count, newest=which == "last", body_bytes=ROW_BYTES
        )
        context = {
            "rows": message_rows(self.model_admin.admin_site, self.queue.name, found),
            "msgs": self.figures.attributes.msgs,
            "look_form": LookForm(initial={"which": which, "count": count}),
            "which": which,
            "tickable": self._tickable(),
        }
        return self.render("admin/queueing/queue/messages.html", context)

    def _tickable(self) -> list[tuple[str, str]]:
        """The actions that the user may run on selected messages, as pairs of label and URL."""
        name = self.queue.name
        alive = self._alive if self.model_admin.may(self.request, "redrive_queue") else ""
        offered = [
            ("redrive_queue", _("Redrive selected messages to %s") % alive, "redrive", alive),
            ("move_messages", _("Move selected messages …"), "move", name),
            ("cancel_job", _("Cancel selected messages …"), "cancel", name),
            ("stop_job", _("Stop the selected …"), "stop", name),
        ]
        return [
            (label, self.model_admin.action_url(action, queue))
            for permission, label, action, queue in offered
            if queue and self.model_admin.may(self.request, permission)
        ]

    @cached_property
    def _alive(self) -> str:
        """The name of the queue that has this queue as its dead-letter queue, ``""`` without such a queue.

        The query parameter ``of`` gives the name, because several queues may share a dead-letter queue.
        Without the parameter, it is the name of this queue without ``-dead`` at its end.
        """
        client = queueing.get_client()
        named = self.request.GET.get("of", "")
        if not named and is_dead_letter_queue(self.queue.name):
            named = self.queue.name.removesuffix(dead_letter_queue(""))
        if not is_actionable(named) or not client.queue_figures([named]):
            return ""
        return named if client.dead_letter_queue(named) == self.queue.name else ""


def _peek(queue: str, message_id: str, body_bytes: int | None = None) -> PeekedMessage | str:
    """Return the message, or a sentence with the reason why it cannot be shown."""
    try:
        found = queueing.get_client().peek_message(queue, message_id, body_bytes=body_bytes)
    except InvalidFormat:
        return _("This is not the id of a message.")
    return found or _("The message has left this queue.")


class PayloadFile(Reading):
    """A download of the whole payload of one message, with secrets masked."""

    name = "message_payload"
    label = gettext_lazy("payload")

    def get(self, request: HttpRequest, message_id: str) -> HttpResponse:
        found = _peek(self.queue.name, message_id)
        return self.refused(found) if isinstance(found, str) else payload_file(found.body, found.id)


class OneMessage(Reading):
    """The page of one message. A long payload is cut to the length that a page can show."""

    name = "message"
    label = gettext_lazy("message")

    def get(self, request: HttpRequest, message_id: str) -> HttpResponse:
        found = _peek(self.queue.name, message_id, body_bytes=PAGE_BYTES)
        if isinstance(found, str):
            return self.refused(found)
        is_whole = len(found.body) <= SHOWN_MAX or len(rsmq_values.encode(found.body)) == found.size_bytes
        headers = json.loads(redacted(json.dumps(dict(found.headers))))
        headers.pop(unique.HEADER, None)
        context: dict[str, Any] = {
            "message": found,
            "unique_key": redacted(unique.shown_key(found.headers)),
            "shown": payload(found.body) if is_whole else visible(redacted(found.body[:SHOWN_MAX])),
            "is_whole": is_whole,
            "headers": headers,
            "shown_max": SHOWN_MAX,
            "messages_url": self.model_admin.action_url("messages", self.queue.name),
            "jobs_can_be_seen": self.model_admin.jobs_can_be_seen(request),
        }
        end = "stop" if found.state == State.RUNNING else "cancel"
        if self.model_admin.may(request, f"{end}_job"):
            context[f"{end}_url"] = (
                f"{self.model_admin.action_url(end, self.queue.name)}?{urlencode({'ids': found.id})}"
            )
        return self.render("admin/queueing/queue/message.html", context)
