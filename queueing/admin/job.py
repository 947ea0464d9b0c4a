"""Processed jobs: the diary, to read and search. Nothing here asks Redis."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from ..models import Job
from ..templatetags.queueing_text import SHOWN_MAX, duration, payload, state_word, visible, when
from .timeline import events

#: Length of a message id; RSMQ's never differ.
ID_LENGTH = 32
#: Characters of an error that the list shows.
ERROR_SHOWN = 80


class QueueFilter(admin.SimpleListFilter):
    """By queue. The names are found by hopping along the index, never by reading all rows."""

    title = _("queue")
    parameter_name = "queue"
    names_max = 50

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """The first queues that have rows, and the chosen one."""
        names = set(self._names())
        if chosen := self.value():
            names.add(chosen)
        return [(name, visible(name)) for name in sorted(names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """The rows of the chosen queue."""
        chosen = self.value()
        # A database may refuse a NUL even as something to look for; no name has one.
        return queryset.filter(queue=chosen.replace("\0", "")) if chosen else queryset

    def _names(self) -> Iterator[str]:
        last = ""
        for _hop in range(self.names_max):
            rows = Job.objects.filter(queue__gt=last).order_by("queue")
            following = rows.values_list("queue", flat=True).first()
            if following is None:
                return
            yield following
            last = following


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    """Newest first, read-only; rows can be deleted by who has Django's permission for that."""

    list_display = (
        *("message_id", "shown_state", "shown_queue", "finished", "wait", "run", "attempts", "crashes"),
        *("shown_error_start", "shown_handler", "sent", "started", "shown_worker"),
    )
    list_filter = ("state", QueueFilter)
    list_per_page = 50
    ordering = ("-finished_at", "-id")
    search_fields = ("message_id",)
    search_help_text = _("A message id, or the beginning of one.")
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("shown_state", "attempts", "crashes", "rc"),
                    ("shown_queue", "shown_handler", "shown_worker"),
                    ("wait", "run"),
                    "shown_error",
                    "shown_body",
                )
            },
        ),
    )
    readonly_fields = (
        *("shown_queue", "shown_handler", "shown_state", "wait", "run", "shown_worker"),
        *("shown_error", "shown_body"),
    )

    # --- columns and fields --------------------------------------------------------------------

    @admin.display(description=_("queue"))
    def shown_queue(self, job: Job) -> str:
        """The queue's name."""
        return visible(job.queue)

    @admin.display(description=_("handler"), empty_value="-")
    def shown_handler(self, job: Job) -> str:
        """Which code ran."""
        return visible(job.handler)

    @admin.display(description=_("state"))
    def shown_state(self, job: Job) -> str:
        """The newest outcome, coloured by what it means."""
        return format_html(
            '<span class="queueing-state" data-state="{}">{}</span>', job.state, state_word(job.state)
        )

    @admin.display(description=_("sent"))
    def sent(self, job: Job) -> str:
        """When it was sent."""
        return when(job.sent_at)

    @admin.display(description=_("started"))
    def started(self, job: Job) -> str:
        """When its newest attempt began."""
        return when(job.started_at)

    @admin.display(description=_("finished"))
    def finished(self, job: Job) -> str:
        """When its newest attempt ended."""
        return when(job.finished_at)

    @admin.display(description=_("wait"))
    def wait(self, job: Job) -> str:
        """From when it could be received to its start."""
        return duration(None if job.wait_ms is None else job.wait_ms / 1000)

    @admin.display(description=_("run"))
    def run(self, job: Job) -> str:
        """From start to end of the newest attempt."""
        return duration(None if job.run_ms is None else job.run_ms / 1000)

    @admin.display(description=_("worker"), empty_value="-")
    def shown_worker(self, job: Job) -> str:
        """Who ran it."""
        return visible(job.worker)

    @admin.display(description=_("error"), empty_value="-")
    def shown_error_start(self, job: Job) -> str:
        """The beginning of the error: the list reads no more of it."""
        return visible(Truncator(job.error_start).chars(ERROR_SHOWN))

    @admin.display(description=_("error"), empty_value="-")
    def shown_error(self, job: Job) -> str:
        """The error of the newest attempt."""
        return _as_text(visible(job.error[:SHOWN_MAX])) if job.error else ""

    @admin.display(description=_("payload"))
    def shown_body(self, job: Job) -> str:
        """The message as it was sent; JSON laid out, its numbers as they were written."""
        return _as_text(payload(job.body))

    # --- queries -------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """The rows without their long texts in the list, where fifty of them could be megabytes."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        if match is not None and match.url_name == "queueing_job_changelist":
            return rows.defer("body", "error").annotate(error_start=Left("error", ERROR_SHOWN + 1))
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """A whole id is looked up in the index, a part of one has to be its beginning."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if len(term) == ID_LENGTH:
            return queryset.filter(message_id=term), False
        return queryset.filter(message_id__startswith=term), False

    # --- permissions and pages -----------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only what was processed is here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """What happened has happened; who may change jobs may look at them."""
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what happened to the job, step by step."""
        context["events"] = events(context["original"])
        return super().render_change_form(request, context, *args, **kwargs)


def _as_text(text: str) -> str:
    return format_html('<pre class="queueing-text">{}</pre>', text)
