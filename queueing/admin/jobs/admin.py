"""The admin of processed jobs: pages to read and search the history, and the actions on its jobs."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.admin.base import address, console_alerts, queue_url
from queueing.admin.downloads import payload_file
from queueing.admin.table import TableAdmin, in_menu
from queueing.broker.outcomes import State
from queueing.models import Job
from queueing.templatetags.queueing_text import SHOWN_MAX

from . import columns
from .actions import ACTIONS
from .call import HEADING_CHARACTERS, READ_CHARACTERS, call
from .changelist import (
    ExceptionFilter,
    HandlerFilter,
    JobList,
    QueueFilter,
    StateFilter,
    TimeFilter,
    live_url,
    news,
)
from .columns import ERROR_SHOWN
from .criteria import Criteria
from .detail import ATTEMPTS_SHOWN, events, is_there, now
from .export import export
from .failures import LABELS, failures

#: The columns of which a page shows only the beginning.
LONG_TEXTS = ("body", "error", "result")


class JobAdmin(TableAdmin):
    """The history of jobs: read-only, newest first."""

    verbs = ACTIONS
    actions = tuple(map(in_menu, ACTIONS.values()))
    list_display = columns.LISTED
    list_display_links = (columns.shown_call, columns.shown_id)
    list_filter = (StateFilter, TimeFilter, QueueFilter, HandlerFilter, ExceptionFilter)
    ordering = ("-finished_at", "-id")
    search_fields = ("message_id",)
    search_help_text = gettext_lazy(
        "A message id, at least its first 8 characters, or a text in the first 16,384 characters of the "
        "payload or the error."
    )
    show_full_result_count = False
    readonly_fields = columns.READ_ONLY

    # --- queries -------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """All jobs. Only the shown part of payloads, errors and results is read: they can be very long."""
        rows = super().get_queryset(request).defer(*LONG_TEXTS)
        if self.page_name(request) == "changelist":
            return rows.annotate(
                error_start=Left("error", ERROR_SHOWN + 1), body_start=Left("body", READ_CHARACTERS)
            )
        return rows.annotate(
            **{f"{name}_start": Left(name, SHOWN_MAX) for name in LONG_TEXTS},
            **{f"{name}_length": Length(name) for name in LONG_TEXTS},
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The change list class with keyset pagination instead of Django's counts and offsets."""
        return JobList

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        is_cancelled = obj is not None and obj.state == State.CANCELLED
        texts = (
            [columns.shown_reason if is_cancelled else columns.shown_error]
            if obj and obj.error_length
            else []
        )
        texts += [columns.shown_result] if obj and obj.result_length else []
        rows = (
            (columns.shown_state, "attempts", "crashes", "rc"),
            (columns.shown_queue, columns.shown_handler, columns.shown_worker),
            (columns.wait, columns.run, columns.shown_id),
            *texts,
            columns.shown_body,
        )
        return ((None, {"fields": rows}),)

    # --- pages ---------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        return [
            self.page("failures/", self.failures_view, "failures"),
            self.page("export/", self.export_view, "export"),
            self.page("live/", self.live_view, "live"),
            self.page("<int:pk>/change/payload/", self.payload_view, "payload"),
            self.page("<int:pk>/change/result/", self.result_view, "result"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        verbs = [action for action in ACTIONS.values() if self.may(request, action.permission)]
        # The live URL is made before the rows are read. So a job that is recorded in between is announced.
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "live_url": live_url(self.admin_site),
            "verbs": verbs,
            "alerts": console_alerts(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page of a job, with its timeline, the present state of its message, and possible actions."""
        job = context["original"]
        context["title"], context["subtitle"] = call(job, HEADING_CHARACTERS), None
        context["events"] = events(job)
        context["attempts_shown"] = ATTEMPTS_SHOWN
        context["has_more_attempts"] = job.history.count() > ATTEMPTS_SHOWN
        context["now"] = found = now(job)
        context["alerts"] = [] if found.state == "unknown" else console_alerts(request)
        context["verbs"] = self.offered(request, {"ids": str(job.pk)}, (*found.verbs, "forget"))
        if found.state == State.RUNNING and self.may(request, "stop_job"):
            url = address(self.admin_site, "queue_stop", job.queue)
            context["verbs"].insert(0, (_("Stop"), f"{url}?{urlencode({'ids': job.message_id})}"))
        context["show_delete"] = False
        sees_queues = request.user.has_perm(f"{self.opts.app_label}.view_queue")
        has_link = sees_queues and (found.state in ("unknown", "unreadable") or is_there(job.queue))
        context["queue_url"] = queue_url(self.admin_site, job.queue) if has_link else ""
        is_over = found.state in ("", State.DEAD, "unknown", "unreadable")
        context["is_ended"] = is_over and not job.runs_again
        response = super().render_change_form(request, context, *args, **kwargs)
        if "part" in request.GET:  # what changes, alone
            response.template_name = "admin/queueing/job/live.html"
        return response

    def failures_view(self, request: HttpRequest) -> HttpResponse:
        url = live_url(self.admin_site)
        found = failures(request.GET.get("period", ""))
        context = {
            "alerts": console_alerts(request),
            "live_url": url,
            "failures": found,
            "periods": [(word, label, word == found.period) for word, label in LABELS.items()],
        }
        return self.render(request, "admin/queueing/job/failures.html", _("Failures"), context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The response to the poll of an open page: the number of newly processed jobs, and the warnings."""
        context = {**news(request.GET.get("since", "")), "alerts": console_alerts(request)}
        return TemplateResponse(request, "admin/queueing/job/news_live.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        return export(Criteria.read(request.GET))

    def payload_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A download of the whole payload that is stored in the history, with secrets masked."""
        job = get_object_or_404(Job.objects.only("message_id", "body"), pk=pk)
        return payload_file(job.body, job.message_id)

    def result_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = get_object_or_404(Job.objects.only("message_id", "result"), pk=pk)
        return payload_file(job.result, job.message_id, "result")
