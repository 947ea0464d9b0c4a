"""The actions on some messages of a queue: move, redrive, cancel, stop."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

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

from .action_forms import IdsForm, MoveForm, SelectionForm, StopForm
from .actions import QueueAction
from .forms import is_actionable

#: The maximum number of queue names that are suggested. Any other name can be typed.
SUGGESTED_MAX = 500


def total(choice: Mapping[str, Any], available: int) -> int:
    """The number of messages that the action will change.

    It is the number of selected messages. Without a selection, it is the number that the user entered, at
    most ``available``. If the user entered none, it is ``available``.
    """
    if choice.get("ids"):
        return len(choice["ids"])
    return min(available, choice.get("count") or available)


def which(work: Work, progress: Slice) -> dict[str, Any]:
    """The keyword arguments that restrict a method of the client to the messages that are left to change.

    If the user has selected messages, the argument is ``ids``. Otherwise, the arguments are ``count``
    (``None`` for all messages) and the callback ``progress``.
    """
    if ids := work.choice.get("ids"):  # few enough to be done in one slice
        return {"ids": ids}
    count = work.choice.get("count")
    return {"count": None if count is None else count - work.done, "progress": progress}


def how_many(request: HttpRequest, available: int) -> str:
    """A text such as "3 selected messages", for the confirmation page."""
    ids = request.POST.getlist("ids") if request.method == "POST" else []
    if ids:
        return ngettext("%d selected message", "%d selected messages", len(ids)) % len(ids)
    return ngettext("%d message", "%d messages", available) % available


def moved(work: Work, source: str, target: str) -> str:
    text = ngettext(
        "Moved %(count)d message from %(source)s to %(target)s.",
        "Moved %(count)d messages from %(source)s to %(target)s.",
        work.done,
    ) % {"count": work.done, "source": source, "target": target}
    missing = len(work.choice.get("ids") or ()) - work.done
    if missing <= 0:
        return text
    rest = ngettext(
        "%d selected message is not ready there.", "%d selected messages are not ready there.", missing
    )
    return f"{text} {rest % missing}"


class Move(QueueAction):
    name = "move"
    permission = "move_messages"
    label = gettext_lazy("move")
    form_class = MoveForm

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        return figures.ready > 0

    @property
    def available(self) -> int:
        return self.figures.ready

    def nothing(self) -> str:
        return _("The queue %s has no ready message to move.") % self.queue.name

    def question(self) -> str:
        words = {"messages": how_many(self.request, self.available), "queue": self.queue.name}
        return _("Move %(messages)s from %(queue)s to another queue?") % words

    def notes(self) -> list[str]:
        return [
            _("Ids, bodies, headers and receive counts are kept."),
            _("Delayed, hidden and running messages are not moved."),
        ]

    def page(self, form: forms.Form, **more: Any) -> HttpResponse:
        """Render the confirmation page. It suggests the names of other queues as targets."""
        names = sorted(filter(is_actionable, queueing.get_client().at([self.queue.name]).list_queues()))
        others = [name for name in names if name != self.queue.name]
        return super().page(form, suggested=others[:SUGGESTED_MAX], **more)

    def act(self, form: forms.Form) -> HttpResponse:
        """Start the move. An error about the target queue is shown at the field of the target."""
        try:
            return self.start(total(form.cleaned_data, self.available), form.cleaned_data)
        except QueueUnavailable:
            raise
        except QueueNotFound:
            form.add_error("target", _("There is no queue with this name."))
        except QueueError as error:
            form.add_error("target", str(error))
        return self.page(form)

    def do(self, work: Work, progress: Slice) -> int:
        target = work.choice["target"]
        return queueing.get_client().move_messages(self.queue.name, target, **which(work, progress))

    def said(self, work: Work) -> str:
        return moved(work, self.queue.name, work.choice["target"])


class Redrive(QueueAction):
    """Move dead letters back to their queue. The attempts of each message are counted from zero again."""

    name = "redrive"
    permission = "redrive_queue"
    label = gettext_lazy("redrive")
    form_class = SelectionForm

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        return figures.dead > 0

    @property
    def available(self) -> int:
        return self.figures.dead

    @cached_property
    def source(self) -> str:
        """The name of the dead-letter queue from which messages are moved."""
        return queueing.get_client().dead_letter_queue(self.queue.name)

    def nothing(self) -> str:
        return _("The queue %s has no dead letters to move back.") % self.queue.name

    def question(self) -> str:
        words = {
            "messages": how_many(self.request, self.available),
            "source": self.source,
            "queue": self.queue.name,
        }
        return _("Move %(messages)s from %(source)s back to %(queue)s?") % words

    def notes(self) -> list[str]:
        return [_("They get all their attempts again. Ids, bodies, headers and receive counts are kept.")]

    def act(self, form: forms.Form) -> HttpResponse:
        return self.start(total(form.cleaned_data, self.available), form.cleaned_data)

    def do(self, work: Work, progress: Slice) -> int:
        return queueing.get_client().redrive(self.queue.name, **which(work, progress))

    def said(self, work: Work) -> str:
        return moved(work, self.source, self.queue.name)


class _Ending(QueueAction):
    """The base class of the actions that cancel or stop messages.

    The ids of the messages come from the selection of the user, or from the query string of a link.
    """

    destroys = True
    none_ticked: ClassVar[Any]

    @property
    def ids(self) -> list[str]:
        given = self.request.POST if self.request.method == "POST" else self.request.GET
        return list(dict.fromkeys(given.getlist("ids")))

    def chosen(self) -> Mapping[str, Any]:
        return {"ids": self.ids}

    def page(self, form: forms.Form, **more: Any) -> HttpResponse:
        """Render the confirmation page. If no message is selected, redirect to the page of messages."""
        if self.ids:
            return super().page(form, **more)
        self.model_admin.message_user(self.request, self.none_ticked, messages.ERROR)
        return HttpResponseRedirect(self.model_admin.action_url("messages", self.queue.name))

    def end(self, words: Sequence[str], done: Collection[str], text: str, nothing: str) -> HttpResponse:
        """Report how many messages the action changed, and why it skipped the others.

        ``words`` has one word per message, the result for this message. If the word is in ``done``, the
        message was changed. The report begins with the sentence ``text`` or, if no message was changed, with
        the sentence ``nothing``.
        """
        count = Counter(words)
        number = sum(count.pop(word, 0) for word in done)
        rest = [
            _("%(count)d skipped: %(reason)s.") % {"count": number, "reason": REFUSALS[word]}
            for word, number in count.items()
        ]
        if not number:
            return self.refused(" ".join([nothing, *rest]))
        return self.done(" ".join([text % {"count": number, "queue": self.queue.name}, *rest]))


class Cancel(_Ending):
    """Delete the messages that no receiver holds, and record them as cancelled."""

    name = "cancel"
    permission = "cancel_job"
    label = gettext_lazy("cancel messages")
    form_class = IdsForm
    none_ticked = gettext_lazy("Select the messages to cancel first.")

    def question(self) -> str:
        words = {"count": len(self.ids), "queue": self.queue.name}
        text = ngettext(
            "Cancel %(count)d message of %(queue)s?", "Cancel %(count)d messages of %(queue)s?", len(self.ids)
        )
        return text % words

    def notes(self) -> list[str]:
        return [
            _("They are deleted from the queue and recorded as cancelled. This cannot be undone."),
            _("Messages that a worker or another receiver holds are skipped."),
        ]

    def act(self, form: forms.Form) -> HttpResponse:
        reason = f"cancelled by {self.request.user.get_username()}"
        words = queueing.get_client().cancel_messages(
            self.queue.name, form.cleaned_data["ids"], reason=reason
        )
        text = ngettext(
            "Cancelled %(count)d message of %(queue)s.",
            "Cancelled %(count)d messages of %(queue)s.",
            words.count(State.CANCELLED),
        )
        return self.end(words, {State.CANCELLED}, text, _("Nothing was cancelled."))


class Stop(_Ending):
    """Ask the workers to stop their runs of the messages. Messages that no receiver holds are cancelled."""

    name = "stop"
    permission = "stop_job"
    label = gettext_lazy("stop messages")
    form_class = StopForm
    none_ticked = gettext_lazy("Select the messages to stop first.")

    def question(self) -> str:
        words = {"count": len(self.ids), "queue": self.queue.name}
        text = ngettext(
            "Stop %(count)d message of %(queue)s?", "Stop %(count)d messages of %(queue)s?", len(self.ids)
        )
        return text % words

    def notes(self) -> list[str]:
        return [
            _("An async function is cancelled. Any other function has to notice the request."),
            _("It is recorded as cancelled when its run has ended, and does not run again."),
            _("A waiting message is cancelled. A message of another receiver stays."),
        ]

    def act(self, form: forms.Form) -> HttpResponse:
        words = queueing.get_client().stop_messages(
            self.queue.name,
            form.cleaned_data["ids"],
            reason=f"stopped by {self.request.user.get_username()}",
            force=form.cleaned_data["force"],
        )
        asked = {State.RUNNING, State.CANCELLED}
        text = ngettext(
            "Asked to stop %(count)d message of %(queue)s.",
            "Asked to stop %(count)d messages of %(queue)s.",
            sum(map(words.count, asked)),
        )
        return self.end(words, asked, text, _("Nothing was stopped."))
