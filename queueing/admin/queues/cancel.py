"""Cancelling messages that were ticked, or one from its page: a job is there only for what has run."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import queueing
from queueing.admin.jobs.actions import REFUSALS
from queueing.broker.outcomes import State

from .actions import QueueAction
from .selection import IdsField


class CancelForm(forms.Form):
    """Which messages."""

    ids = IdsField()

    def clean(self) -> dict[str, Any]:
        """What is wrong with a hidden field has no place of its own to be told."""
        for error in self.errors.pop("ids", []):
            self.add_error(None, error)
        return self.cleaned_data


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

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask about what the link names."""
        return self.page(self.form_class(initial=self.chosen()))

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
