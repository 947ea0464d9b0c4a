"""Sending one message by hand."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.admin.whole_number import WholeNumberField
from queueing.broker import rsmq_values
from queueing.exceptions import MessageTooLong, QueueFull

from .actions import QueueAction

#: Characters of a body that a form takes, whatever the queue would.
BODY_MAX = 1_000_000
HEADERS_MAX = 50


class SendForm(forms.Form):
    """Body, delay and headers of a message."""

    body = forms.CharField(
        label=gettext_lazy("Body"),
        required=False,
        strip=False,
        max_length=BODY_MAX,
        widget=forms.Textarea(
            attrs={"class": "vLargeTextField queueing-code", "rows": 10, "spellcheck": "false"}
        ),
        help_text=gettext_lazy("Any text, also none. Line breaks are sent as \\n."),
    )
    delay = WholeNumberField(
        label=gettext_lazy("Delay"),
        required=False,
        min_value=0,
        max_value=rsmq_values.MAX_SECONDS,
        help_text=gettext_lazy("Seconds before it can be received, 0 to 9999999. Empty: the queue's own."),
    )
    headers = forms.CharField(
        label=gettext_lazy("Headers"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"class": "vLargeTextField queueing-code", "rows": 3, "spellcheck": "false"}
        ),
        help_text=gettext_lazy(
            "Texts beside the body, one NAME=VALUE a line, for receivers of this package."
        ),
    )

    def clean_body(self) -> str:
        """Browsers send each line break as two characters."""
        return self.cleaned_data["body"].replace("\r\n", "\n")

    def clean_headers(self) -> dict[str, str]:
        """Each line a pair, and each name once."""
        lines = [line for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        pairs = [line.partition("=") for line in lines]
        if len(pairs) > HEADERS_MAX:
            raise forms.ValidationError(_("At most %d headers are taken here.") % HEADERS_MAX)
        if not all(name.strip() and equals for name, equals, _value in pairs):
            raise forms.ValidationError(_("Write each header as NAME=VALUE on a line of its own."))
        headers = {name.strip(): value.strip() for name, _equals, value in pairs}
        if len(headers) < len(pairs):
            raise forms.ValidationError(_("Two headers have the same name: give each a name of its own."))
        return headers


class Send(QueueAction):
    """Send a message."""

    name = "send"
    permission = "send_message"
    label = gettext_lazy("send a message")
    form_class = SendForm

    def question(self) -> str:
        return _("Send a message to %s.") % self.queue.name

    def notes(self) -> list[str]:
        maxsize = self.figures.attributes.maxsize
        if maxsize < 0:
            return []
        return [_("It may have %d UTF-16 characters at the most, the maxsize of the queue.") % maxsize]

    def act(self, form: forms.Form) -> HttpResponse:
        values: dict[str, Any] = form.cleaned_data
        try:
            message_id = queueing.get_client().send_message(
                self.queue.name, values["body"], delay=values["delay"], headers=values["headers"] or None
            )
        except (MessageTooLong, QueueFull) as error:
            form.add_error("body", str(error))
            return self.page(form)
        return self.done(
            _("Sent the message %(id)s to %(queue)s.") % {"id": message_id, "queue": self.queue.name}
        )
