"""A page of the admin whose rows are in Redis: it shows all of them, and acts on one by POST."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _

import queueing
from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.monitoring import alerts
from queueing.resilience.single_flight import Reading, SingleFlight

from .base import Action, ConsoleAdmin, address, console_alerts, figures_or_trouble, trouble_of


def is_plain(name: str) -> bool:
    """Whether a form can send the name and the log keep it; a foreign program may use any name."""
    return name.isprintable() and len(name) <= 200


class RowAction(Action):
    """An action on the row ``name`` of a form. It asks its question, if it has one.

    It ends on the page of the rows.
    """

    http_method_names = ("post", "options")

    @classmethod
    def title_of(cls, name: str) -> str:
        """The name of the row in the admin's log."""
        return name

    def question(self, client: QueueClient, name: str) -> str:
        """The question that a person has to confirm first, ``""`` for none. May raise ``QueueError``."""
        return ""

    def act(self, client: QueueClient, name: str) -> str | None:
        """Do it, and return a sentence about it; ``None`` if the row is gone. May raise ``QueueError``."""
        raise NotImplementedError

    @property
    def subject(self) -> Any:
        return self.model_admin.model(name=self.title_of(self.request.POST.get("name", "")))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask or do it, log it, and report it."""
        name = request.POST.get("name", "")
        if not is_plain(name):
            return self.refused(_("Nothing was changed: this name does not allow any action."))
        client = queueing.get_client()
        if "confirmed" not in request.POST and (question := self.question(client, name)):
            return self.render("admin/queueing/rows/question.html", {"question": question, "name": name})
        said = self.act(client, name)
        if said is None:
            return self.refused(_("Nothing was changed: %s does not exist any more.") % name)
        alerts.forget()
        return self.done(said)


class RowPage(ConsoleAdmin):
    """The page of a model. ``read`` gives the data of its rows, shared by all viewers."""

    actions = None
    rows_template: ClassVar[str]
    verbs: ClassVar[tuple[type[RowAction], ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shared: SingleFlight[QueueClient, Any] = SingleFlight(self.read, most=2)

    # --- what a page fills in ------------------------------------------------------------------

    def read(self, client: QueueClient) -> Any:
        """The data of this moment. May raise ``QueueUnavailable``."""
        raise NotImplementedError

    def context(self, request: HttpRequest, known: Any) -> dict[str, Any]:
        """The values that the template of the rows needs."""
        raise NotImplementedError

    # --- permissions ---------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from elsewhere."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is no form: each action has its own permission."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows go by themselves."""
        return False

    def buttons(self, request: HttpRequest, *verbs: type[RowAction]) -> list[dict[str, Any]]:
        """The buttons of these actions that this person may press, for the template of the rows."""
        return [
            {"label": verb.label, "url": address(self.admin_site, f"{self.opts.model_name}_{verb.name}")}
            for verb in verbs
            if self.may(request, verb.permission)
        ]

    # --- addresses and views -------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The actions, the address that an open page asks, and Django's pages."""
        return [
            *(
                self.page(f"{verb.name}/", verb.as_view(model_admin=self), verb.name, verb.permission)
                for verb in self.verbs
            ),
            self.page("live/", self.live_view, "live"),
            *super().get_urls(),
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Any name has a history, also if its row is gone."""
        return self.model(name=object_id)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """No row has a page of its own: the links in the admin's log lead to the rows."""
        self.require(request)
        if object_id is None:
            raise PermissionDenied
        return HttpResponseRedirect(self.list_url)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page. It is read again each time, so that it shows the result of a change."""
        self.require(request)
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name_plural),
            "opts": self.opts,
            "media": self.media,
            "live_url": f"{self.list_url}live/",
            **figures_or_trouble(lambda: self._rows(request, lambda client: Reading(self.read(client), 0.0))),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/queueing/rows/page.html", context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The rows alone."""
        context = self._rows(request, self._shared.get)
        return TemplateResponse(request, "admin/queueing/rows/live.html", context)

    def trouble_page(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """After an action the rows, or a note that Redis is away, with the result of the action."""
        if request.method != "POST":
            return super().trouble_page(request, error)
        said = _("Redis does not answer. Check the state before you repeat this action.")
        if trouble := trouble_of(error):
            said = _("Nothing was changed: %s.") % trouble
        self.message_user(request, said, messages.ERROR)
        return HttpResponseRedirect(self.list_url)

    def _rows(self, request: HttpRequest, read: Callable[[QueueClient], Reading[Any]]) -> dict[str, Any]:
        reading = read(queueing.get_client())
        return {
            "rows_template": self.rows_template,
            "age_seconds": reading.age_seconds,
            "alerts": console_alerts(request),
            **self.context(request, reading.value),
        }
