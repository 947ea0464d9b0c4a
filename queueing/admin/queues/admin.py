"""Queues: what Redis knows of each one, and all that can be done to it.

The model has no table. Django's own list and forms are kept, only what they would read from the database
is read from Redis: ``QueueList`` for the list, ``QueueStorage`` for a page. Each action is a class in a file
of its own.
"""

from dataclasses import dataclass
from typing import Any

import django.contrib.admin.utils as admin_utils
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.admin.database_away import AnswersWithoutDatabase, unavailable
from queueing.admin.links import address
from queueing.admin.zone import ViewersZone
from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.outcomes import COUNTED
from queueing.exceptions import QueueError, QueueExists, QueueUnavailable
from queueing.models import Job, Queue
from queueing.monitoring import alerts
from queueing.templatetags.queueing_text import visible

from .actions import QueueAction, is_actionable
from .cancel import Cancel
from .changelist import QueueList
from .columns import ATTRIBUTES, QueueColumns
from .forms import EDITABLE, POLICIES, REDRIVE, NewQueueForm, QueueForm
from .messages import ROW_BYTES, Messages, OneMessage, PayloadFile, message_rows
from .move import Move
from .overview import QueueOverview
from .pause import Pause, Resume
from .purge import Purge
from .redrive import Redrive
from .send import Send
from .storage import QueueStorage

#: Messages that a queue's page lets one look at.
PEEKED = 20
RATES = ("rate_in", "rate_out", "failures", "drain", "spark")
#: The figures that a queue's page shows, large, line by line.
FIGURES = ((*COUNTED, "latency"), (*RATES, "paused"))
#: In the order in which they are offered.
ACTIONS: tuple[type[QueueAction], ...] = (Messages, Send, Pause, Resume, Redrive, Move, Purge)
#: Those that a row of the list offers.
ROW_ACTIONS = (Messages, Send, Pause, Resume)


@dataclass(frozen=True, slots=True)
class Tool:
    """An action where it is offered; without an address it cannot be done now."""

    label: str
    url: str = ""


