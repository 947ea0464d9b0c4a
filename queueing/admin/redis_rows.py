"""A page of the admin whose rows lie in Redis: it shows all of them, and does something to one by POST."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views import View

import queueing
from queueing.client import QueueClient
from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable
from queueing.models import Queue
from queueing.monitoring import alerts
from queueing.resilience.single_flight import Reading, Shared

from .database_away import AnswersWithoutDatabase, unavailable
from .links import address
from .overview import console_alerts
from .zone import ViewersZone


def is_plain(name: str) -> bool:
    """Whether a form can send the name and the log keep it; what nobody of ours would name may not be."""
    return name.isprintable() and len(name) <= 200


class RowVerb(View):
    """What is done to the row ``name`` of a form. It answers with the page, on which it is said."""

    #: The last part of its address.
    name: ClassVar[str]
    #: The codename of its permission; that to view the page is needed besides.
    permission: ClassVar[str]
    #: What stands on its button.
    label: ClassVar[Any]
    http_method_names = ("post", "options")
    model_admin: "RowPage | None" = None

    @classmethod
    def title_of(cls, name: str) -> str:
        """What the admin's log calls the row."""
        return name

    def act(self, client: QueueClient, name: str) -> str | None:
        """Do it, and say what was done; ``None`` where there is no such row. May raise ``QueueError``."""
        raise NotImplementedError

    def post(self, request: HttpRequest) -> HttpResponse:
        """Do it, log it, and say so."""
        if not self.model_admin.may(request, self.permission):
            raise PermissionDenied
        name = request.POST.get("name", "")
        said, level = self._done(request, name)
        self.model_admin.message_user(request, said, level)
        return HttpResponseRedirect(self.model_admin.page_url)

    def _done(self, request: HttpRequest, name: str) -> tuple[str, int]:
        if not is_plain(name):
            return _("Nothing was changed: nothing can be done to what has such a name."), messages.ERROR
        try:
            said = self.act(queueing.get_client(), name)
        except QueueError as error:
            if isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused):
                return _("Redis does not answer: look at it again before you repeat this."), messages.ERROR
            return _("Nothing was changed: %s.") % str(error).removesuffix("."), messages.ERROR
        if said is None:
            return _("Nothing was changed: %s is not there any more.") % name, messages.ERROR
        alerts.forget()
        self.model_admin.log_change(request, self.model_admin.model(name=self.title_of(name)), said)
        return said, messages.SUCCESS


class RowPage(ViewersZone, AnswersWithoutDatabase):
    """The page of a model. ``read`` gives what its rows are made of, for all who look at the same time."""

    actions = None
    rows_template: ClassVar[str]
    verbs: ClassVar[tuple[type[RowVerb], ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shared: Shared[QueueClient, Any] = Shared(self.read, most=2)

    # --- what a page fills in ------------------------------------------------------------------

    def read(self, client: QueueClient) -> Any:
        """What is known at this moment. May raise ``QueueUnavailable``."""
        raise NotImplementedError

    def context(self, request: HttpRequest, known: Any) -> dict[str, Any]:
        """What the template of the rows needs."""
        raise NotImplementedError

    # --- permissions ---------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """What is here comes from elsewhere."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is no form: each verb has its own permission."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It goes by itself."""
        return False

    def may(self, request: HttpRequest, codename: str) -> bool:
        """Whether this person may look at the page and do this."""
        return self.has_view_permission(request) and request.user.has_perm(f"queueing.{codename}")

    def sees_queues(self, request: HttpRequest) -> bool:
        """Whether there are pages of queues for this person."""
        queue_admin = self.admin_site._registry.get(Queue)
        return queue_admin is not None and queue_admin.has_view_permission(request)

    def buttons(self, request: HttpRequest, *verbs: type[RowVerb]) -> list[dict[str, Any]]:
        """Those of these that this person may press, as the template of the rows takes them."""
        return [
            {"label": verb.label, "url": address(self.admin_site, f"{self.opts.model_name}_{verb.name}")}
            for verb in verbs
            if self.may(request, verb.permission)
        ]

    # --- addresses and views -------------------------------------------------------------------

    @property
    def page_url(self) -> str:
        return address(self.admin_site, f"{self.opts.model_name}_changelist")

    def get_urls(self) -> list[URLPattern]:
        """The verbs, and what an open page asks for."""
        routes = [(verb.as_view(model_admin=self), verb.name) for verb in self.verbs]
        routes.append((self.live_view, "live"))
        own = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"queueing_{self.opts.model_name}_{name}")
            for view, name in routes
        ]
        return own + super().get_urls()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Any name has a history, whether there is still something of that name or not."""
        return self.model(name=object_id)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Nothing here has a page of its own: the links in the admin's log lead to the rows."""
        if object_id is None or not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(self.page_url)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page. It is read anew: after a change one sees what came of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name_plural),
            "opts": self.opts,
            "media": self.media,
            "live_url": f"{self.page_url}live/",
            **self._rows(request, lambda client: Reading(self.read(client), 0.0)),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/queueing/rows/page.html", context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The rows alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return TemplateResponse(
            request, "admin/queueing/rows/live.html", self._rows(request, self._shared.get)
        )

    def _rows(self, request: HttpRequest, read: Callable[[QueueClient], Reading[Any]]) -> dict[str, Any]:
        try:
            reading = read(queueing.get_client())
        except QueueUnavailable as error:
            return unavailable(error)
        return {
            "rows_template": self.rows_template,
            "age_seconds": reading.age_seconds,
            "alerts": console_alerts(request),
            **self.context(request, reading.value),
        }
