"""Doing something to many jobs: a question with their number, then bounded steps until all are done.

Each step is a POST that works for a second at the most. What is left to do travels signed in the
page between them, so it goes on from where it stopped, also after Redis was away in the middle.
"""

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from queueing.admin.links import address
from queueing.exceptions import QueueUnavailable
from queueing.models import Job
from queueing.templatetags.queueing_text import visible

from .actions import REFUSALS, VERBS, Deed, Errand, Verb
from .criteria import Criteria
from .search import Count, Found, JobSearch, Place, searched_text

#: Jobs at once, and seconds after which a step ends.
CHUNK = 100
STEP_SECONDS = 0.8
#: Seconds that finding examples and then counting for the question may take each, where no index knows.
COUNT_SECONDS = 0.05
#: Parameters that a refusal names, and characters of each.
NAMES_SHOWN, NAME_SHOWN = 5, 60
SALT = "queueing.admin.jobs.bulk"
#: Seconds after which a question is too old to be answered.
MAX_AGE_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come: ``place`` is where it goes on, ``None`` at the end.

    ``of`` is how many there are (at least, where that is not exact); ``refused`` counts by reason.
    """

    verb: str
    params: dict[str, str]
    token: str
    of: int
    is_exact: bool
    place: str | None
    done: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    new_id: str = ""

    @property
    def looked_at(self) -> int:
        """How many it has been through."""
        return self.done + sum(self.refused.values())

    def sign(self) -> str:
        """As a text that only this site can have written."""
        return signing.dumps(asdict(self), salt=SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> "Progress":
        """What ``sign`` wrote. Raises ``SuspiciousOperation`` for anything else."""
        try:
            return cls(**signing.loads(text, salt=SALT, max_age=MAX_AGE_SECONDS))
        except (signing.BadSignature, TypeError) as error:
            raise SuspiciousOperation("This question was not asked by this site, or too long ago.") from error

    def after(self, deeds: Sequence[Deed], found: Found) -> "Progress":
        """With what was done to the jobs of one chunk."""
        refused = Counter(self.refused)
        refused.update(deed.refusal for deed in deeds if deed.refusal)
        done = [deed for deed in deeds if not deed.refusal]
        return replace(
            self,
            place=str(found.following) if found.following else None,
            done=self.done + len(done),
            refused=dict(refused),
            new_id=done[-1].new_id if done else self.new_id,
        )


class JobBulk:
    """The view of one verb."""

    def __init__(self, model_admin: Any, request: HttpRequest, verb_name: str) -> None:
        if verb_name not in VERBS:
            raise Http404
        self.admin, self.request, self.verb = model_admin, request, VERBS[verb_name]
        if not may(model_admin, request, self.verb):
            raise PermissionDenied

    def respond(self) -> HttpResponse:
        """Ask on GET, do a step on POST."""
        if self.request.method != "POST":
            unread = Criteria.not_understood(self.request.GET.dict())
            return self._refuse(unread) if unread else self._ask(Criteria.read(self.request.GET))
        progress = Progress.read(self.request.POST.get("progress", ""))
        if progress.verb != self.verb.name:
            raise SuspiciousOperation("This question was about something else.")
        return self._step(progress)

    # --- asking --------------------------------------------------------------------------------

    def _refuse(self, unread: Sequence[str]) -> HttpResponse:
        """What is left out of a question would make it one about more jobs than were meant."""
        sentence = _(
            "Nothing is asked, because this cannot be read in the address: %(names)s. Choose the jobs in the "
            "list, and ask from there."
        )
        names = ", ".join(visible(name[:NAME_SHOWN]) for name in unread[:NAMES_SHOWN])
        context = {**self._frame(), "refusal": sentence % {"names": names}, "back": self._list_url()}
        return TemplateResponse(self.request, "admin/queueing/job/bulk_question.html", context, status=400)

    def _ask(self, criteria: Criteria) -> HttpResponse:
        search = JobSearch(criteria, _shown())
        first = search.find(None, limit=10, budget_seconds=COUNT_SECONDS)
        count = search.count() or search.count_on(first, budget_seconds=COUNT_SECONDS)
        # What is newer than the newest of now is not part of the question.
        place = Place(first.jobs[0].finished_at, first.jobs[0].pk + 1) if first.jobs else first.following
        progress = Progress(
            verb=self.verb.name,
            params=criteria.params(),
            token=secrets.token_urlsafe(9),
            of=count.number,
            is_exact=count.is_exact,
            place=str(place) if place else None,
        )
        context = {
            "examples": first.jobs,
            "count": count,
            "question": _counting(self.verb.question, count),
            "searched": searched_text(count.searched),
        }
        return self._page("admin/queueing/job/bulk_question.html", progress, criteria, context)

    # --- doing ---------------------------------------------------------------------------------

    def _step(self, progress: Progress) -> HttpResponse:
        criteria = Criteria.read(progress.params)
        search = JobSearch(criteria, Job.objects.defer("error") if self.verb.reads_body else _shown())
        errand = Errand(self.request.user.get_username(), progress.token)
        is_away, give_up = False, time.monotonic() + STEP_SECONDS
        while progress.place:
            found = search.find(Place.read(progress.place), limit=CHUNK)
            deeds, is_away = _do(self.verb, found.jobs, errand)
            self._log(deeds, criteria)
            if is_away:
                break
            progress = progress.after(deeds, found)
            if time.monotonic() > give_up:
                break
        if progress.place:
            context = {"is_away": is_away, "refusals": _refusals(progress)}
            return self._page("admin/queueing/job/bulk_progress.html", progress, criteria, context)
        return self._finish(progress, criteria)

    def _log(self, deeds: Sequence[Deed], criteria: Criteria) -> None:
        """Django's log: an entry for each job, but one for all where a whole filter is deleted."""
        done = [deed for deed in deeds if not deed.refusal]
        is_deletion = self.verb.permission == "delete"
        if is_deletion and criteria.ids is None and done:
            note = _("Deleted from the history: %(count)s jobs of the filter %(filter)s")
            texts = {"count": len(done), "filter": criteria.query_string() or "-"}
            self._write_log([self._entry("", note % texts, note % texts, DELETION)])
            return
        flag = DELETION if is_deletion else CHANGE
        self._write_log([self._entry(str(d.job.pk), d.job.message_id, d.note, flag) for d in done])

    def _entry(self, object_id: str, name: str, note: str, flag: int) -> LogEntry:
        return LogEntry(
            user_id=self.request.user.pk,
            content_type_id=ContentType.objects.get_for_model(Job).pk,
            object_id=object_id,
            object_repr=name[:200],
            action_flag=flag,
            change_message=note,
        )

    @staticmethod
    def _write_log(entries: list[LogEntry]) -> None:
        LogEntry.objects.bulk_create(entries)

    def _finish(self, progress: Progress, criteria: Criteria) -> HttpResponse:
        said = [_counting(self.verb.done, Count(progress.done, True))] if progress.done else []
        if progress.new_id and progress.done == 1:
            said = [_("It was sent again as %(id)s.") % {"id": visible(progress.new_id)}]
        said += [_("%(count)s left alone: %(reason)s.") % refusal for refusal in _refusals(progress)]
        level = messages.SUCCESS if progress.done else messages.WARNING
        self.admin.message_user(self.request, " ".join(said) or _("There was nothing to do."), level)
        return HttpResponseRedirect(self._back(criteria, is_over=True))

    def _back(self, criteria: Criteria, *, is_over: bool = False) -> str:
        """The page of the one job, or the list of all; a selection is forgotten."""
        if len(criteria.ids or ()) == 1 and not (is_over and self.verb.permission == "delete"):
            return address(self.admin.admin_site, "job_change", criteria.ids[0])
        query = criteria.query_string() if criteria.ids is None else ""
        return f"{self._list_url()}?{query}" if query else self._list_url()

    def _list_url(self) -> str:
        return address(self.admin.admin_site, "job_changelist")

    def _page(
        self, template: str, progress: Progress, criteria: Criteria, context: dict[str, Any]
    ) -> HttpResponse:
        context |= {
            **self._frame(),
            "progress": progress,
            "signed": progress.sign(),
            "criteria": criteria,
            "back": self._back(criteria),
            "end": self._back(criteria, is_over=True),
        }
        return TemplateResponse(self.request, template, context)

    def _frame(self) -> dict[str, Any]:
        return {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "media": self.admin.media,
            "title": self.verb.label,
            "verb": self.verb,
        }


def may(model_admin: Any, request: HttpRequest, verb: Verb) -> bool:
    """Whether this user may look at jobs and do that to them."""
    opts = model_admin.opts
    permission = f"{opts.app_label}.{verb.permission}_{opts.model_name}"
    return model_admin.has_view_permission(request) and request.user.has_perm(permission)


def _shown() -> Any:
    return Job.objects.only("message_id", "queue", "state", "handler", "finished_at")


def _counting(sentence: Any, count: Count) -> str:
    return sentence % {"count": count.number, "number": str(count)}


def _do(verb: Verb, jobs: Sequence[Job], errand: Errand) -> tuple[list[Deed], bool]:
    """What was done, and whether Redis went away before the end. Then the same jobs are tried again."""
    deeds: list[Deed] = []
    try:
        deeds += verb.do(jobs, errand)
    except QueueUnavailable:
        return deeds, True
    return deeds, False


def _refusals(progress: Progress) -> list[dict[str, Any]]:
    return [
        {"count": count, "reason": REFUSALS.get(word, word)}
        for word, count in sorted(progress.refused.items())
    ]
