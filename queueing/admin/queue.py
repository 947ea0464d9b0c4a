"""Queues: what Redis knows of each one, and the three attributes that can be set.

The model has no table. Django's own list and form are kept, only what they would read from the
database is read from Redis here: ``QueueList`` for the list, ``get_object`` for a page.
"""

import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import django.contrib.admin.utils as admin_utils
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import InvalidPage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing

from ..exceptions import QueueError, QueueUnavailable
from ..messages import QueueFigures
from ..models import Job, Queue
from ..templatetags.queueing_text import day, duration, moment, visible
from .queue_form import QueueForm

#: Messages that a queue's page lets one look at.
PEEKED = 20
EDITABLE = ("vt", "delay", "maxsize")
#: RSMQ's nine attributes, by RSMQ's names and in its order.
ATTRIBUTES = (*EDITABLE, "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs")
COUNTS = ("ready", "delayed", "running", "dead")


def as_row(figures: QueueFigures) -> Queue:
    """The model's instance of a queue, with its figures as ``.figures``."""
    queue = Queue(name=figures.name)
    queue.figures = figures
    return queue


def _attribute(name: str) -> Callable[[Any, Queue], Any]:
    @admin.display(description=format_html("<code>{}</code>", name))  # else it would get a capital
    def shown(_admin: Any, queue: Queue) -> Any:
        return getattr(queue.figures.attributes, name)

    return shown


def _time_attribute(name: str) -> Callable[[Any, Queue], Any]:
    @admin.display(description=format_html("<code>{}</code>", name))
    def shown(_admin: Any, queue: Queue) -> Any:
        epoch_seconds = getattr(queue.figures.attributes, name)
        at = moment(epoch_seconds)
        return day(at) if at else epoch_seconds

    return shown


def _count(name: str, label: str) -> Callable[[Any, Queue], Any]:
    @admin.display(description=label)
    def shown(_admin: Any, queue: Queue) -> Any:
        return getattr(queue.figures, name)

    return shown


class QueueList(ChangeList):
    """A page of queues by name; empty, and ``unavailable``, while Redis is away."""

    unavailable = False

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """No rows: the database has none. Sets what the list needs to know of filters: none."""
        self.filter_specs: list[Any] = []
        self.has_filters = self.has_active_filters = False
        return self.root_queryset.none()

    def get_results(self, request: HttpRequest) -> None:
        """Read one page of queues, and figures for the queues on it only."""
        try:
            client = queueing.get_client()
            self._take_page(request, sorted(filter(self._is_sought, client.list_queues())))
            self.result_list = [as_row(figures) for figures in client.queue_figures(self.result_list)]
        except QueueUnavailable:
            self.unavailable = True
            self._take_page(request, [])

    def _is_sought(self, name: str) -> bool:
        # Bytes that are no UTF-8 come as lone surrogates: no key can be built from such a name.
        return self.query.lower() in name.lower() and not re.search("[\ud800-\udfff]", name)

    def _take_page(self, request: HttpRequest, names: list[str]) -> None:
        self.paginator = self.model_admin.get_paginator(request, names, self.list_per_page)
        self.result_count = self.full_result_count = self.paginator.count
        self.show_full_result_count = True
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = self.result_count > self.list_per_page
        try:
            self.result_list = list(self.paginator.page(self.page_num).object_list)
        except InvalidPage:
            self.result_list = list(self.paginator.page(1).object_list)

    def url_for_result(self, result: Queue) -> str:
        """The queue's page; no character of a foreign name ends the path or fails."""
        return f"{urllib.parse.quote(admin_utils.quote(result.name), errors='replace')}/change/"


