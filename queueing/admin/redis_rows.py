"""The base of pages that list all objects of one kind from Redis as rows, with actions on each row."""

from collections.abc import Callable, Container, Iterable
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
from queueing.exceptions import BatchNotFound, QueueError, ScheduleNotFound
from queueing.monitoring import alerts
from queueing.resilience.single_flight import Reading, SingleFlight
from queueing.templatetags.queueing_text import visible

from .base import Action, ReadOnlyAdmin, address, console_alerts, figures_or_trouble, queue_url, trouble_of


def is_plain(name: str) -> bool:
    """Whether a form can post the name and the admin's log can store it.

    Other programs can use names with line breaks or of any length.
    """
    return name.isprintable() and len(name) <= 200


class RowAction(Action):
    """An action on one row. The name of the row is in the field ``name`` of the POST request.

    If ``question`` returns a text, a confirmation page is shown first. The action redirects to the list of
    rows.
    """

    http_method_names = ("post", "options")

    @classmethod
    def title_of(cls, name: str) -> str:
        """The name of the row in the admin's log."""
        return name

    def question(self, client: QueueClient, name: str) -> str:
        """The text of the confirmation page. Returns ``""`` if the action needs no confirmation.

        May raise ``QueueError``.
        """
        return ""

    def act(self, client: QueueClient, name: str) -> str | None:
        """Run the action on the row ``name``, and return a sentence about the result.

        Returns ``None``, or raises ``BatchNotFound`` or ``ScheduleNotFound``, if the row no longer exists.
        May raise any other ``QueueError``.
        """
        raise NotImplementedError

    @property
    def subject(self) -> Any:
        return self.model_admin.model(name=self.title_of(self.request.POST.get("name", "")))

    def post(self, request: HttpRequest) -> HttpResponse:
        name = request.POST.get("name", "")
        if not is_plain(name):
            return self.refused(_("Nothing was changed: this name does not allow any action."))
        client = queueing.get_client()
        try:
            if "confirmed" not in request.POST and (question := self.question(client, name)):
                return self.render("admin/queueing/rows/question.html", {"question": question, "name": name})
            said = self.act(client, name)
        except (BatchNotFound, ScheduleNotFound):
            said = None
        if said is None:
            return self.refused(_("Nothing was changed: %s does not exist any more.") % name)
        alerts.forget()
        return self.done(said)


class RowPage(ReadOnlyAdmin):
    """The admin of a model whose rows are in Redis.

    Open pages poll for new figures. Polls of all users within one second share one result of ``read``.
    """

    actions = None
    verbs: ClassVar[tuple[type[RowAction], ...]] = ()
    #: Whether the page has a field for a search. The results of a search do not refresh themselves.
    searches: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shared: SingleFlight[QueueClient, Any] = SingleFlight(self.read, most=2)

    # --- what a page fills in ------------------------------------------------------------------

    def read(self, client: QueueClient) -> Any:
        """Read the data of the rows from Redis. May raise ``QueueUnavailable``."""
        raise NotImplementedError

    def context(self, request: HttpRequest, known: Any) -> dict[str, Any]:
        """The template context. ``known`` is the result of ``read``."""
        raise NotImplementedError

    def query(self, request: HttpRequest) -> str:
        """The text for which the user searches, ``""`` without a search."""
        return request.GET.get("q", "").strip() if self.searches else ""

    # --- permissions ---------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def buttons(self, request: HttpRequest, name: str, *verbs: type[RowAction]) -> list[dict[str, Any]]:
        """Template data for the buttons of the row ``name``.

        There is one button for each of ``verbs`` that this user may run, and none if ``is_plain(name)`` is
        false.
        """
        return [
            {"label": verb.label, "url": address(self.admin_site, f"{self.opts.model_name}_{verb.name}")}
            for verb in verbs
            if is_plain(name) and self.may(request, verb.permission)
        ]

    def links(
        self, request: HttpRequest, queues: Iterable[str], known: Container[str]
    ) -> list[tuple[str, str]]:
        """For each queue, its name and the URL of its page.

        The URL is ``""`` if the queue is not in ``known``, or if the user may not view queues.
        """
        may_follow = self.sees_queues(request)
        return [
            (visible(queue), queue_url(self.admin_site, queue) if may_follow and queue in known else "")
            for queue in queues
        ]

    # --- addresses and views -------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The URL patterns of the actions, of the view that open pages poll, and of Django's own views."""
        return [
            *(
                self.page(f"{verb.name}/", verb.as_view(model_admin=self), verb.name, verb.permission)
                for verb in self.verbs
            ),
            self.page("live/", self.live_view, "live"),
            *super().get_urls(),
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """An instance with this name, even if the row is gone, so that its log entries can still be read."""
        return self.model(name=object_id)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Redirect to the list of rows, because a row has no page. Links in the admin's log open this URL."""
        self.require(request)
        if object_id is None:
            raise PermissionDenied
        return HttpResponseRedirect(self.list_url)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list of rows. Each request reads Redis, so that the list shows the result of an action."""
        self.require(request)
        context = {
            "live_url": f"{self.list_url}live/",
            "searches": self.searches,
            "query": self.query(request),
            **figures_or_trouble(lambda: self._rows(request, lambda client: Reading(self.read(client), 0.0))),
            **(extra_context or {}),
        }
        title = capfirst(self.opts.verbose_name_plural)
        return self.render(request, "admin/queueing/rows/page.html", title, context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        context = self._rows(request, self._shared.get)
        return TemplateResponse(request, "admin/queueing/rows/live.html", context)

    def trouble_page(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """After a failed POST, redirect to the list of rows and show the error there."""
        if request.method != "POST":
            return super().trouble_page(request, error)
        said = _("Redis does not answer. Check the state before you repeat this action.")
        if trouble := trouble_of(error):
            said = _("Nothing was changed: %s.") % trouble
        self.message_user(request, said, messages.ERROR)
        return HttpResponseRedirect(self.list_url)

    def _rows(self, request: HttpRequest, read: Callable[[QueueClient], Reading[Any]]) -> dict[str, Any]:
        reading = read(queueing.get_client().reachable())
        return {
            "rows_template": f"admin/queueing/{self.opts.model_name}/rows.html",
            "may_steer": any(self.may(request, verb.permission) for verb in self.verbs),
            "age_seconds": reading.age_seconds,
            "alerts": console_alerts(request),
            **self.context(request, reading.value),
        }
