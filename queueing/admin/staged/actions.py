"""The actions that send staged messages now or delete them.

Each action has a confirmation page, and processes the messages in steps.
"""

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib.admin.models import DELETION
from django.db.models import QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.translation import gettext_lazy, ngettext_lazy

import queueing
from queueing.admin.jobs.call import LISTED_CHARACTERS, READ_CHARACTERS
from queueing.admin.long_actions import RowsAction, Slice, Work, counting
from queueing.models import StagedMessage
from queueing.transactional import backlog

from .choice import NAMES, rows_of
from .columns import WORDS, call_of

#: The number of rows that a confirmation page shows as examples.
EXAMPLES = 10


def listed(rows: "QuerySet[StagedMessage]") -> "QuerySet[StagedMessage]":
    """The rows with only the beginning of each payload, because a payload may have megabytes."""
    return rows.defer("body", "headers").annotate(body_start=Substr("body", 1, READ_CHARACTERS))


class StagedAction(RowsAction):
    """An action on staged messages. The query string of its URL selects the rows (``rows_of``)."""

    question_template = "admin/queueing/staged/question.html"
    left_text: ClassVar[Any]

    def do(self, database: str, ids: Sequence[int]) -> list[StagedMessage]:
        """Act on the rows ``ids``, and return the rows that were changed. Raises ``QueueUnavailable``."""
        raise NotImplementedError

    def get(self, request: HttpRequest) -> HttpResponse:
        choice = {name: request.GET[name] for name in NAMES if name in request.GET}
        rows = rows_of(choice)
        count = rows.count()
        # The user confirms the action for the rows that exist now. It ends at the newest of them, so that it
        # leaves out rows that are written later.
        work = Work(count, choice, notes={"after": 0, "until": backlog.newest(rows), "left": 0})
        examples = [
            (row, call_of(row, LISTED_CHARACTERS), WORDS[row.state]) for row in listed(rows)[:EXAMPLES]
        ]
        return self.ask(work, localize(count), examples=examples, count=count)

    def run(self, work: Work, this: Slice) -> None:
        rows, notes = rows_of(work.choice), work.notes
        for ids in backlog.in_steps(rows, after=notes["after"], until=notes["until"]):
            done = self.do(rows.db, ids)
            self.log_rows((row.pk, row.message_id, str(self.label)) for row in done)
            work.done += len(done)
            notes["left"] += len(ids) - len(done)
            notes["after"] = ids[-1]
            this.check()

    def left(self, work: Work) -> list[tuple[int, str]]:
        count = work.notes["left"]
        return [(count, counting(self.left_text, count))] if count else []

    def url_of(self, choice: dict[str, Any], *, at_end: bool = False) -> str:
        """The URL of the list, also if the user came from the page of one row.

        A row is deleted when its message is sent, so its page may no longer exist.
        """
        query = urlencode({name: text for name, text in choice.items() if name != "ids"})
        return f"{self.model_admin.list_url}?{query}" if query else self.model_admin.list_url


class Retry(StagedAction):
    """Send staged messages now, including messages that Redis has refused before."""

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
