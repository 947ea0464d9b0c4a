"""The admin of queues: their figures in Redis, their settings and their actions.

The model has no table. Django's list and form views get their data from Redis instead: ``changelist`` reads
the list, and ``storage`` reads a single queue. Each action is a subclass of ``QueueAction``.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import django.contrib.admin.utils as admin_utils
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.admin.base import ConsoleAdmin, address, trouble_of
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue
from queueing.broker.outcomes import State
from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.models import Job, Queue
from queueing.monitoring import alerts
from queueing.monitoring.rates import read_rates
from queueing.policies import limits
from queueing.templatetags.queueing_text import visible

from . import changelist, columns, storage
from .actions import Pause, Purge, QueueAction, Resume, Send
from .charts import chart_page
from .forms import EDITABLE, POLICIES, REDRIVE, NewQueueForm, QueueForm, is_actionable
from .messages import ROW_BYTES, Messages, OneMessage, PayloadFile, message_rows
from .moves import Cancel, Move, Redrive, Stop

#: The number of messages that the page of a queue shows.
PEEKED = 20
#: The actions on a queue, in the order of their buttons.
ACTIONS: tuple[type[QueueAction], ...] = (Messages, Send, Pause, Resume, Redrive, Move, Purge)
#: The actions that each row of the list offers.
ROW_ACTIONS = (Messages, Pause, Resume)
#: The query parameter that adds RSMQ's attributes to the columns of the list.
WITH_ATTRIBUTES = "attributes"


@dataclass(frozen=True, slots=True)
class Tool:
    """A button for an action on a queue. A button without a URL is disabled."""

    label: str
    url: str = ""


class QueueAdmin(ConsoleAdmin):
    """The admin of the queues. Django's four permissions (add, change, delete, view) apply."""

    form = QueueForm
    actions = None
    list_display = columns.LISTED
    list_display_links = (columns.shown_name,)
    list_per_page = 100
    search_fields = ("name",)
    #: django-unfold shows the link to add a queue in the list only if this is set.
    show_add_link = True
    sortable_by = ()
    delete_confirmation_template = "admin/queueing/queue/delete_confirmation.html"

    # --- permissions ---------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        """Whether the user may change the queue. Nobody may change a queue whose name RSMQ does not allow."""
        return super().has_change_permission(request, obj) and (obj is None or is_actionable(obj.name))

    def has_delete_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or is_actionable(obj.name))

    def jobs_can_be_seen(self, request: HttpRequest) -> bool:
        """Whether this site has the admin of processed jobs, and the user may view it."""
        job_admin = self.admin_site._registry.get(Job)
        return job_admin is not None and job_admin.has_view_permission(request)

    # --- forms ---------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Queue | None = None, **kwargs: Any) -> Any:
        """The form class for ``obj``, instead of a class that Django derives from the fields of the model."""
        return NewQueueForm if obj is None else QueueForm

    def get_fieldsets(self, request: HttpRequest, obj: Queue | None = None) -> Any:
        """The fields of the form. Returns ``()`` if the user may not change the queue.

        Such a user sees only the figures of the queue, which are not form fields.
        """
        if obj is None:
            return ((None, {"fields": ("name", *EDITABLE)}),)
        if not self.has_change_permission(request, obj):
            return ()
        known = [name for name in POLICIES if name not in REDRIVE or not is_dead_letter_queue(obj.name)]
        return (
            (gettext_lazy("Attributes"), {"fields": EDITABLE}),
            (gettext_lazy("Policies"), {"fields": known}),
        )

    # --- storage -------------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Queue | None:
        """The queue with this name, ``None`` if it does not exist.

        Raises ``QueueUnavailable`` if Redis does not answer, and ``SpoiltKey`` if a key of the queue has the
        wrong type.
        """
        return storage.read_queue(object_id)

    def save_model(self, request: HttpRequest, obj: Queue, form: Any, change: bool) -> None:
        """Create a new queue, or set only the changed values of an existing queue."""
        form.save_to(queueing.get_client())

    def delete_model(self, request: HttpRequest, obj: Queue) -> None:
        queueing.get_client().delete_queue(obj.name)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict, set, list]:
        """The objects that the confirmation page of a deletion lists: only the queues themselves.

        No rows of the database depend on a queue.
        """
        return [str(queue) for queue in objs], {}, set(), []

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> str:
        return storage.change_message(form, add=add)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Log the deletion of each queue, with the number of its messages."""
        for queue in queryset:
            storage.log_deletion(request, queue)

    # --- addresses -----------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        one = "<str:object_id>/messages/<str:message_id>/"
        views = [(view, f"<str:object_id>/{view.name}/") for view in (*ACTIONS, Cancel, Stop)]
        views += [(OneMessage, one), (PayloadFile, f"{one}payload/")]
        return [
            self.page("charts/", self.charts_view, "charts_of_all"),
            self.page("live/", self.live_view, "live"),
            self.page("<str:object_id>/charts/", self.charts_view, "charts"),
            *(
                self.page(route, view.as_view(model_admin=self), view.name, view.permission)
                for view, route in views
            ),
            *super().get_urls(),
        ]

    def url_of(self, queue: str) -> str:
        return address(self.admin_site, "queue_change", queue)

    def url_after(self, request: HttpRequest) -> str:
        """The URL to open after a refused change.

        After a refused deletion, it is the list of queues. If the new queue was refused, it is the form for a
        new queue. Otherwise, it is the page of the queue.
        """
        if self.page_name(request) == "delete":
            return self.list_url
        named = request.resolver_match.kwargs.get("object_id")
        return request.path if named is None else self.url_of(admin_utils.unquote(named))

    def action_url(self, name: str, queue: str) -> str:
        return address(self.admin_site, f"queue_{name}", queue)

    def tools(self, request: HttpRequest, queue: Queue, views: Any = ACTIONS) -> list[Tool]:
        if not is_actionable(queue.name):
            return []
        return [
            Tool(str(view.label), self.action_url(view.name, queue.name))
            for view in views
            if self.may(request, view.permission) and view.is_offered(queue.figures)
        ]

    def row_tools(self, request: HttpRequest, queue: Queue) -> list[Tool]:
        """The buttons of one queue in the list of queues."""
        return self.tools(request, queue, ROW_ACTIONS)

    # --- views ---------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns of the list. RSMQ's attributes are included if the query string asks for them."""
        is_wide = WITH_ATTRIBUTES in request.GET
        return (*columns.LISTED, *columns.ON_DEMAND) if is_wide else columns.LISTED

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The change list class that reads Redis instead of the database."""
        return changelist.QueueList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list of queues. Its context has the URL that an open page polls for new figures."""
        shown = {name: request.GET[name] for name in ("p", "q") if name in request.GET}
        has_attributes = WITH_ATTRIBUTES in request.GET
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "live_url": self._live_url(**shown),
            "has_attributes": has_attributes,
            "attributes_url": f"?{urlencode(shown if has_attributes else {**shown, WITH_ATTRIBUTES: 1})}",
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The response to the poll of an open page: for each figure, the HTML element with its new value."""
        reading = changelist.snapshots.get(changelist.question(request, self.list_per_page))
        rows = changelist.rows(self.admin_site, reading.value)
        context = {
            "age_seconds": reading.age_seconds,
            "alerts": reading.value.alerts,
            "cells": [column(row) for row in rows for column in columns.LIVE],
        }
        return TemplateResponse(request, "admin/queueing/queue/live.html", context)

    def charts_view(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """The page of charts. With ``part`` in the query string: only its warnings and charts."""
        name = None if object_id is None else admin_utils.unquote(object_id)
        if name is not None and "part" not in request.GET and self._is_gone(request, name):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = chart_page(request, name)
        if context["is_live"]:
            return TemplateResponse(request, "admin/queueing/queue/charts_live.html", context)
        queue = None if name is None else Queue(name=name)
        context |= {
            "subtitle": str(queue) if queue else _("All queues"),
            "original": queue,
            "queue_url": queue and self.url_of(queue.name),
        }
        return self.render(request, "admin/queueing/queue/charts.html", _("Charts"), context)

    def _is_gone(self, request: HttpRequest, name: str) -> bool:
        try:
            return self.get_object(request, name) is None
        except QueueUnavailable:  # the page reports it, and shows charts once Redis is back
            return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if queue := context["original"]:
            client = queueing.get_client()
            changelist.with_rate(self.admin_site, queue, read_rates(client, [queue.figures])[queue.name])
            queue.outflow = changelist.outflow_of(client, [queue.name])[queue.name]
            # The jobs of dead letters are those of the queue in which they died.
            is_dead = is_dead_letter_queue(queue.name)
            main = queue.name.removesuffix(dead_letter_queue("")) if is_dead else queue.name
            context |= {
                "attribute_names": columns.ATTRIBUTES,
                "tools": self.tools(request, queue),
                "is_actionable": is_actionable(queue.name),
                "jobs_can_be_seen": self.jobs_can_be_seen(request),
                "alerts": alerts.read(client, [queue.figures]),
                "jobs_query": urlencode({"queue": main} | ({"state": State.DEAD.value} if is_dead else {})),
                "dead_letter_queue": "" if is_dead else queue.dead_letter_queue,
                **_limits_of(queue.name),
                "rows": message_rows(self.admin_site, queue.name, self._peeked(queue)),
                "figures": [
                    [(column.short_description, column(queue)) for column in line] for line in columns.FIGURES
                ],
                "charts_url": address(self.admin_site, "queue_charts", queue.name),
                "live_url": self._live_url(name=queue.name),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _live_url(self, **parameters: str) -> str:
        return f"{address(self.admin_site, 'queue_live')}?{urlencode(parameters)}"

    def _peeked(self, queue: Queue) -> Any:
        if not is_actionable(queue.name):
            return []
        try:
            return queueing.get_client().peek_messages(queue.name, count=PEEKED, body_bytes=ROW_BYTES)
        except QueueUnavailable:
            raise
        except QueueError:  # just deleted
            return []

    def trouble_page(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """The page with the reason why Redis cannot be read.

        While Redis is down, the page of a queue still shows its title and disabled buttons. Raises
        ``PermissionDenied`` if the user may not open the page.
        """
        page, named = self.page_name(request), request.resolver_match.kwargs.get("object_id")
        if not isinstance(error, QueueUnavailable) or (named is None and page != "add"):
            return super().trouble_page(request, error)
        if not self._may_open(request, page):
            raise PermissionDenied
        queue = Queue(name=visible(admin_utils.unquote(named or "")))
        context = {
            "subtitle": queue.name,
            "original": queue,
            "has_view_permission": True,
            "unavailable": True,
            "trouble": trouble_of(error),
            "posted": request.method == "POST",
            "tools": [Tool(str(view.label)) for view in ACTIONS if self.may(request, view.permission)],
        }
        title = capfirst(self.opts.verbose_name)
        return self.render(request, "admin/queueing/queue/unavailable.html", title, context)

    def _may_open(self, request: HttpRequest, page: str) -> bool:
        """Whether the user may open the page with the name ``page``, such as ``add``. Does not read Redis.

        Django checks the permission only after it has read the queue, which fails while Redis is down.
        """
        if page == "add":
            return self.has_add_permission(request)
        if page == "delete":
            return self.has_delete_permission(request)
        if page == "change" and request.method == "POST":
            return self.has_change_permission(request)
        return self.has_view_permission(request)


def _limits_of(queue: str) -> dict[str, Any]:
    """The template context about rate and concurrency limits.

    ``limit`` is the limit of the whole queue. ``limits`` has the number of messages that run under limits,
    and of those that wait because of limits. Returns ``{}`` if RSMQ does not allow the name of the queue.
    """
    if not is_actionable(queue):
        return {}
    found = queueing.get_client().queue_limits(queue)
    return {"limit": limits.of_queue(get_conf().LIMITS, queue), "limits": found}
