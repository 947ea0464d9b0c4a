"""An action on many jobs: a confirmation page with their number, then steps of limited size until all are
done.

The action can continue after an interruption, for example while Redis was down.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.admin.base import Action, address, trouble_of
from queueing.admin.long_actions import Slice, Work, go_on
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.models import Job
from queueing.templatetags.queueing_text import visible

from .criteria import Criteria
from .search import Count, Found, JobSearch, Place, searched_text

#: Jobs of one step.
CHUNK = 100
#: Seconds that finding examples and then counting for the question may take each, where no index knows.
COUNT_SECONDS = 0.05
#: Parameters that a refusal names, and characters of each.
NAMES_SHOWN, NAME_SHOWN = 5, 60
#: Why nothing was done to a job.
REFUSALS = {
    "payload": gettext_lazy("the history does not have the whole payload"),
    "under way": gettext_lazy("the message is still in its queue and runs without this"),
    "no queue": gettext_lazy("the queue does not exist"),
    "too long": gettext_lazy("the payload is longer than the queue allows now"),
    "refused": gettext_lazy("the queue refused it"),
    "not dead": gettext_lazy("the job is not dead"),
    "no dead letter": gettext_lazy("the message is not ready in the dead-letter queue"),
    "running": gettext_lazy("a worker holds the message"),
    "hidden": gettext_lazy("another receiver holds the message"),
    "gone": gettext_lazy("the message is not in its queue"),
}


@dataclass(frozen=True, slots=True)
class Errand:
    """One confirmed action: its user, and a unique token."""

    user: str
    token: str


@dataclass(frozen=True, slots=True)
class Deed:
    """The result for one job: ``note`` for the log, or ``refused`` with a key of ``REFUSALS``."""

    job: Job
    note: str = ""
    refusal: str = ""
    new_id: str = ""


class JobAction(Action):
    """An action on the jobs that meet some criteria.

    GET shows the confirmation page for the criteria in the URL. POST runs one step and answers with a page
    that posts the next one. ``question``, ``button`` and ``done_text`` are plural-aware texts: ``count``
    selects the form, and ``number`` is the placeholder of the formatted number.
    """

    question: ClassVar[Any]
    button: ClassVar[Any]
    notes: ClassVar[tuple[Any, ...]]
    done_text: ClassVar[Any]
    #: Whether it needs the payloads.
    reads_body: ClassVar[bool] = False

    def do(self, jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
        """Act on these jobs. If it raises ``QueueUnavailable``, the remaining jobs are tried again later."""
        raise NotImplementedError

    # --- asking --------------------------------------------------------------------------------

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the confirmation page. Unknown query parameters are refused, because ignoring them selects
        more jobs.
        """
        unread = Criteria.not_understood(request.GET.dict())
        return self._refuse(unread) if unread else self._ask(Criteria.read(request.GET))

    def _refuse(self, unread: Sequence[str]) -> HttpResponse:
        sentence = _(
            "These parts of the address are not understood: %(names)s. Choose the jobs in the list, and "
            "start the action there."
        )
        names = ", ".join(visible(name[:NAME_SHOWN]) for name in unread[:NAMES_SHOWN])
        context = {"refusal": sentence % {"names": names}}
        return self.render("admin/queueing/job/bulk_question.html", context, status=400)

    def _ask(self, criteria: Criteria) -> HttpResponse:
        search = JobSearch(criteria, _shown())
        first = search.find(None, limit=10, budget_seconds=COUNT_SECONDS)
        count = search.count() or search.count_on(first, budget_seconds=COUNT_SECONDS)
        # Jobs that are newer than the newest of now are not part of the question.
        place = Place(first.jobs[0].finished_at, first.jobs[0].pk + 1) if first.jobs else first.following
        work = Work(
            count.number,
            {"params": criteria.params(), "token": secrets.token_urlsafe(9), "is_exact": count.is_exact},
            notes={"place": str(place) if place else None, "refused": {}, "new_id": ""},
        )
        context = {
            "examples": first.jobs,
            "count": count,
            "question": _counting(self.question, count),
            "button": _counting(self.button, count),
            "searched": searched_text(count.searched),
            "signed": work.sign(self._salt),
            "back_url": self._url_of(criteria),
        }
        return self.render("admin/queueing/job/bulk_question.html", context)

    # --- doing ---------------------------------------------------------------------------------

    def post(self, request: HttpRequest) -> HttpResponse:
        """Run one step of the action."""
        work = Work.read(request.POST.get("work", ""), self._salt)
        if work is None:
            raise SuspiciousOperation("This question was not asked by this site, or too long ago.")
        return go_on(self, work)

    def run(self, work: Work, this: Slice) -> None:
        criteria = Criteria.read(work.choice["params"])
        search = JobSearch(criteria, Job.objects.defer("error") if self.reads_body else _shown())
        errand = Errand(self.request.user.get_username(), work.choice["token"])
        while work.notes["place"]:
            found = search.find(Place.read(work.notes["place"]), limit=CHUNK)
            deeds: list[Deed] = []
            try:
                deeds += self.do(found.jobs, errand)
            finally:
                self._log_deeds(deeds, criteria)
            _count(work, deeds, found)
            if work.notes["place"]:
                this.check()

    def paused(self, work: Work, halted: str = "") -> HttpResponse:
        criteria = Criteria.read(work.choice["params"])
        looked_at = work.done + sum(work.notes["refused"].values())
        is_exact = work.choice["is_exact"]
        context = {
            "base_template": "admin/queueing/job/console_base.html",
            "signed": work.sign(self._salt),
            "told": _progress(looked_at, work.total, is_exact=is_exact),
            "value": looked_at,
            "max": work.total if is_exact else None,
            "lines": [_("%(count)s skipped: %(reason)s.") % refusal for refusal in _refusals(work)],
            "halted": halted,
            "back_url": self._url_of(criteria),
            "end_url": self._url_at_end(criteria),
        }
        return self.render("admin/queueing/live/progress.html", context)

    def broken_off(self, work: Work, error: QueueError) -> HttpResponse:
        if not isinstance(error, QueueUnavailable):
            raise error
        if trouble := trouble_of(error):
            text = _("%s. The action stopped here. Continue once this is mended: no job is done twice.")
            return self.paused(work, text % visible(trouble))
        text = _(
            "Redis does not answer, so the action stopped here. Continue once it is back: no job is done "
            "twice."
        )
        return self.paused(work, text)

    def finished(self, work: Work) -> HttpResponse:
        said = [_counting(self.done_text, Count(work.done, True))] if work.done else []
        if work.notes["new_id"] and work.done == 1:
            said = [_("The job was sent again as %(id)s.") % {"id": visible(work.notes["new_id"])}]
        said += [_("%(count)s skipped: %(reason)s.") % refusal for refusal in _refusals(work)]
        level = messages.SUCCESS if work.done else messages.WARNING
        self.model_admin.message_user(self.request, " ".join(said) or _("There was nothing to do."), level)
        return HttpResponseRedirect(self._url_at_end(Criteria.read(work.choice["params"])))

    def _log_deeds(self, deeds: Sequence[Deed], criteria: Criteria) -> None:
        """Write one entry per job into the admin's log, or only one if all jobs of a filter are deleted."""
        done = [deed for deed in deeds if not deed.refusal]
        is_deletion = self.permission == "delete_job"
        if is_deletion and criteria.ids is None and done:
            note = _("Deleted from the history: %(count)s jobs of the filter %(filter)s")
            note %= {"count": len(done), "filter": criteria.query_string() or "-"}
            LogEntry.objects.bulk_create([self._entry("", note, note, DELETION)])
            return
        flag = DELETION if is_deletion else CHANGE
        LogEntry.objects.bulk_create(
            self._entry(str(deed.job.pk), deed.job.message_id, deed.note, flag) for deed in done
        )

    def _entry(self, object_id: str, name: str, note: str, flag: int) -> LogEntry:
        return LogEntry(
            user_id=self.request.user.pk,
            content_type_id=ContentType.objects.get_for_model(Job).pk,
            object_id=object_id,
            object_repr=name[:200],
            action_flag=flag,
            change_message=note,
        )

    # --- addresses -----------------------------------------------------------------------------

    def _url_of(self, criteria: Criteria) -> str:
        """The URL of the one selected job, of the whole list for several jobs, else of the filtered list."""
        if criteria.ids is not None and len(criteria.ids) == 1:
            return address(self.model_admin.admin_site, "job_change", criteria.ids[0])
        query = criteria.query_string() if criteria.ids is None else ""
        return f"{self.model_admin.list_url}?{query}" if query else self.model_admin.list_url

    def _url_at_end(self, criteria: Criteria) -> str:
        is_gone = self.permission == "delete_job" and len(criteria.ids or ()) == 1
        return self.model_admin.list_url if is_gone else self._url_of(criteria)

    @property
    def _salt(self) -> str:
        return f"queueing.{self.name}.jobs.{self.request.user.pk}"


def _shown() -> Any:
    return Job.objects.only("message_id", "queue", "state", "handler", "finished_at")


def _counting(sentence: Any, count: Count) -> str:
    return sentence % {"count": count.number, "number": str(count)}


def _count(work: Work, deeds: Sequence[Deed], found: Found) -> None:
    """Add the results of one step to the work."""
    done = [deed for deed in deeds if not deed.refusal]
    refused = Counter(work.notes["refused"])
    refused.update(deed.refusal for deed in deeds if deed.refusal)
    work.done += len(done)
    work.notes["place"] = str(found.following) if found.following else None
    work.notes["refused"] = dict(refused)
    work.notes["new_id"] = done[-1].new_id if done else work.notes["new_id"]


def _progress(looked_at: int, total: int, *, is_exact: bool) -> str:
    words = {"looked_at": localize(looked_at), "of": localize(total)}
    if is_exact:
        return _("%(looked_at)s of %(of)s done") % words
    if not total:
        return _("%(looked_at)s done") % words
    return _("%(looked_at)s of at least %(of)s done") % words


def _refusals(work: Work) -> list[dict[str, Any]]:
    return [
        {"count": count, "reason": REFUSALS.get(word, word)}
        for word, count in sorted(work.notes["refused"].items())
    ]
