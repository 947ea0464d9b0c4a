"""The actions on staged messages: send them now, or delete them. Each has a confirmation page and works in
steps.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

import queueing
from queueing.admin.base import Action, trouble_of
from queueing.admin.jobs.call import LISTED_CHARACTERS, READ_CHARACTERS
from queueing.admin.long_actions import Slice, Work, go_on
from queueing.exceptions import QueueError
from queueing.models import StagedMessage
from queueing.templatetags.queueing_text import visible
from queueing.transactional import backlog

from .choice import Choice
from .columns import REFUSED, WAITING, WORDS, call_of

#: Rows of one step, and rows that a question shows.
CHUNK, EXAMPLES = 100, 10


def listed(rows: "QuerySet[StagedMessage]") -> "QuerySet[StagedMessage]":
    """The rows, with only the beginning of each payload: a payload can have megabytes."""
    return rows.defer("body", "headers").annotate(body_start=Substr("body", 1, READ_CHARACTERS))


class StagedAction(Action):
    """An action on the rows of a ``Choice``. GET shows the confirmation page, POST runs one step.

    ``question``, ``button`` and ``done_text`` are plural-aware texts: ``count`` selects the form, and
    ``number`` is the placeholder of the formatted number.
    """

    question: ClassVar[Any]
    button: ClassVar[Any]
    notes: ClassVar[tuple[Any, ...]]
    done_text: ClassVar[Any]
    left_text: ClassVar[Any]
    flag: ClassVar[int] = CHANGE

    def do(self, database: str, ids: Sequence[int]) -> list[StagedMessage]:
        """Act on the rows ``ids``, and return those that were changed. Raises ``QueueUnavailable``."""
        raise NotImplementedError

    # --- asking --------------------------------------------------------------------------------

    def get(self, request: HttpRequest) -> HttpResponse:
        choice = Choice.read(request.GET.dict())
        count = choice.rows().count()
        newest = choice.rows().order_by("-id").values_list("id", flat=True).first()
        # Rows that are newer than the newest of now are not part of the question.
        work = Work(count, choice.params(), notes={"after": 0, "until": newest or 0, "left": 0})
        context = {
            "examples": [
                (row, call_of(row, LISTED_CHARACTERS), WORDS[REFUSED if row.is_refused else WAITING])
                for row in listed(choice.rows())[:EXAMPLES]
            ],
            "count": count,
            "question": _counting(self.question, count),
            "button": _counting(self.button, count),
            "signed": work.sign(self._salt),
            "back_url": self._url_of(choice),
        }
        return self.render("admin/queueing/staged/question.html", context)

    # --- doing ---------------------------------------------------------------------------------

    def post(self, request: HttpRequest) -> HttpResponse:
        """Run one step of the action."""
        work = Work.read(request.POST.get("work", ""), self._salt)
        if work is None:
            raise SuspiciousOperation("This question was not asked by this site, or too long ago.")
        return go_on(self, work)

    def run(self, work: Work, this: Slice) -> None:
        choice = Choice.read(work.choice)
        while True:
            rows = choice.rows().filter(id__gt=work.notes["after"], id__lte=work.notes["until"])
            ids = list(rows.values_list("id", flat=True)[:CHUNK])
            if not ids:
                return
            done = self.do(choice.database, ids)
            self._log(done)
            work.done += len(done)
            work.notes["left"] += len(ids) - len(done)
            work.notes["after"] = ids[-1]
            this.check()

    def paused(self, work: Work, halted: str = "") -> HttpResponse:
        looked_at = work.done + work.notes["left"]
        words = {"looked_at": localize(looked_at), "of": localize(work.total)}
        context = {
            "base_template": "admin/queueing/staged/console_base.html",
            "signed": work.sign(self._salt),
            "told": _("%(looked_at)s of %(of)s done") % words,
            "value": looked_at,
            "max": work.total,
            "lines": self._left(work),
            "halted": halted,
            "back_url": self._url_of(Choice.read(work.choice)),
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
        said = [_counting(self.done_text, work.done)] if work.done else []
        said += self._left(work)
        level = messages.SUCCESS if work.done else messages.WARNING
        self.model_admin.message_user(self.request, " ".join(said) or _("There was nothing to do."), level)
        return HttpResponseRedirect(self._url_of(Choice.read(work.choice)))

    def _left(self, work: Work) -> list[str]:
        return [_counting(self.left_text, work.notes["left"])] if work.notes["left"] else []

    def _log(self, done: Sequence[StagedMessage]) -> None:
        content_type = ContentType.objects.get_for_model(StagedMessage).pk
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=self.request.user.pk, content_type_id=content_type, object_id=str(row.pk),
                object_repr=row.message_id, action_flag=self.flag, change_message=str(self.label),
            )
            for row in done
        )  # fmt: skip

    def _url_of(self, choice: Choice) -> str:
        """The URL of the list.

        The page of a single row is not used, because the row may have been deleted.
        """
        query = choice.query_string(with_ids=False)
        return f"{self.model_admin.list_url}?{query}" if query else self.model_admin.list_url

    @property
    def _salt(self) -> str:
        return f"queueing.{self.name}.staged.{self.request.user.pk}"


class Retry(StagedAction):
    """Send staged messages now, also those that Redis has refused."""

    name = "retry"
    permission = "retry_stagedmessage"
    label = gettext_lazy("Send now")
    question = ngettext_lazy(
        "Send %(number)s staged message now?", "Send %(number)s staged messages now?", "count"
    )
    button = ngettext_lazy("Send %(number)s message", "Send %(number)s messages", "count")
    notes = (
        gettext_lazy("A message that was sent meanwhile is not sent again."),
        gettext_lazy("A message that is refused again stays here with the new reason."),
    )
    done_text = ngettext_lazy("%(number)s message was sent.", "%(number)s messages were sent.", "count")
    left_text = ngettext_lazy(
        "%(number)s message was not sent: see its reason in the list.",
        "%(number)s messages were not sent: see their reasons in the list.",
        "count",
    )

    def do(self, database: str, ids: Sequence[int]) -> list[StagedMessage]:
        return backlog.retry(queueing.get_client(), database, ids)


class Delete(StagedAction):
    """Delete staged messages without sending them."""

    name = "delete"
    permission = "delete_stagedmessage"
    label = gettext_lazy("Delete")
    question = ngettext_lazy(
        "Delete %(number)s staged message?", "Delete %(number)s staged messages?", "count"
    )
    button = ngettext_lazy("Delete %(number)s message", "Delete %(number)s messages", "count")
    notes = (
        gettext_lazy("The message is lost: no worker sends it. The data of its transaction stays as it is."),
        gettext_lazy("A message that a process is sending at this moment may still be sent."),
    )
    done_text = ngettext_lazy("%(number)s message was deleted.", "%(number)s messages were deleted.", "count")
    left_text = ngettext_lazy(
        "%(number)s message was not there any more.", "%(number)s messages were not there any more.", "count"
    )
    destroys = True
    flag = DELETION

    def do(self, database: str, ids: Sequence[int]) -> list[StagedMessage]:
        return backlog.delete(database, ids)


ACTIONS: dict[str, type[StagedAction]] = {action.name: action for action in (Retry, Delete)}


def _counting(sentence: Any, count: int) -> str:
    return sentence % {"count": count, "number": localize(count)}
