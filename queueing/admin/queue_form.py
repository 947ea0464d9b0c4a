"""The form of a queue: three whole numbers, checked by the rules that RSMQ has for them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .. import validation
from ..exceptions import InvalidValue
from ..models import Queue


class QueueForm(forms.ModelForm):
    """``vt``, ``delay`` and ``maxsize`` of one queue.

    Only what was changed is checked and set: other programs write values that RSMQ would refuse,
    and those stay as they are until someone edits them. The values the page was loaded with come
    along hidden, so that a change made elsewhere in between is not undone.
    """

    vt = forms.IntegerField(
        label="vt",
        show_hidden_initial=True,
        help_text=_(
            "Seconds a received message stays hidden from other receivers, 0 to 9999999. "
            "A runworker holds its messages by its own LEASE instead."
        ),
    )
    delay = forms.IntegerField(
        label="delay",
        show_hidden_initial=True,
        help_text=_("Seconds before a new message can be received, 0 to 9999999."),
    )
    maxsize = forms.IntegerField(
        label="maxsize",
        show_hidden_initial=True,
        help_text=_("Longest message in UTF-16 characters, 1024 to 65536, or -1 for no limit."),
    )

    class Meta:
        model = Queue
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields:
            self.initial.setdefault(name, getattr(self.instance.figures.attributes, name))

    def clean(self) -> dict[str, Any]:
        """Refuse a changed value outside RSMQ's bounds, in RSMQ's words."""
        for name in set(self.changed_data) & set(self.cleaned_data):
            try:
                _check(name, self.cleaned_data[name])
            except InvalidValue as error:
                self.add_error(name, str(error))
        return self.cleaned_data


def _check(name: str, value: int) -> None:
    if name == "maxsize":
        validation.maxsize(value)
    else:
        validation.seconds(value, name)