@admin.register(Queue)
class QueueAdmin(ViewersZone, QueueOverview, QueueColumns, QueueStorage, AnswersWithoutDatabase):
    """Every queue of the namespace. Django's four permissions see, create, set and delete them."""

    form = QueueForm
    actions = None
    list_display = ("shown_name", *ATTRIBUTES, *COUNTED, "latency", *RATES, "paused", "actions_of_row")
    list_display_links = ("shown_name",)
    list_per_page = 100
    search_fields = ("name",)
    #: django-unfold offers no link to add to a list without it.
    show_add_link = True
    sortable_by = ()
    delete_confirmation_template = "admin/queueing/queue/delete_confirmation.html"

    # --- permissions ---------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        """Nothing can be changed on a queue whose name only a foreign program would give it."""
        return super().has_change_permission(request, obj) and (obj is None or is_actionable(obj.name))

    def has_delete_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        """The same."""
        return super().has_delete_permission(request, obj) and (obj is None or is_actionable(obj.name))

    def may(self, request: HttpRequest, codename: str) -> bool:
        """Whether this person may look at queues and do this."""
        if not self.has_view_or_change_permission(request):
            return False
        return codename == "view_queue" or request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def jobs_can_be_seen(self, request: HttpRequest) -> bool:
        """Whether there is a page of processed jobs for this person."""
        job_admin = self.admin_site._registry.get(Job)
        return job_admin is not None and job_admin.has_view_permission(request)

    # --- forms ---------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Queue | None = None, **kwargs: Any) -> Any:
        """The form as it is: nothing of it is made from the model."""
        return NewQueueForm if obj is None else QueueForm

    def get_fieldsets(self, request: HttpRequest, obj: Queue | None = None) -> Any:
        """The forms for who may use them; the figures stand above for everyone."""
        if obj is None:
            return ((None, {"fields": ("name", *EDITABLE)}),)
        if not self.has_change_permission(request, obj):
            return ()
        known = [name for name in POLICIES if name not in REDRIVE or not is_dead_letter_queue(obj.name)]
        return (
            (gettext_lazy("Attributes"), {"fields": EDITABLE}),
            (gettext_lazy("Policies"), {"fields": known}),
        )

    # --- addresses -----------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Each action has one of its own below the queue's."""
        views = [(view, view.name, f"<str:object_id>/{view.name}/") for view in (*ACTIONS, Cancel)]
        one = "<str:object_id>/messages/<str:message_id>/"
        views += [(OneMessage, "message", one), (PayloadFile, "message_payload", f"{one}payload/")]
        own = [
            path(
                route,
                self.admin_site.admin_view(view.as_view(model_admin=self)),
                name=f"queueing_queue_{name}",
            )
            for view, name, route in views
        ]
        return own + super().get_urls()

    def action_url(self, name: str, queue: str) -> str:
        """Where an action on a queue is."""
        return address(self.admin_site, f"queue_{name}", queue)

    def tools(self, request: HttpRequest, queue: Queue, views: Any = ACTIONS) -> list[Tool]:
        """What this person can do to this queue now."""
        if not is_actionable(queue.name):
            return []
        return [
            Tool(str(view.label), self.action_url(view.name, queue.name))
            for view in views
            if self.may(request, view.permission) and view.is_offered(queue.figures)
        ]

    def row_tools(self, request: HttpRequest, queue: Queue) -> list[Tool]:
        """What the list offers beside a queue."""
        return self.tools(request, queue, ROW_ACTIONS)

    # --- views ---------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that reads Redis."""
        return QueueList

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The queue's page. An error of the queue while saving is a message on it."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except QueueUnavailable as error:
            return self.away(request, object_id, error, self._may_use_form(request, object_id))
        except QueueExists:
            self.message_user(request, _("There is a queue of that name already."), messages.ERROR)
        except QueueError as error:
            # A page that only shows would lead to itself for ever.
            if request.method != "POST":
                raise
            self.message_user(request, _("Nothing was changed: %s.") % error, messages.ERROR)
        return HttpResponseRedirect(request.path)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who changed this queue when."""
        try:
            return super().history_view(request, object_id, extra_context)
        except QueueUnavailable as error:
            return self.away(request, object_id, error, self.has_view_or_change_permission(request))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask with the number of messages, then delete."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except QueueUnavailable as error:
            return self.away(request, object_id, error, self.has_delete_permission(request))
        except QueueError as error:
            if request.method != "POST":
                raise
            self.message_user(request, _("Nothing was changed: %s.") % error, messages.ERROR)
            return HttpResponseRedirect(address(self.admin_site, "queue_changelist"))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what can be done, what to look after, and a look at the first messages, receiving none."""
        if queue := context["original"]:
            client = queueing.get_client()
            context |= {
                "attribute_names": ATTRIBUTES,
                "tools": self.tools(request, queue),
                "is_actionable": is_actionable(queue.name),
                "jobs_can_be_seen": self.jobs_can_be_seen(request),
                "alerts": alerts.read(client, [queue.figures]),
                "dead_letter_queue": client.dead_letter_queue(queue.name),
                "rows": message_rows(self.admin_site, queue.name, self._peeked(queue)),
                "figures": self.figures_of(queue, FIGURES),
                **self.overview_of(queue),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _peeked(self, queue: Queue) -> Any:
        if not is_actionable(queue.name):
            return []
        try:
            return queueing.get_client().peek_messages(queue.name, count=PEEKED, body_bytes=ROW_BYTES)
        except QueueUnavailable:
            raise
        except QueueError:  # just deleted
            return []

    def _may_use_form(self, request: HttpRequest, object_id: str | None) -> bool:
        if object_id is None:
            return self.has_add_permission(request)
        if request.method == "POST":
            return self.has_change_permission(request)
        return self.has_view_or_change_permission(request)

    def away(
        self, request: HttpRequest, object_id: str | None, error: QueueUnavailable, is_allowed: bool
    ) -> HttpResponse:
        """The page of a queue that cannot be read now, for who would be allowed to."""
        if not is_allowed:
            raise PermissionDenied
        queue = Queue(name=visible(admin_utils.unquote(object_id or "")))
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name),
            "subtitle": queue.name,
            "opts": self.opts,
            "original": queue,
            "has_view_permission": True,
            **unavailable(error),
            "posted": request.method == "POST",
            "tools": [Tool(str(view.label)) for view in ACTIONS if self.may(request, view.permission)],
        }
        return TemplateResponse(request, "admin/queueing/queue/unavailable.html", context)
