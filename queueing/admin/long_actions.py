"""Actions on many messages: about a second of work for each request, and a page between that goes on.

What was done so far travels through the page, signed, so no request has to remember anything, and the one
entry in the admin's log tells at any time how far it has come.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

import queueing
from queueing.client import QueueClient
from queueing.exceptions import QueueError

from .queues.actions import QueueAction

#: How long one request works. The pages stay quick, and a proxy in front never gives up.
SLICE_SECONDS = 1.0
#: How long a page that was left open can go on with its work.
WORK_AGE_SECONDS = 86_400


@dataclass
class Work:
    """What was chosen, how many of how many are done, and the entry of the log that says so."""

    total: int
    choice: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    entry: int | None = None


class SliceOver(Exception):
    """Enough for this request."""


class Slice:
    """The client's ``progress`` of one request: counts along, and ends the work when its time is up."""

    def __init__(self, seconds: float) -> None:
        self.done = 0
        self._end = monotonic() + seconds

    def __call__(self, done: int, total: int) -> None:
        self.done = done
        if done < total and monotonic() >= self._end:
            raise SliceOver


class LongAction(QueueAction):
    """An action in slices."""

    def choice(self, form: forms.Form) -> dict[str, Any]:
        """What the form says, as JSON can hold it."""
        return dict(form.cleaned_data)

    def total(self, choice: Mapping[str, Any]) -> int:
        """How many there are to do."""
        raise NotImplementedError

    def run(self, client: QueueClient, work: Work, progress: Slice) -> int:
        """Do what is left of it; how many were done. ``progress`` may raise."""
        raise NotImplementedError

    def said(self, work: Work) -> str:
        """What was done, as a sentence."""
        raise NotImplementedError

    # --- the way through the slices -------------------------------------------------------------

    def post(self, request: HttpRequest) -> HttpResponse:
        """Begin, or go on with what a page has brought along."""
        if "work" not in request.POST:
            return super().post(request)
        try:
            work = Work(**signing.loads(request.POST["work"], salt=self._salt, max_age=WORK_AGE_SECONDS))
        except signing.BadSignature:
            return self.refused(_("This page was too old to go on with: begin again."))
        return self._go_on(work)

    def act(self, form: forms.Form) -> HttpResponse:
        """The first slice."""
        choice = self.choice(form)
        return self._go_on(Work(self.total(choice), choice))

    def _go_on(self, work: Work) -> HttpResponse:
        this = Slice(SLICE_SECONDS)
        try:
            work.done += self.run(queueing.get_client(), work, this)
        except SliceOver:
            work.done += this.done
            return self._pause(work)
        except QueueError as error:
            work.done += this.done
            if not work.done:
                raise
            return self._break_off(work, error)
        self._log(work, self.said(work))
        self.model_admin.message_user(self.request, self.said(work), messages.SUCCESS)
        return HttpResponseRedirect(self.queue_url)

    def _pause(self, work: Work) -> HttpResponse:
        work.total = max(work.total, work.done)  # what is sent meanwhile may be done, too
        self._log(work, _("%s So far.") % self.said(work))
        signed = signing.dumps(asdict(work), salt=self._salt)
        return self.render(
            "admin/queueing/queue/progress.html",
            {"work": work, "signed": signed, "said": self.said(work), "label": self.label},
        )

    def _break_off(self, work: Work, error: QueueError) -> HttpResponse:
        said = _("%(said)s Then it broke off: %(error)s.") % {
            "said": self.said(work),
            "error": str(error).removesuffix("."),
        }
        self._log(work, said)
        self.model_admin.message_user(self.request, said, messages.WARNING)
        return HttpResponseRedirect(self.queue_url)

    def _log(self, work: Work, said: str) -> None:
        if work.entry is None:
            work.entry = self.model_admin.log_change(self.request, self.queue, said).pk
        else:
            LogEntry.objects.filter(pk=work.entry).update(change_message=said)

    @property
    def _salt(self) -> str:
        return f"queueing.{self.name}.{self.queue.name}.{self.request.user.pk}"
