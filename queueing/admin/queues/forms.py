"""The forms of a queue: the three RSMQ attributes that can be changed, and the policies.

The values are validated by the same rules as in the client.
"""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.broker import rsmq_values
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue
from queueing.client import QueueClient
from queueing.client.operations import MAX_RECEIVE_COUNT, MAX_RETENTION_SECONDS
from queueing.exceptions import InvalidValue, QueueError, QueueExists
from queueing.messages import QueueFigures, QueuePolicy
from queueing.models import Queue
from queueing.templatetags.queueing_text import visible

EDITABLE = ("vt", "delay", "maxsize")
REDRIVE = ("max_receive_count", "dead_letter_queue")
POLICIES = (*REDRIVE, "retention_seconds")
#: RSMQ's default attributes of a new queue.
DEFAULTS = {"vt": 30, "delay": 0, "maxsize": 65536}
_WHOLE_NUMBER = re.compile(r"-?[0-9]+")


def is_actionable(name: str) -> bool:
    """Whether RSMQ allows the name.

    Other programs can create queues with names that RSMQ does not allow. Such queues cannot be changed here.
    """
    try:
        rsmq_values.qname(name)
    except QueueError:
        return False
    return True


class WholeNumberField(forms.IntegerField):
    """An integer field that refuses group separators, decimals and non-ASCII digits.

    Django's own field would read ``1.000`` as 1, although it means a thousand in German. It would also accept
    ``1_000``.
    """

    def to_python(self, value: Any) -> int | None:
        text = str(value).strip() if value not in self.empty_values else ""
        if text and not _WHOLE_NUMBER.fullmatch(text):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


class AttributesForm(forms.ModelForm):
    """The fields ``vt``, ``delay`` and ``maxsize``, with RSMQ's bounds and error texts."""

    vt = WholeNumberField(
        label="vt",
        help_text=gettext_lazy(
            "Seconds a received message stays hidden from other receivers, 0 to 9999999. "
            "Workers use their setting LEASE instead."
        ),
    )
    delay = WholeNumberField(
        label="delay", help_text=gettext_lazy("Seconds before a new message can be received, 0 to 9999999.")
    )
    maxsize = WholeNumberField(
        label="maxsize",
        help_text=gettext_lazy("Longest message in UTF-16 characters, 1024 to 65536, or -1 for no limit."),
    )

    class Meta:
        model = Queue
        fields: tuple[str, ...] = ()

    def checked(self, names: set[str]) -> None:
        """Validate the attributes in ``names``. Each error is added to its field."""
        for name in names & set(EDITABLE) & set(self.cleaned_data):
            try:
                _check(name, self.cleaned_data[name])
            except InvalidValue as error:
                self.add_error(name, str(error))


class NewQueueForm(AttributesForm):
    field_order = ("name", *EDITABLE)

    name = forms.CharField(
        label=gettext_lazy("name"),
        max_length=160,
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True, "autocomplete": "off"}),
        help_text=gettext_lazy("1 to 160 letters, digits, - and _. It cannot be changed later."),
    )

    class Meta(AttributesForm.Meta):
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in DEFAULTS.items():
            self.initial.setdefault(name, value)

    def clean_name(self) -> str:
        try:
            return rsmq_values.qname(self.cleaned_data["name"])
        except QueueError:
            sentence = _("The name of a queue has 1 to 160 letters, digits, - and _, and is not QUEUES.")
            raise forms.ValidationError(sentence) from None

    def clean(self) -> dict[str, Any]:
        self.checked(set(EDITABLE))
        return self.cleaned_data

    def _post_clean(self) -> None:
        """Set the name without Django's check that it is unique.

        The check needs a table, which the model does not have. Redis refuses to create a queue that exists.
        """
        if "name" in self.cleaned_data:
            self.instance.name = self.cleaned_data["name"]

    def save_to(self, client: QueueClient) -> None:
        values = self.cleaned_data
        try:
            client.create_queue(values["name"], **{name: values[name] for name in EDITABLE})
        except QueueExists:
            raise QueueExists(_("A queue with this name exists")) from None


class QueueForm(AttributesForm):
    """The attributes and policies of an existing queue.

    Only values that the user has changed are validated and set. The others may be invalid, because other
    programs wrote them. To detect changes, hidden fields contain the values that the page was loaded with. So
    saving the form does not undo a change that was made elsewhere in the meantime.
    """

    max_receive_count = WholeNumberField(
        label=gettext_lazy("Maximum receives"),
        required=False,
        min_value=1,
        max_value=MAX_RECEIVE_COUNT,
        help_text=gettext_lazy(
            "A message that is due again after this number of receives, by any program, becomes a dead "
            "letter. 1 to 1000. Empty: only workers make dead letters."
        ),
    )
    dead_letter_queue = forms.CharField(
        label=gettext_lazy("Dead-letter queue"),
        required=False,
        max_length=160,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("The queue for its dead letters. Empty: the name of this queue and -dead."),
    )
    retention_seconds = WholeNumberField(
        label=gettext_lazy("Retention"),
        required=False,
        min_value=1,
        max_value=MAX_RETENTION_SECONDS,
        help_text=gettext_lazy(
            "Seconds after which a ready message that nobody receives is deleted, 1 to 9999999. Empty: never."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        figures: QueueFigures = self.instance.figures
        policy: QueuePolicy = self.instance.policy
        if is_dead_letter_queue(self.instance.name):
            for name in REDRIVE:
                del self.fields[name]
        for name, field in self.fields.items():
            field.show_hidden_initial = True
            value = getattr(figures.attributes, name) if name in EDITABLE else getattr(policy, name) or None
            # The name of a dead-letter queue may be bytes that no page can hold.
            self.initial.setdefault(name, visible(value) if isinstance(value, str) else value)

    def clean(self) -> dict[str, Any]:
        self.checked(set(self.changed_data))
        if set(REDRIVE) & set(self.changed_data):
            self._check_redrive()
        return self.cleaned_data

    def _check_redrive(self) -> None:
        dead = self.cleaned_data.get("dead_letter_queue")
        if dead and not self.cleaned_data.get("max_receive_count", True):
            self.add_error("max_receive_count", _("A dead-letter queue needs a maximum of receives."))
        try:
            name = rsmq_values.qname(dead or dead_letter_queue(self.instance.name))
        except QueueError:
            sentence = _("The name of a queue has 1 to 160 letters, digits, - and _.")
            self.add_error("dead_letter_queue", sentence)
        else:
            if name == self.instance.name:
                self.add_error("dead_letter_queue", _("A queue cannot be its own dead-letter queue."))

    def _post_clean(self) -> None:
        """Skip the validation of the model, which has no table."""

    def save_to(self, client: QueueClient) -> None:
        """Set the changed values.

        The values that Redis can refuse are set first, so that nothing is changed if Redis refuses them.
        """
        name, values, changed = self.instance.name, self.cleaned_data, set(self.changed_data)
        if changed & set(REDRIVE):
            if values["max_receive_count"]:
                dead = values["dead_letter_queue"] or None
                client.set_redrive_policy(name, values["max_receive_count"], dead)
            else:
                client.delete_redrive_policy(name)
        if "retention_seconds" in changed:
            client.set_retention(name, values["retention_seconds"])
        if attributes := {one: values[one] for one in EDITABLE if one in changed}:
            client.set_queue_attributes(name, **attributes)


def _check(name: str, value: int) -> None:
    if name == "maxsize":
        rsmq_values.maxsize(value)
    else:
        rsmq_values.seconds(value, name)
