"""The actions on one queue: pause, resume, send, purge, and their base class."""

from collections.abc import Mapping
from typing import Any, ClassVar

import django.contrib.admin.utils as admin_utils
from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import queueing
from queueing.admin.long_actions import LongAction, Slice, Work
from queueing.exceptions import MessageTooLong, QueueError, QueueFull
from queueing.messages import QueueFigures
from queueing.models import Queue
from queueing.text.errors import sentence

from .action_forms import SELECTED_MAX, SendForm
from .forms import is_actionable


class QueueAction(LongAction):
    """An action on a queue. GET shows the confirmation page, and POST runs the action.

    A POST without the field ``confirmed`` only shows the confirmation page. The list of messages sends such a
    POST with the selected ids. An action on many messages calls ``start``, which divides the work into
    slices, one per request.
    """

    form_class: ClassVar[type[forms.Form]] = forms.Form
    queue: Queue

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Whether the action can change anything in a queue with these figures."""
        return True

    # --- what an action fills in ----------------------------------------------------------------

    def question(self) -> str:
        """The question on the confirmation page: what the action does, and to how many messages."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Further sentences for the confirmation page."""
        return []

    def nothing(self) -> str:
        """The reason why the action has nothing to do. It is used only if ``is_offered`` returns ``False``.

        The page shows the reason instead of the question, and a confirmed POST is refused with it. If the
        reason is ``""``, the action runs nevertheless.
        """
        return ""

    def act(self, form: forms.Form) -> HttpResponse:
        """Run the confirmed action. Returns a response, usually that of ``done`` or ``start``."""
        raise NotImplementedError

    def do(self, work: Work, progress: Slice) -> int:
        """Do the remaining part of ``work``, and return the number of messages that this call has changed.

        ``progress`` is the callback for a method of the client. It raises ``SliceOver`` when the time of this
        request is used up.
        """
        raise NotImplementedError

    def said(self, work: Work) -> str:
        """The sentence that reports the work done so far to the user and in the admin's log."""
        raise NotImplementedError

    def chosen(self) -> Mapping[str, Any]:
        """The initial values of the form: the ids that were selected on the page of messages."""
        return {"ids": self.request.POST.getlist("ids")[: SELECTED_MAX + 1]}

    # --- the way of every request ---------------------------------------------------------------

    def dispatch(self, request: HttpRequest, object_id: str, **kwargs: Any) -> HttpResponse:
        """Read the queue into ``self.queue``, then handle the request.

        Redirects if the queue does not exist, or if RSMQ does not allow its name.
        """
        queue = self.model_admin.get_object(request, admin_utils.unquote(object_id))
        if queue is None:
            return self.model_admin._get_obj_does_not_exist_redirect(
                request, self.model_admin.opts, object_id
            )
        self.queue = queue
        if not is_actionable(queue.name):
            return self.refused(_("RSMQ does not allow this name, so this queue cannot be changed here."))
        return super().dispatch(request, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(self.form_class(initial=self.chosen()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Run the action if the form is confirmed and valid, else show the confirmation page.

        If the request contains ``work``, do the next slice of that work instead.
        """
        if "work" in request.POST:
            work = Work.read(request.POST["work"], self.salt)
            if work is None:
                return self.refused(_("This page was too old to continue. Begin again."))
            return self.go_on(work)
        if "confirmed" not in request.POST:
            return self.page(self.form_class(initial=self.chosen()))
        form = self.form_class(request.POST)
        if not form.is_valid():
            return self.page(form)
        if nothing := self.nothing_to_do:
            return self.refused(nothing)
        return self.act(form)

    @property
    def subject(self) -> Queue:
        return self.queue

    @property
    def back_url(self) -> str:
        return self.model_admin.url_of(self.queue.name)

    @property
    def figures(self) -> QueueFigures:
        return self.queue.figures

    @property
    def nothing_to_do(self) -> str:
        """The reason why there is nothing to do now, ``""`` if the action can be run."""
        return "" if self.is_offered(self.figures) else self.nothing()

    def page(self, form: forms.Form, **more: Any) -> HttpResponse:
        """Render the confirmation page with ``form``, or the reason why there is nothing to do now."""
        if nothing := self.nothing_to_do:
            return self.render("admin/queueing/queue/action.html", {"nothing": nothing})
        names = [name for name, field in form.fields.items() if not field.widget.is_hidden]
        fieldsets = [(None, {"fields": names})] if names else []
        context = {
            "question": self.question(),
            "notes": self.notes(),
            "action_url": self.request.path,
            "form": form,
            "adminform": AdminForm(form, fieldsets, {}, model_admin=self.model_admin),
            "errors": form.errors,
            **more,
        }
        return self.render("admin/queueing/queue/action.html", context)

    def render(self, template: str, context: dict[str, Any], **options: Any) -> HttpResponse:
        about = {"subtitle": str(self.queue), "original": self.queue, "queue_url": self.back_url}
        return super().render(template, about | context, **options)

    # --- work in slices, with one entry of the log ------------------------------------------------

    def start(self, total: int, choice: dict[str, Any]) -> HttpResponse:
        """Begin work on ``total`` messages, and do the first slice.

        ``choice`` is the validated input. It is kept for the later slices.
        """
        return self.go_on(Work(total, choice))

    def run(self, work: Work, this: Slice) -> None:
        before = work.done
        work.done = before + self.do(work, this)

    def paused(self, work: Work) -> HttpResponse:
        work.total = max(work.total, work.done)  # messages that are sent meanwhile may be done, too
        self._note(work, _("%s So far.") % self.said(work))
        context = {
            "base_template": "admin/queueing/queue/base.html",
            "signed": work.sign(self.salt),
            "told": _("%(done)s of %(total)s done.")
            % {"done": localize(work.done), "total": localize(work.total)},
            "value": work.done,
            "max": work.total,
            "lines": [self.said(work), _("Finished work is kept. Continue with the rest, or stop here.")],
        }
        return self.render("admin/queueing/live/progress.html", context)

    def broken_off(self, work: Work, error: QueueError) -> HttpResponse:
        if not work.done:
            raise error
        words = {"said": self.said(work), "error": str(error).removesuffix(".")}
        said = _("%(said)s Then an error stopped it: %(error)s.") % words
        self._note(work, said)
        return self.leave(said, messages.WARNING)

    def finished(self, work: Work) -> HttpResponse:
        self._note(work, self.said(work))
        return self.leave(self.said(work), messages.SUCCESS)

    def _note(self, work: Work, said: str) -> None:
        work.notes["entry"] = self.log(said, work.notes.get("entry"))

    @property
    def salt(self) -> str:
        return f"{super().salt}.{self.queue.name}"


class Pause(QueueAction):
    """Pause a queue: workers claim no messages from the queue until it is resumed."""

    name = "pause"
    permission = "pause_queue"
    label = gettext_lazy("pause")

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        return not figures.paused

    def question(self) -> str:
        return _("Pause %s?") % self.queue.name

    def notes(self) -> list[str]:
        return [
            _("Workers and receivers of this package get no message of it until it is resumed."),
            _("New messages are accepted, and running jobs are finished."),
            _("Programs that use RSMQ itself ignore the pause and continue to receive."),
        ]

    def act(self, form: forms.Form) -> HttpResponse:
        queueing.get_client().pause_queue(self.queue.name)
        return self.done(_("Paused %s: it accepts messages and gives none out.") % self.queue.name)


class Resume(QueueAction):
    name = "resume"
    permission = "pause_queue"
    label = gettext_lazy("resume")

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        return figures.paused

    def question(self) -> str:
        return _("Resume %s?") % self.queue.name

    def notes(self) -> list[str]:
        return [_("Waiting workers and receivers get its messages immediately.")]

    def act(self, form: forms.Form) -> HttpResponse:
        queueing.get_client().resume_queue(self.queue.name)
        return self.done(_("Resumed %s.") % self.queue.name)


class Send(QueueAction):
    name = "send"
    permission = "send_message"
    label = gettext_lazy("send message")
    form_class = SendForm

    def question(self) -> str:
        return _("The message is sent to %s.") % self.queue.name

    def notes(self) -> list[str]:
        maxsize = self.figures.attributes.maxsize
        if maxsize < 0:
            return []
        return [_("It can have at most %d UTF-16 characters, the maxsize of the queue.") % maxsize]

    def act(self, form: forms.Form) -> HttpResponse:
        values: dict[str, Any] = form.cleaned_data
        try:
            message_id = queueing.get_client().send_message(
                self.queue.name, values["body"], delay=values["delay"], headers=values["headers"] or None
            )
        except Exception as error:
            if isinstance(error, QueueError) and not isinstance(error, MessageTooLong | QueueFull):
                raise
            # Any other error is that of the key function of the handler's policy.
            form.add_error("body", str(error) if isinstance(error, QueueError) else sentence(error))
            return self.page(form)
        return self.done(
            _("Sent the message %(id)s to %(queue)s.") % {"id": message_id, "queue": self.queue.name}
        )


class Purge(QueueAction):
    """Delete every message that no worker holds."""

    name = "purge"
    permission = "purge_queue"
    label = gettext_lazy("purge")
    destroys = True

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        return figures.attributes.msgs > figures.running

    def nothing(self) -> str:
        return _("The queue %s has no message to delete. Running messages are kept.") % self.queue.name

    def question(self) -> str:
        count = self.available
        text = ngettext(
            "Delete %(count)d message of %(queue)s?", "Delete %(count)d messages of %(queue)s?", count
        )
        return text % {"count": count, "queue": self.queue.name}

    def notes(self) -> list[str]:
        running = self.figures.running
        kept = ngettext("%d running message is kept.", "%d running messages are kept.", running) % running
        return [
            _("Delayed and hidden messages are deleted, too. The queue is kept. This cannot be undone."),
            *([kept] if running else []),
        ]

    @property
    def available(self) -> int:
        return max(0, self.figures.attributes.msgs - self.figures.running)

    def act(self, form: forms.Form) -> HttpResponse:
        return self.start(self.available, {})

    def do(self, work: Work, progress: Slice) -> int:
        return queueing.get_client().purge_queue(self.queue.name, progress=progress)

    def said(self, work: Work) -> str:
        text = ngettext(
            "Deleted %(count)d message of %(queue)s.", "Deleted %(count)d messages of %(queue)s.", work.done
        )
        return text % {"count": work.done, "queue": self.queue.name}
