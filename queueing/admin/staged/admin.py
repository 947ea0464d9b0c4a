"""The admin of staged messages: the rows of the transactional outbox.

A transaction has written these messages to the database, and Redis has not yet acknowledged them.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from queueing.admin.base import console_alerts, queue_url
from queueing.admin.jobs.call import HEADING_CHARACTERS
from queueing.admin.jobs.detail import is_there
from queueing.admin.table import TableAdmin, in_menu
from queueing.models import StagedMessage
from queueing.transactional.databases import relayed

from . import columns
from .actions import ACTIONS, listed
from .choice import alias_of, choice_of, in_state


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return list(columns.WORDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Filter by the field ``is_refused``, which is indexed."""
        return in_state(queryset, self.value())


class DatabaseFilter(admin.SimpleListFilter):
    """The filter by database. It is shown only if several databases may have staged messages.

    ``StagedMessageAdmin.get_queryset`` applies the filter.
    """

    title = gettext_lazy("database")
    parameter_name = "database"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        aliases = relayed()
        return [(alias, alias) for alias in aliases] if len(aliases) > 1 else []

    def choices(self, changelist: ChangeList) -> Any:
        """The databases, without the choice *All*, because a list shows the rows of only one database."""
        for choice in list(super().choices(changelist))[1:]:
            yield {**choice, "selected": choice["display"] == changelist.root_queryset.db}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset


class StagedMessageAdmin(TableAdmin):
    """The read-only list of staged messages, oldest first."""

    verbs = ACTIONS
    actions = tuple(map(in_menu, ACTIONS.values()))
    list_display = columns.LISTED
    list_display_links = (columns.shown_call, columns.shown_id)
    list_filter = (StateFilter, DatabaseFilter)
    ordering = ("id",)
    search_fields = ("=message_id",)
    search_help_text = gettext_lazy("A message id.")
    readonly_fields = columns.READ_ONLY
    change_form_template = "admin/queueing/staged/change_form.html"
    change_list_template = "admin/queueing/staged/change_list.html"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[StagedMessage]":
        """The rows of one database. For the list, only the beginning of each payload is read."""
        rows = super().get_queryset(request).using(alias_of(request))
        return listed(rows) if self.page_name(request) == "changelist" else rows

    def get_fieldsets(self, request: HttpRequest, obj: StagedMessage | None = None) -> Any:
        rows = (
            (columns.shown_state, columns.shown_queue, "priority"),
            (columns.staged, columns.due, columns.shown_id),
            *((columns.shown_refusal,) if obj and obj.refusal else ()),
            *((columns.shown_headers,) if obj and obj.headers else ()),
            columns.shown_body,
        )
        return ((None, {"fields": rows}),)

    # --- permissions ---------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the admin's menu shows the list to this user.

        Returns ``False`` if the project stages no messages.
        """
        return bool(relayed()) and super().has_module_permission(request)

    # --- pages ---------------------------------------------------------------------------------

    def selection(self, request: HttpRequest, ids: str) -> dict[str, str]:
        """The query parameters that select the rows ``ids`` in the database that the page shows."""
        return choice_of(request, ids=ids)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "alerts": console_alerts(request),
            "verbs": self.offered(request, choice_of(request)),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        row.body_start = row.body
        context["title"], context["subtitle"] = columns.call_of(row, HEADING_CHARACTERS), None
        context["verbs"] = self.offered(request, choice_of(request, ids=str(row.pk)))
        context["show_delete"] = False
        has_link = self.sees_queues(request) and is_there(row.queue)
        context["queue_url"] = queue_url(self.admin_site, row.queue) if has_link else ""
        return super().render_change_form(request, context, *args, **kwargs)
