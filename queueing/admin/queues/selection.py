"""Which messages an action is for: all, the first so many, or those that were ticked."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from queueing.admin.long_actions import LongAction, Slice, Work
from queueing.admin.whole_number import WholeNumberField
from queueing.broker import rsmq_values
from queueing.client import QueueClient
from queueing.exceptions import QueueError

#: Messages that can be ticked at once.
SELECTED_MAX = 1000
COUNT_MAX = 1_000_000_000


class IdsField(forms.Field):
    """Message ids, each once."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[str]:
        """The ids, or an error where one is none."""
        ids = list(dict.fromkeys(value or ()))
        if len(ids) > SELECTED_MAX:
            raise forms.ValidationError(_("At most %d messages can be selected.") % SELECTED_MAX)
        try:
            return [rsmq_values.message_id(id) for id in ids]
        except QueueError:
            raise forms.ValidationError(_("One of the selected messages has no id of RSMQ's form.")) from None


class SelectionForm(forms.Form):
    """A number, unless messages were ticked."""

    count = WholeNumberField(
        label=gettext_lazy("How many"),
        required=False,
        min_value=1,
        max_value=COUNT_MAX,
        help_text=gettext_lazy("Only the first so many. Empty: all."),
    )
    ids = IdsField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.selected:
            del self.fields["count"]

    @property
    def selected(self) -> list[str]:
        """What was ticked, as it came."""
        return self.data.getlist("ids") if self.is_bound else list(self.initial.get("ids", ()))

    def clean(self) -> dict[str, Any]:
        """What is wrong with a hidden field has no place of its own to be told."""
        for error in self.errors.pop("ids", []):
            self.add_error(None, error)
        return self.cleaned_data


class SelectionAction(LongAction):
    """An action on ready messages that leave a queue."""

    form_class = SelectionForm

    #: How many are there to leave.
    available: int

    def chosen(self) -> Mapping[str, Any]:
        """What was ticked on the page of messages."""
        return {"ids": self.request.POST.getlist("ids")[: SELECTED_MAX + 1]}

    def total(self, choice: Mapping[str, Any]) -> int:
        if choice.get("ids"):
            return len(choice["ids"])
        return min(self.available, choice.get("count") or self.available)

    def run(self, client: QueueClient, work: Work, progress: Slice) -> int:
        ids, count = work.choice.get("ids") or None, work.choice.get("count")
        if ids:  # so few that no time has to be kept
            return self.move(client, work, {"ids": ids})
        left = None if count is None else count - work.done
        return self.move(client, work, {"count": left, "progress": progress})

    def move(self, client: QueueClient, work: Work, which: dict[str, Any]) -> int:
        """Move ``which``; how many were."""
        raise NotImplementedError

    def how_many(self) -> str:
        """The messages that are asked about, in words."""
        ids = self.request.POST.getlist("ids") if self.request.method == "POST" else []
        if ids:
            return ngettext("%d selected message", "%d selected messages", len(ids)) % len(ids)
        return ngettext("%d message", "%d messages", self.available) % self.available

    def moved(self, work: Work, source: str, target: str) -> str:
        """What was done, as a sentence."""
        text = ngettext(
            "Moved %(count)d message from %(source)s to %(target)s.",
            "Moved %(count)d messages from %(source)s to %(target)s.",
            work.done,
        ) % {"count": work.done, "source": source, "target": target}
        missing = len(work.choice.get("ids") or ()) - work.done
        if missing <= 0:
            return text
        rest = ngettext(
            "%d of those selected is not ready there.", "%d of those selected are not ready there.", missing
        )
        return f"{text} {rest % missing}"
