"""What every action on a queue is: a resource of its own, with its permission, its question and its entry
in the admin's log."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import django.contrib.admin.utils as admin_utils
from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views import View

from queueing.admin.links import address
from queueing.broker import rsmq_values
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.messages import QueueFigures
from queueing.models import Queue

if TYPE_CHECKING:
    from .admin import QueueAdmin


def is_actionable(name: str) -> bool:
    """Whether RSMQ allows the name: with another one, of a foreign program, nothing can be done."""
    try:
        rsmq_values.qname(name)
    except QueueError:
        return False
    return True


class QueueAction(View):
    """One action. GET explains and asks, POST does it, and says what it did on the queue's page.

    A POST without ``confirmed`` brings along what was chosen elsewhere, and asks like GET.
    """

    #: The last part of its address, and of the name of that.
    name: ClassVar[str]
    #: The codename of its permission; ``view_queue`` is needed besides.
    permission: ClassVar[str]
    #: What it is called where it is offered, and on its button.
    label: ClassVar[Any]
    form_class: ClassVar[type[forms.Form]] = forms.Form
    template_name: ClassVar[str] = "admin/queueing/queue/action.html"
    #: Whether its button is one of those that destroy.
    destroys: ClassVar[bool] = False
    http_method_names = ("get", "head", "post", "options")

    model_admin: "QueueAdmin | None" = None
    queue: Queue

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Whether there is something to do for it on a queue with these figures."""
        return True

    # --- what an action fills in ----------------------------------------------------------------

    def question(self) -> str:
        """What it will do, with how many."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """What else one should know before."""
        return []

    def nothing(self) -> str:
        """Why there is nothing to ask, where it is not offered; empty: it can be asked all the same."""
        return ""

    def act(self, form: forms.Form) -> HttpResponse:
        """Do it, and answer with ``self.done``."""
        raise NotImplementedError

    # --- the way of every request ---------------------------------------------------------------

    def dispatch(self, request: HttpRequest, object_id: str, **kwargs: Any) -> HttpResponse:
        """Check rights, find the queue, and turn errors of the queue into what a person can read."""
        if not self.model_admin.may(request, self.permission):
            raise PermissionDenied
        self.name_of_queue = admin_utils.unquote(object_id)
        try:
            queue = self.model_admin.get_object(request, self.name_of_queue)
            if queue is None:
                return self.model_admin._get_obj_does_not_exist_redirect(
                    request, self.model_admin.opts, object_id
                )
            self.queue = queue
            if not is_actionable(queue.name):
                return self.refused(_("RSMQ allows no such name, so nothing can be done to this queue here."))
            return super().dispatch(request, **kwargs)
        except QueueUnavailable as error:
            return self.model_admin.away(request, object_id, error, is_allowed=True)
        except QueueError as error:
            return self.refused(_("Nothing was changed: %s.") % str(error).removesuffix("."))

    def get(self, request: HttpRequest) -> HttpResponse:
        """Explain and ask."""
        return self.page(self.form_class(**self.form_options()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Do it where the form is right and was confirmed."""
        if "confirmed" not in request.POST:
            return self.page(self.form_class(**self.form_options(), initial=self.chosen()))
        form = self.form_class(request.POST, **self.form_options())
        if not form.is_valid():
            return self.page(form)
        if nothing := self.nothing_to_do:
            return self.refused(nothing)
        return self.act(form)

    # --- what the parts are made of -------------------------------------------------------------

    @property
    def figures(self) -> QueueFigures:
        return self.queue.figures

    @property
    def nothing_to_do(self) -> str:
        """``nothing``, where that is so."""
        return "" if self.is_offered(self.figures) else self.nothing()

    def form_options(self) -> dict[str, Any]:
        """More arguments of the form."""
        return {}

    def chosen(self) -> Mapping[str, Any]:
        """What an unconfirmed POST has chosen, as initial values of the form."""
        return {}

    def page(self, form: forms.Form, **more: Any) -> HttpResponse:
        """The question with its form, or why there is none."""
        if nothing := self.nothing_to_do:
            return self.render(self.template_name, {"nothing": nothing})
        names = [name for name, field in form.fields.items() if not field.widget.is_hidden]
        fieldsets = [(None, {"fields": names})] if names else []
        context = {
            "question": self.question(),
            "notes": self.notes(),
            "label": self.label,
            "action_url": self.request.path,
            "destroys": self.destroys,
            "form": form,
            "adminform": AdminForm(form, fieldsets, {}, model_admin=self.model_admin),
            "errors": form.errors,
            **more,
        }
        return self.render(self.template_name, context)

    def render(self, template: str, context: dict[str, Any]) -> HttpResponse:
        """A page of the admin about the queue."""
        admin = self.model_admin
        common = {
            **admin.admin_site.each_context(self.request),
            "title": capfirst(self.label),
            "subtitle": str(self.queue),
            "opts": admin.opts,
            "original": self.queue,
            "media": admin.media,
            "queue_url": self.queue_url,
        }
        return TemplateResponse(self.request, template, common | context)

    @property
    def queue_url(self) -> str:
        return address(self.model_admin.admin_site, "queue_change", self.name_of_queue)

    def done(self, said: str) -> HttpResponse:
        """Log it, and go to the queue's page, where it is said."""
        self.model_admin.log_change(self.request, self.queue, said)
        self.model_admin.message_user(self.request, said, messages.SUCCESS)
        return HttpResponseRedirect(self.queue_url)

    def refused(self, why: str) -> HttpResponse:
        """Go to the queue's page, where it is said why nothing was done."""
        self.model_admin.message_user(self.request, why, messages.ERROR)
        return HttpResponseRedirect(self.queue_url)
