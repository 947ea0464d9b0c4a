"""Processed jobs: the diary, to read and search, and what can be done to what is in it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import helpers
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.admin.database_away import AnswersWithoutDatabase
from queueing.admin.downloads import payload_file
from queueing.admin.links import address, queue_url
from queueing.admin.overview import console_alerts
from queueing.admin.zone import ViewersZone
from queueing.broker.outcomes import State
from queueing.models import Job
from queueing.templatetags.queueing_text import SHOWN_MAX

from .actions import VERBS, Verb
from .bulk import JobBulk, may
from .changelist import JobList
from .columns import ERROR_SHOWN, JobColumns
from .criteria import IDS_MAX, Criteria
from .current_state import is_there, now
from .export import export
from .failures import LABELS, failures
from .filters import ExceptionFilter, HandlerFilter, QueueFilter, StateFilter, TimeFilter
from .news import live_url, news
from .timeline import ATTEMPTS_SHOWN, events

#: The columns of which a page shows the beginning.
LONG_TEXTS = ("body", "error", "result")


def _action(verb: Verb) -> Any:
    """The verb in the list's menu: it asks about the selected jobs."""

    @admin.action(description=verb.label, permissions=[verb.name])
    def ask(model_admin: "JobAdmin", request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse:
        selected = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)[:IDS_MAX]
        return HttpResponseRedirect(model_admin.verb_url(verb.name, ids=",".join(selected)))

    # Ours takes the place of Django's own deletion, which reads all rows and has no bound.
    ask.__name__ = "delete_selected" if verb.name == "forget" else verb.name
    return ask


@admin.register(Job)
class JobAdmin(ViewersZone, JobColumns, AnswersWithoutDatabase):
    """Newest first, read-only; what changes something is a verb with a permission of its own."""

    actions = tuple(_action(verb) for verb in VERBS.values())
    list_display = (
        *("message_id", "shown_state", "shown_handler", "shown_queue", "finished", "wait", "run"),
        *("attempts", "crashes", "shown_error_start", "sent", "started", "shown_worker"),
    )
    list_filter = (StateFilter, TimeFilter, QueueFilter, HandlerFilter, ExceptionFilter)
    list_per_page = 50
    ordering = ("-finished_at", "-id")
    search_fields = ("message_id",)
    search_help_text = gettext_lazy(
        "A message id, at least 8 characters of its beginning, or a text in the payload or the error (in "
        "their first 16,384 characters)."
    )
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    readonly_fields = (
        *("shown_queue", "shown_handler", "shown_state", "wait", "run", "shown_worker"),
        *("shown_error", "shown_reason", "shown_result", "shown_body"),
    )

    # --- queries -------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """The rows with no more of their long texts than is shown: each could be megabytes."""
        rows = super().get_queryset(request).defer(*LONG_TEXTS)
        match = request.resolver_match
        if match is not None and match.url_name == "queueing_job_changelist":
            return rows.annotate(error_start=Left("error", ERROR_SHOWN + 1))
        return rows.annotate(
            **{f"{name}_start": Left(name, SHOWN_MAX) for name in LONG_TEXTS},
            **{f"{name}_length": Length(name) for name in LONG_TEXTS},
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that searches instead of counting and skipping."""
        return JobList

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        """What there is to say of this job: an error and a result where it has one."""
        why = "reason" if obj and obj.state == State.CANCELLED else "error"
        texts = {why: obj and obj.error_length, "result": obj and obj.result_length, "body": True}
        rows = (
            ("shown_state", "attempts", "crashes", "rc"),
            ("shown_queue", "shown_handler", "shown_worker"),
            ("wait", "run"),
            *(f"shown_{name}" for name, is_there in texts.items() if is_there),
        )
        return ((None, {"fields": rows}),)

    # --- permissions ---------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only what was processed is here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """What happened has happened; who may change jobs may look at them."""
        return False

    def has_rerun_permission(self, request: HttpRequest) -> bool:
        """Whether this user may run jobs again."""
        return may(self, request, VERBS["rerun"])

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        """Whether this user may redrive."""
        return may(self, request, VERBS["redrive"])

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether this user may cancel."""
        return may(self, request, VERBS["cancel"])

    def has_forget_permission(self, request: HttpRequest) -> bool:
        """Whether this user may delete from the history."""
        return may(self, request, VERBS["forget"])

    # --- pages ---------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        """The pages of the model, and those of ours before them."""
        own = {
            "failures/": "failures",
            "export/": "export",
            "live/": "live",
            "all/<slug:verb>/": "verb",
            "<int:pk>/change/payload/": "payload",
            "<int:pk>/change/result/": "result",
        }
        return [
            path(
                route, self.admin_site.admin_view(getattr(self, f"{name}_view")), name=f"queueing_job_{name}"
            )
            for route, name in own.items()
        ] + super().get_urls()

    def verb_url(self, verb: str, **params: str) -> str:
        """Where it is asked about what these parameters say."""
        url = address(self.admin_site, "job_verb", verb)
        return f"{url}?{urlencode(params)}"

    def verb_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Ask about something to do to many jobs, and do it in steps."""
        return JobBulk(self, request, verb).respond()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with what this user may do to all that it goes through."""
        verbs = [verb for verb in VERBS.values() if may(self, request, verb)]
        # Where it asks what is new is made first: what comes in meanwhile is shown, told, or both.
        context = {"live_url": live_url(self.admin_site), "verbs": verbs, "alerts": console_alerts(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's address of a deletion leads to the one question about it that there is."""
        return HttpResponseRedirect(self.verb_url("forget", ids=unquote(object_id)))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what happened to the job step by step, where it is now, and what can be done to it."""
        job = context["original"]
        context["events"] = events(job)
        context["attempts_shown"] = ATTEMPTS_SHOWN
        context["has_more_attempts"] = job.history.count() > ATTEMPTS_SHOWN
        context["now"] = found = now(job)
        context["alerts"] = [] if found.state == "unknown" else console_alerts(request)
        context["verbs"] = [
            (verb.label, self.verb_url(verb.name, ids=str(job.pk)))
            for verb in VERBS.values()
            if verb.name in (*found.verbs, "forget") and may(self, request, verb)
        ]
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
        """Failures grouped by exception."""
        self._check_view(request)
        url = live_url(self.admin_site)
        found = failures(request.GET.get("period", ""))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": _("Failures"),
            "alerts": console_alerts(request),
            "live_url": url,
            "failures": found,
            "periods": [(word, label, word == found.period) for word, label in LABELS.items()],
        }
        return TemplateResponse(request, "admin/queueing/job/failures.html", context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Whether there is more than an open page shows."""
        self._check_view(request)
        context = {**news(request.GET.get("since", "")), "alerts": console_alerts(request)}
        return TemplateResponse(request, "admin/queueing/job/news_live.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The list as CSV."""
        self._check_view(request)
        return export(Criteria.read(request.GET))

    def payload_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The whole payload as a file, as the history keeps it."""
        self._check_view(request)
        job = get_object_or_404(Job.objects.only("message_id", "body"), pk=pk)
        return payload_file(job.body, job.message_id)

    def result_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The whole result as a file."""
        self._check_view(request)
        job = get_object_or_404(Job.objects.only("message_id", "result"), pk=pk)
        return payload_file(job.result, job.message_id, "result")

    def _check_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied
