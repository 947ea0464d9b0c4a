"""The actions on some messages of a queue: move, redrive, cancel."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import queueing
from queueing.admin.jobs.job_action import REFUSALS
from queueing.admin.long_actions import Slice, Work
from queueing.broker.outcomes import State
from queueing.exceptions import QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import QueueFigures

from .action_forms import SELECTED_MAX, CancelForm, MoveForm, SelectionForm
from .actions import QueueAction
from .forms import is_actionable

#: Names that are suggested; any other can be typed.
SUGGESTED_MAX = 500


def ticked(request: HttpRequest) -> dict[str, list[str]]:
    """The messages that were ticked on the page of messages."""
    return {"ids": request.POST.getlist("ids")[: SELECTED_MAX + 1]}


def total(choice: Mapping[str, Any], available: int) -> int:
    """The number of messages that a choice is about."""
    if choice.get("ids"):
        return len(choice["ids"])
    return min(available, choice.get("count") or available)


def which(work: Work, progress: Slice) -> dict[str, Any]:
    """The arguments of the client's method that say which messages are left to do."""
    if ids := work.choice.get("ids"):  # few enough to be done in one slice
        return {"ids": ids}
    count = work.choice.get("count")
    return {"count": None if count is None else count - work.done, "progress": progress}


def how_many(request: HttpRequest, available: int) -> str:
    """The messages that are asked about, in words."""
    ids = request.POST.getlist("ids") if request.method == "POST" else []
    if ids:
        return ngettext("%d selected message", "%d selected messages", len(ids)) % len(ids)
    return ngettext("%d message", "%d messages", available) % available


def moved(work: Work, source: str, target: str) -> str:
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


class Move(QueueAction):
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
        words = {"messages": how_many(self.request, self.available), "queue": self.queue.name}
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
        """An error of the target is shown beside it."""
        try:
            return self.start(total(form.cleaned_data, self.available), form.cleaned_data)
        except QueueUnavailable:
            raise
        except QueueNotFound:
            form.add_error("target", _("There is no queue of that name."))
        except QueueError as error:
            form.add_error("target", str(error))
        return self.page(form)

    def chosen(self) -> Mapping[str, Any]:
        return ticked(self.request)

    def do(self, work: Work, progress: Slice) -> int:
        target = work.choice["target"]
        return queueing.get_client().move_messages(self.queue.name, target, **which(work, progress))

    def said(self, work: Work) -> str:
        return moved(work, self.queue.name, work.choice["target"])


class Redrive(QueueAction):
    """Give dead letters all their attempts again."""

    name = "redrive"
    permission = "redrive_queue"
    label = gettext_lazy("redrive")
    form_class = SelectionForm

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Only where there are dead letters."""
        return figures.dead > 0

    @property
    def available(self) -> int:
        return self.figures.dead

    @cached_property
    def source(self) -> str:
        """Where the dead letters are; the figures have just said so."""
        return queueing.get_client().dead_letter_queue(self.queue.name)

    def nothing(self) -> str:
        return _("There is no dead letter of %s to move back.") % self.queue.name

    def question(self) -> str:
        words = {
            "messages": how_many(self.request, self.available),
            "source": self.source,
            "queue": self.queue.name,
        }
        return _("Move %(messages)s of %(source)s back to %(queue)s?") % words

    def notes(self) -> list[str]:
        return [_("They have all their attempts again. Ids, bodies, headers and receive counts stay.")]

    def chosen(self) -> Mapping[str, Any]:
        return ticked(self.request)

    def act(self, form: forms.Form) -> HttpResponse:
        return self.start(total(form.cleaned_data, self.available), form.cleaned_data)

    def do(self, work: Work, progress: Slice) -> int:
        return queueing.get_client().redrive(self.queue.name, **which(work, progress))

    def said(self, work: Work) -> str:
        return moved(work, self.source, self.queue.name)


class Cancel(QueueAction):
    """Delete messages that nobody has, and record each as cancelled."""

    name = "cancel"
    permission = "cancel_job"
    label = gettext_lazy("cancel")
    form_class = CancelForm
    destroys = True

    @property
    def ids(self) -> list[str]:
        """What was ticked, or named in a link."""
        given = self.request.POST if self.request.method == "POST" else self.request.GET
        return list(dict.fromkeys(given.getlist("ids")))

    def chosen(self) -> Mapping[str, Any]:
        return {"ids": self.ids}

    def page(self, form: forms.Form, **more: Any) -> HttpResponse:
        """There is nothing to ask where nothing was ticked."""
        if self.ids:
            return super().page(form, **more)
        self.model_admin.message_user(self.request, _("Select the messages to cancel first."), messages.ERROR)
        return HttpResponseRedirect(self.model_admin.action_url("messages", self.queue.name))

    def question(self) -> str:
        words = {"count": len(self.ids), "queue": self.queue.name}
        text = ngettext(
            "Cancel %(count)d message of %(queue)s?", "Cancel %(count)d messages of %(queue)s?", len(self.ids)
        )
        return text % words

    def notes(self) -> list[str]:
        return [
            _("It is deleted from its queue and recorded as cancelled. This cannot be undone."),
            _("What a worker or another receiver has is left alone."),
        ]

    def act(self, form: forms.Form) -> HttpResponse:
        reason = f"cancelled by {self.request.user.get_username()}"
        words = queueing.get_client().cancel_messages(
            self.queue.name, form.cleaned_data["ids"], reason=reason
        )
        count = Counter(words)
        done = count.pop(State.CANCELLED, 0)
        rest = [
            _("%(count)d left alone: %(reason)s.") % {"count": number, "reason": REFUSALS[word]}
            for word, number in count.items()
        ]
        if not done:
            return self.refused(" ".join([_("Nothing was cancelled."), *rest]))
        text = ngettext(
            "Cancelled %(count)d message of %(queue)s.", "Cancelled %(count)d messages of %(queue)s.", done
        )
        return self.done(" ".join([text % {"count": done, "queue": self.queue.name}, *rest]))
