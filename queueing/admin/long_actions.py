"""Actions on many messages or jobs, which take several requests.

Each request works for a second and returns a page, which sends the next request. The page contains the signed
state of the work, so the server stores nothing.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import localize
from django.utils.translation import gettext as _

from queueing.exceptions import QueueError
from queueing.templatetags.queueing_text import visible

from .base import Action, trouble_of

#: Seconds that one request works, short enough that a proxy in front of the site does not time out.
SLICE_SECONDS = 1.0
#: The maximum number of rows that a selection can name.
IDS_MAX = 500
#: Seconds for which a page that was left open can continue its work.
WORK_AGE_SECONDS = 86_400


def read_ids(text: str) -> tuple[int, ...]:
    """Parse up to ``IDS_MAX`` primary keys that are separated by commas. Other text is ignored."""
    digits = [part for part in text.split(",")[:IDS_MAX] if part.isascii() and part.isdecimal()]
    return tuple(int(part) for part in digits if len(part) < 19)


@dataclass
class Work:
    """The state of a long action. All values can be stored as JSON.

    ``choice`` is the selection of the user. ``done`` is the number of changed items, and ``total`` the number
    of all items. ``notes`` has values that the action keeps between its requests.
    """

    total: int
    choice: dict[str, Any] = field(default_factory=dict)
    done: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def sign(self, salt: str) -> str:
        """Return the state as signed text. Only this site can make the signature."""
        return signing.dumps(asdict(self), salt=salt, compress=True)

    @classmethod
    def read(cls, text: str, salt: str) -> "Work | None":
        """Read a state that ``sign`` wrote. Returns ``None`` if the signature is invalid or too old."""
        try:
            return cls(**signing.loads(text, salt=salt, max_age=WORK_AGE_SECONDS))
        except (signing.BadSignature, TypeError):
            return None


class SliceOver(Exception):
    """The time for this request is used up."""


class Slice:
    """The time limit of one request.

    Pass an instance to a method of the client as the argument ``progress``. The method calls it repeatedly.
    Each call records the progress in ``work``, and raises ``SliceOver`` if the time is used up before all is
    done.
    """

    def __init__(self, work: Work, seconds: float) -> None:
        self._work, self._before, self._end = work, work.done, monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._end

    def __call__(self, done: int, total: int) -> None:
        self._work.done = self._before + done
        if done < total:
            self.check()

    def check(self) -> None:
        """Raise ``SliceOver`` if the time is used up."""
        if self.is_over:
            raise SliceOver


class LongAction(Action):
    """An action that takes several requests. Each request does a part of the work, called a slice."""

    def run(self, work: Work, this: Slice) -> None:
        """Do the remaining work, and record the progress in ``work``.

        ``this`` is the time limit of the request. It raises ``SliceOver`` when the time is used up.
        """
        raise NotImplementedError

    def paused(self, work: Work) -> HttpResponse:
        """The response if work is left after a slice: a page that requests the next slice by itself."""
        raise NotImplementedError

    def broken_off(self, work: Work, error: QueueError) -> HttpResponse:
        """The response if ``error`` stopped the work: a page that reports the error.

        May raise ``error`` again instead.
        """
        raise NotImplementedError

    def finished(self, work: Work) -> HttpResponse:
        """The response when all work is done, such as a redirect with a message about the result."""
        raise NotImplementedError

    @property
    def salt(self) -> str:
        """The salt for signatures. It includes the user, so a signed state is valid only for that user."""
        return f"queueing.{self.model_admin.opts.model_name}.{self.name}.{self.request.user.pk}"

    def go_on(self, work: Work) -> HttpResponse:
        """Do one slice of the work, as much as fits into one request, and return the response."""
        try:
            self.run(work, Slice(work, SLICE_SECONDS))
        except SliceOver:
            return self.paused(work)
        except QueueError as error:
            return self.broken_off(work, error)
        return self.finished(work)


class RowsAction(LongAction):
    """An action on many rows of the database.

    GET shows the confirmation page. POST runs one step and answers with a page that posts the next step.
    ``question``, ``button`` and ``done_text`` are texts of ``ngettext_lazy``. They show ``%(number)s``, and
    select the plural form by ``count``.
    """

    question: ClassVar[Any]
    button: ClassVar[Any]
    notes: ClassVar[tuple[Any, ...]]
    done_text: ClassVar[Any]
    #: The action flag of the action's entries in the admin's log.
    flag: ClassVar[int] = CHANGE
    question_template: ClassVar[str]

    def url_of(self, choice: dict[str, Any], *, at_end: bool = False) -> str:
        """The URL of the page to which the user returns from the action.

        ``choice`` is the selection of the user. ``at_end`` is true if the action is done, and false if the
        user cancels it.
        """
        raise NotImplementedError

    def left(self, work: Work) -> list[tuple[int, str]]:
        """One tuple for each reason why rows were not changed: the number of such rows, and a sentence."""
        raise NotImplementedError

    def ask(self, work: Work, number: Any, **more: Any) -> HttpResponse:
        """The confirmation page for an action on ``work.total`` rows.

        ``number`` is the total in the form that the page shows. ``more`` is added to the template context.
        """
        context = {
            "question": counting(self.question, work.total, number),
            "button": counting(self.button, work.total, number),
            "is_empty": not work.total and work.choice.get("is_exact", True),
            "signed": work.sign(self.salt),
            "back_url": self.url_of(work.choice),
            **more,
        }
        return self.render(self.question_template, context)

    def post(self, request: HttpRequest) -> HttpResponse:
        work = Work.read(request.POST.get("work", ""), self.salt)
        if work is None:
            raise SuspiciousOperation("This question was not asked by this site, or too long ago.")
        return self.go_on(work)

    def paused(self, work: Work, halted: str = "") -> HttpResponse:
        left = self.left(work)
        looked_at = work.done + sum(number for number, _ in left)
        is_exact = work.choice.get("is_exact", True)
        context = {
            "base_template": "admin/queueing/rows/base.html",
            "signed": work.sign(self.salt),
            "told": _progress(looked_at, work.total, is_exact=is_exact),
            "value": looked_at,
            "max": work.total if is_exact else None,
            "lines": [sentence for _, sentence in left],
            "halted": halted,
            "back_url": self.url_of(work.choice),
            "end_url": self.url_of(work.choice, at_end=True),
        }
        return self.render("admin/queueing/live/progress.html", context)

    def broken_off(self, work: Work, error: QueueError) -> HttpResponse:
        if trouble := trouble_of(error):
            text = _("%s. The action stopped here. Continue once this is mended: no job is done twice.")
            return self.paused(work, text % visible(trouble))
        text = _(
            "Redis does not answer, so the action stopped here. Continue once it is back: no job is done "
            "twice."
        )
        return self.paused(work, text)

    def finished(self, work: Work) -> HttpResponse:
        said = [self.said(work)] if work.done else []
        said += [sentence for _, sentence in self.left(work)]
        level = messages.SUCCESS if work.done else messages.WARNING
        self.model_admin.message_user(self.request, " ".join(said) or _("There was nothing to do."), level)
        return HttpResponseRedirect(self.url_of(work.choice, at_end=True))

    def said(self, work: Work) -> str:
        """The sentence that reports the number of changed rows."""
        return counting(self.done_text, work.done)

    def log_rows(self, rows: Iterable[tuple[Any, str, str]]) -> None:
        """Write one entry for each row into the admin's log.

        Each tuple in ``rows`` has the primary key and the name of a row, and the text of the entry.
        """
        content_type = ContentType.objects.get_for_model(self.model_admin.model).pk
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=self.request.user.pk, content_type_id=content_type, object_id=str(key),
                object_repr=name[:200], action_flag=self.flag, change_message=note,
            )
            for key, name, note in rows
        )  # fmt: skip


def counting(sentence: Any, count: int, number: Any = None) -> str:
    """Fill a number into a text with plural forms.

    ``count`` selects the plural form. The text shows ``number``, or ``count`` if ``number`` is not given.
    """
    return sentence % {"count": count, "number": localize(count) if number is None else number}


def _progress(looked_at: int, total: int, *, is_exact: bool) -> str:
    words = {"looked_at": localize(looked_at), "of": localize(total)}
    if is_exact:
        return _("%(looked_at)s of %(of)s done") % words
    if not total:
        return _("%(looked_at)s done") % words
    return _("%(looked_at)s of at least %(of)s done") % words
