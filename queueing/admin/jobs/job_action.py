"""An action on many jobs.

The confirmation page shows the number of jobs. The action then runs in steps of limited size until all jobs
are done. It can be continued after an interruption, for example after Redis was down.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.admin.models import DELETION
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.admin.base import address
from queueing.admin.long_actions import RowsAction, Slice, Work, counting
from queueing.models import Job
from queueing.templatetags.queueing_text import visible

from .criteria import Criteria
from .search import Found, JobSearch, Place, searched_text

#: The maximum number of jobs per step.
CHUNK = 100
#: The maximum seconds to find examples for the confirmation page. Counting its jobs may take as long again.
#: Both limits apply only to a search for which no index is enough, so that rows are checked one by one.
COUNT_SECONDS = 0.05
#: The maximum number of parameters that a refusal names, and the maximum characters of each name.
NAMES_SHOWN, NAME_SHOWN = 5, 60
#: The reasons why a job was not changed, by key.
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
    """A confirmed action: the name of the user who runs it, and its unique token."""

    user: str
    token: str


@dataclass(frozen=True, slots=True)
class Deed:
    """The result of an action for one job.

    ``note`` is the text for the admin's log if the job was changed. Otherwise, ``refusal`` is a key of
    ``REFUSALS``. ``new_id`` is the id of the message if a payload was sent again.
    """

    job: Job
    note: str = ""
    refusal: str = ""
    new_id: str = ""


class JobAction(RowsAction):
    """An action on the jobs that meet the criteria in the query string."""

    question_template = "admin/queueing/job/bulk_question.html"
    #: Whether the action needs the payloads of the jobs.
    reads_body: ClassVar[bool] = False

    def do(self, jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
        """Act on these jobs, and yield the result for each job.

        May raise ``QueueUnavailable``. If the user then continues the action, ``do`` is called with the same
        jobs again.
        """
        raise NotImplementedError

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the confirmation page.

        Unknown query parameters are refused, because the action would change more jobs if it ignored them.
        """
        unread = Criteria.not_understood(request.GET.dict())
        return self._refuse(unread) if unread else self._ask(Criteria.read(request.GET))

    def _refuse(self, unread: Sequence[str]) -> HttpResponse:
        sentence = _(
            "These parts of the address are not understood: %(names)s. Choose the jobs in the list, and "
            "start the action there."
        )
        names = ", ".join(visible(name[:NAME_SHOWN]) for name in unread[:NAMES_SHOWN])
        return self.render(self.question_template, {"refusal": sentence % {"names": names}}, status=400)

    def _ask(self, criteria: Criteria) -> HttpResponse:
        search = JobSearch(criteria, _shown())
        first = search.find(None, limit=10, budget_seconds=COUNT_SECONDS)
        count = search.count() or search.count_on(first, budget_seconds=COUNT_SECONDS)
        # The user confirms the action for the jobs that exist now. It begins at the newest of them, so that
        # it leaves out jobs that are recorded later.
        place = Place(first.jobs[0].finished_at, first.jobs[0].pk + 1) if first.jobs else first.following
        work = Work(
            count.number,
            {"params": criteria.params(), "token": secrets.token_urlsafe(9), "is_exact": count.is_exact},
            notes={"place": str(place) if place else None, "refused": {}, "new_id": ""},
        )
        searched = searched_text(count.searched)
        return self.ask(work, str(count), examples=first.jobs, count=count, searched=searched)

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

    def left(self, work: Work) -> list[tuple[int, str]]:
        text = _("%(count)s skipped: %(reason)s.")
        return [
            (count, text % {"count": count, "reason": REFUSALS.get(word, word)})
            for word, count in sorted(work.notes["refused"].items())
        ]

    def said(self, work: Work) -> str:
        if work.notes["new_id"] and work.done == 1:
            return _("The job was sent again as %(id)s.") % {"id": visible(work.notes["new_id"])}
        return counting(self.done_text, work.done, f"{work.done:,}")

    def _log_deeds(self, deeds: Sequence[Deed], criteria: Criteria) -> None:
        """Write an entry for each changed job into the admin's log.

        If all jobs that match a filter are deleted, each step writes a single entry instead.
        """
        done = [deed for deed in deeds if not deed.refusal]
        if self.flag == DELETION and criteria.ids is None and done:
            note = _("Deleted from the history: %(count)s jobs of the filter %(filter)s")
            note %= {"count": len(done), "filter": criteria.query_string() or "-"}
            self.log_rows([("", note, note)])
        else:
            self.log_rows((deed.job.pk, deed.job.message_id, deed.note) for deed in done)

    def url_of(self, choice: dict[str, Any], *, at_end: bool = False) -> str:
        """The URL to which the user returns: the page of a single selected job, otherwise the list of jobs.

        If a filter selected the jobs, the list has the same filter. ``at_end`` is true when the action is
        done. If the action then has deleted a single job, the URL is that of the list, because the job has no
        page any more.
        """
        criteria = Criteria.read(choice["params"])
        if criteria.ids is not None and len(criteria.ids) == 1 and not (at_end and self.flag == DELETION):
            return address(self.model_admin.admin_site, "job_change", criteria.ids[0])
        query = criteria.query_string() if criteria.ids is None else ""
        return f"{self.model_admin.list_url}?{query}" if query else self.model_admin.list_url


def _shown() -> Any:
    return Job.objects.only("message_id", "queue", "state", "handler", "finished_at")


def _count(work: Work, deeds: Sequence[Deed], found: Found) -> None:
    """Add the results of one step to ``work``."""
    done = [deed for deed in deeds if not deed.refusal]
    refused = Counter(work.notes["refused"])
    refused.update(deed.refusal for deed in deeds if deed.refusal)
    work.done += len(done)
    work.notes["place"] = str(found.following) if found.following else None
    work.notes["refused"] = dict(refused)
    work.notes["new_id"] = done[-1].new_id if done else work.notes["new_id"]