@admin.register(Queue)
class QueueAdmin(admin.ModelAdmin):
    """Every queue of the namespace. Seen with ``view_queue``, set with ``change_queue``."""

    form = QueueForm
    actions = None
    list_display = ("shown_name", *ATTRIBUTES, *COUNTS, "latency")
    list_display_links = ("shown_name",)
    list_per_page = 100
    search_fields = ("name",)
    sortable_by = ()
    fieldsets = ((gettext_lazy("Attributes"), {"fields": EDITABLE}),)

    vt = _attribute("vt")
    delay = _attribute("delay")
    maxsize = _attribute("maxsize")
    totalrecv = _attribute("totalrecv")
    totalsent = _attribute("totalsent")
    created = _time_attribute("created")
    modified = _time_attribute("modified")
    msgs = _attribute("msgs")
    hiddenmsgs = _attribute("hiddenmsgs")
    ready = _count("ready", gettext_lazy("ready"))
    delayed = _count("delayed", gettext_lazy("delayed"))
    running = _count("running", gettext_lazy("running"))
    dead = _count("dead", gettext_lazy("dead"))

    @admin.display(description=gettext_lazy("latency"))
    def latency(self, queue: Queue) -> str:
        """Age of the oldest ready message."""
        return duration(queue.figures.latency_seconds)

    @admin.display(description=gettext_lazy("name"))
    def shown_name(self, queue: Queue) -> str:
        """The name, with what cannot be seen in it written out."""
        return format_html("<bdi>{}</bdi>", visible(queue.name))

    # --- what the database would have been asked -----------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that reads Redis."""
        return QueueList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Queue | None:
        """The queue of that name with its figures, ``None`` if there is none.

        Raises ``QueueUnavailable``.
        """
        try:
            found = queueing.get_client().queue_figures([object_id])
        except QueueUnavailable:
            raise
        except QueueError:
            return None
        return as_row(found[0]) if found else None

    def save_model(self, request: HttpRequest, obj: Queue, form: QueueForm, change: bool) -> None:
        """Set the attributes that were changed, and only those."""
        if form.changed_data:
            values = {name: form.cleaned_data[name] for name in form.changed_data}
            queueing.get_client().set_queue_attributes(obj.name, **values)

    def construct_change_message(
        self, request: HttpRequest, form: QueueForm, formsets: Any, add: bool = False
    ) -> str:
        """For the admin's log: each value before and after."""
        changes = [f"{name} {form.initial[name]} → {form.cleaned_data[name]}" for name in form.changed_data]
        return ", ".join(changes) or _("No fields changed.")

    # --- permissions ---------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Queues are created by the programs that use them and from the terminal."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        """Not from here: the messages would go with it."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Queue | None = None) -> Any:
        """The form for who may change the queue; the figures are above it for everyone."""
        return self.fieldsets if self.has_change_permission(request, obj) else ()

    # --- views ---------------------------------------------------------------------------------

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
        except QueueUnavailable:
            return self._away(request, object_id)
        except QueueError as error:
            self.message_user(request, _("Nothing was changed: %s.") % error, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who changed this queue when."""
        try:
            return super().history_view(request, object_id, extra_context)
        except QueueUnavailable:
            return self._away(request, object_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add a look at the first messages, which receives none of them."""
        context["attribute_names"] = ATTRIBUTES
        job_admin = self.admin_site._registry.get(Job)
        context["jobs_can_be_seen"] = job_admin is not None and job_admin.has_view_permission(request)
        try:
            context["peeked"] = queueing.get_client().peek_messages(context["original"].name, count=PEEKED)
        except QueueUnavailable:
            raise
        except QueueError:  # a name that only a foreign program would give a queue, or just deleted
            context["peeked"] = []
        return super().render_change_form(request, context, *args, **kwargs)

    def _away(self, request: HttpRequest, object_id: str | None) -> HttpResponse:
        """The page of a queue that cannot be read now."""
        posted = request.method == "POST"
        allowed = self.has_change_permission if posted else self.has_view_or_change_permission
        if not allowed(request):
            raise PermissionDenied
        queue = Queue(name=visible(admin_utils.unquote(object_id or "")))
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name),
            "subtitle": queue.name,
            "opts": self.opts,
            "original": queue,
            "has_view_permission": True,
            "posted": posted,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/queueing/queue/unavailable.html", context)
