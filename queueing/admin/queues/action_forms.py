"""The forms of actions on a queue: a message to send, or the messages to move, redrive, cancel or stop."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.broker import rsmq_values
from queueing.exceptions import QueueError

from .forms import WholeNumberField, is_actionable

#: The maximum length of a body in the form, in characters. The queue may allow longer bodies.
BODY_MAX = 1_000_000
HEADERS_MAX = 50
#: The maximum number of messages that can be selected.
SELECTED_MAX = 1000
COUNT_MAX = 1_000_000_000


class SendForm(forms.Form):
    """The form to send a message: body, delay and headers."""

    body = forms.CharField(
        label=gettext_lazy("Body"),
        required=False,
        strip=False,
        max_length=BODY_MAX,
        widget=forms.Textarea(
            attrs={"class": "vLargeTextField queueing-code", "rows": 10, "spellcheck": "false"}
        ),
        help_text=gettext_lazy("Any text, or none. Line breaks are sent as \\n."),
    )
    delay = WholeNumberField(
        label=gettext_lazy("Delay"),
        required=False,
        min_value=0,
        max_value=rsmq_values.MAX_SECONDS,
        help_text=gettext_lazy("Seconds before it is ready, 0 to 9999999. Empty: the delay of the queue."),
    )
    headers = forms.CharField(
        label=gettext_lazy("Headers"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"class": "vLargeTextField queueing-code", "rows": 3, "spellcheck": "false"}
        ),
        help_text=gettext_lazy(
            "Texts beside the body, one NAME=VALUE per line. Only receivers of this package read them."
        ),
    )

    def clean_body(self) -> str:
        """Replace CR LF by LF, because browsers send CR LF for each line break."""
        return self.cleaned_data["body"].replace("\r\n", "\n")

    def clean_headers(self) -> dict[str, str]:
        """Parse the headers, one ``NAME=VALUE`` per line. A repeated name is an error."""
        lines = [line for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        pairs = [line.partition("=") for line in lines]
        if len(pairs) > HEADERS_MAX:
            raise forms.ValidationError(_("A message can have at most %d headers here.") % HEADERS_MAX)
        if not all(name.strip() and equals for name, equals, _value in pairs):
            raise forms.ValidationError(_("Write each header as NAME=VALUE on a line of its own."))
        headers = {name.strip(): value.strip() for name, _equals, value in pairs}
        if len(headers) < len(pairs):
            raise forms.ValidationError(_("Two headers have the same name: give each a name of its own."))
        return headers


class IdsField(forms.Field):
    """A hidden field with message ids. Duplicates are removed."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[str]:
        """Return the ids. Raises ``ValidationError`` if an id is malformed or there are too many ids."""
        ids = list(dict.fromkeys(value or ()))
        if len(ids) > SELECTED_MAX:
            raise forms.ValidationError(_("At most %d messages can be selected.") % SELECTED_MAX)
        try:
            return [rsmq_values.message_id(id) for id in ids]
        except QueueError:
            raise forms.ValidationError(_("The id of a selected message is not valid in RSMQ.")) from None


class IdsForm(forms.Form):
    ids = IdsField()

    def clean(self) -> dict[str, Any]:
        """Move the errors of the hidden field ``ids`` to the top of the form, where they are visible."""
        for error in self.errors.pop("ids", []):
            self.add_error(None, error)
        return self.cleaned_data


class SelectionForm(IdsForm):
    """The form of an action on the selected messages.

    Without a selection, it has a field for the number of messages. An empty field means all messages.
    """

    count = WholeNumberField(
        label=gettext_lazy("How many"),
        required=False,
        min_value=1,
        max_value=COUNT_MAX,
        help_text=gettext_lazy("Only this number of messages, from the head of the queue. Empty: all."),
    )
    ids = IdsField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.selected:
            del self.fields["count"]

    @property
    def selected(self) -> list[str]:
        """The selected ids. They are not validated yet."""
        return self.data.getlist("ids") if self.is_bound else list(self.initial.get("ids", ()))


class MoveForm(SelectionForm):
    """The form of a move: the target queue, and the messages."""

    field_order = ("target", "count")

    target = forms.CharField(
        label=gettext_lazy("To"),
        max_length=160,
        widget=forms.TextInput(
            attrs={"class": "vTextField", "list": "queueing-queues", "autocomplete": "off"}
        ),
        help_text=gettext_lazy("The name of an existing queue."),
    )

    def clean_target(self) -> str:
        if not is_actionable(self.cleaned_data["target"]):
            raise forms.ValidationError(_("The name of a queue has 1 to 160 letters, digits, - and _."))
        return self.cleaned_data["target"]


class StopForm(IdsForm):
    """The form to stop messages, with an option to kill the processes in which they run."""

    force = forms.BooleanField(
        label=gettext_lazy("End its process"),
        required=False,
        help_text=gettext_lazy(
            "For code that does not notice the request. Other jobs of the process may finish within the "
            "grace time, or run again."
        ),
    )
