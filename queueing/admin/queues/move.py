"""Moving messages to another queue."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.admin.long_actions import Work
from queueing.client import QueueClient
from queueing.exceptions import QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import QueueFigures

from .actions import is_actionable
from .selection import SelectionAction, SelectionForm

#: Names that are suggested; any other can be typed.
SUGGESTED_MAX = 500


class MoveForm(SelectionForm):
    """Where to, and which."""

    field_order = ("target", "count")

    target = forms.CharField(
        label=gettext_lazy("To"),
        max_length=160,
        widget=forms.TextInput(
            attrs={"class": "vTextField", "list": "queueing-queues", "autocomplete": "off"}
        ),
        help_text=gettext_lazy("The name of a queue that is there."),
    )

    def clean_target(self) -> str:
        """A name that a queue can have."""
        if not is_actionable(self.cleaned_data["target"]):
            raise forms.ValidationError(_("A queue has a name of 1 to 160 letters, digits, - and _."))
        return self.cleaned_data["target"]


class Move(SelectionAction):
    """Move ready messages elsewhere."""

    name = "move"
    permission = "move_messages"
    label = gettext_lazy("move")
    form_class = MoveForm

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Only where a message is ready."""
        return figures.ready > 0

    @property
    def available(self) -> int:
        return self.figures.ready

    def nothing(self) -> str:
        return _("No message of %s is ready to be moved.") % self.queue.name

    def question(self) -> str:
        words = {"messages": self.how_many(), "queue": self.queue.name}
        return _("Move %(messages)s of %(queue)s to another queue?") % words

    def notes(self) -> list[str]:
        return [
            _("Ids, bodies, headers and receive counts stay."),
            _("What is delayed, hidden or running stays where it is."),
        ]

    def page(self, form: forms.Form, **more: Any) -> HttpResponse:
        """With the names of the other queues to choose from."""
        names = sorted(filter(is_actionable, queueing.get_client().list_queues()))
        others = [name for name in names if name != self.queue.name]
        return super().page(form, suggested=others[:SUGGESTED_MAX], **more)

    def act(self, form: forms.Form) -> HttpResponse:
        """What is wrong with the target is told beside it."""
        try:
            return super().act(form)
        except QueueUnavailable:
            raise
        except QueueNotFound:
            form.add_error("target", _("There is no queue of that name."))
        except QueueError as error:
            form.add_error("target", str(error))
        return self.page(form)

    def move(self, client: QueueClient, work: Work, which: dict[str, Any]) -> int:
        return client.move_messages(self.queue.name, work.choice["target"], **which)

    def said(self, work: Work) -> str:
        return self.moved(work, self.queue.name, work.choice["target"])
