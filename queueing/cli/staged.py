"""The subcommands staged, send-staged and delete-staged of ``manage.py queues``.

They are for messages that a transaction has stored in a table (staged), and that are not sent yet.
"""

from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import QuerySet

from queueing.client import QueueClient
from queueing.models import StagedMessage
from queueing.transactional import backlog
from queueing.transactional.databases import searched

from .base import YES, Verb, arg, json, message_id, peeked
from .output import Refused, Screen, counted, moment

COLUMNS = ("message", "queue", "database", "staged", "state", "reason")


IDS = arg("ids", metavar="ID", nargs="*", type=message_id, help="ids of messages (default: all)")
CHOICE = (
    arg("--refused", action="store_true", help="only those that Redis has refused"),
    arg("--database", metavar="ALIAS", help="only those of one database (default: all)"),
)


class Staged(Verb):
    name = "staged"
    help = "messages of transactions that are not sent yet"
    description = """\
List the oldest messages that a transaction has staged and Redis has not
acknowledged. Waiting ones are sent by a worker. Refused ones stay with the
reason: see send-staged and delete-staged."""
    arguments = (
        *CHOICE,
        arg("--count", type=peeked, default=100, metavar="N", help="most rows (default: 100)"),
        json("an array with an object for each message"),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        chosen = _chosen(options)
        rows = [row for of_one in chosen for row in of_one.defer("body", "headers")[: options.count]]
        left = sum(of_one.count() for of_one in chosen) - len(rows)
        if options.json:
            screen.json([_as_json(row) for row in rows])
            return
        if not rows:
            screen.say("No staged message is refused." if options.refused else "No message is staged.")
            return
        screen.table([COLUMNS, *map(_words, rows)], right=False)
        if left > 0:
            screen.note(f"{left} more.")


class SendStaged(Verb):
    name = "send-staged"
    help = "send staged messages now"
    description = """\
Send staged messages now, all of them or those of the given ids. A message that
was sent meanwhile is not sent again. One that is refused keeps the new reason."""
    arguments = (IDS, *CHOICE)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        sent, tried = _in_steps(screen, options, "sent", partial(backlog.retry, client))
        screen.say(f"Sent {counted(sent)}.")
        if tried > sent:
            screen.note(
                f'{counted(tried - sent)} not sent: "manage.py queues staged --refused" has the reasons.'
            )


class DeleteStaged(Verb):
    name = "delete-staged"
    help = "delete staged messages, which are not sent then"
    description = """\
Delete staged messages, all of them or those of the given ids. They are lost.
The other changes of their transactions stay."""
    arguments = (IDS, *CHOICE, YES)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        if not options.yes:
            count = sum(rows.count() for rows in _chosen(options))
            if count:
                screen.confirm(f"Delete {counted(count, 'staged message')}? No worker sends them then.")
        deleted, _ = _in_steps(screen, options, "deleted", backlog.delete)
        screen.say(f"Deleted {counted(deleted, 'staged message')}.")


def _chosen(options: Namespace) -> list["QuerySet[StagedMessage]"]:
    """Return a query for each database, for the rows that the options select, oldest first.

    Raises ``Refused`` if the project stages no messages in the database that the options name.
    """
    aliases = searched()
    if options.database and options.database not in aliases:
        raise Refused(f"No message is staged in {options.database}. The databases are: {', '.join(aliases)}.")
    only: dict[str, Any] = {"is_refused": True} if options.refused else {}
    if ids := getattr(options, "ids", None):
        only["message_id__in"] = ids
    named = [options.database] if options.database else aliases
    return [StagedMessage.objects.using(alias).filter(**only).order_by("id") for alias in named]


def _in_steps(
    screen: Screen, options: Namespace, done: str, act: Callable[[str, list[int]], list[StagedMessage]]
) -> tuple[int, int]:
    """Call ``act`` on the selected rows in steps. Returns the numbers of changed rows and of selected rows.

    ``done`` is a word for the finished work, such as ``sent``. It is printed if the command is interrupted.
    """
    count = tried = 0
    screen.so_far = lambda: f"{counted(count)} {done} so far"
    for rows in _chosen(options):
        for ids in backlog.in_steps(rows, until=backlog.newest(rows)):
            count += len(act(rows.db, ids))
            tried += len(ids)
    screen.so_far = lambda: ""
    return count, tried


def _words(row: StagedMessage) -> tuple[str, ...]:
    return (
        row.message_id,
        row.queue,
        str(row._state.db),
        moment(int(row.staged_at.timestamp())),
        row.state,
        row.refusal or "-",
    )


def _as_json(row: StagedMessage) -> dict[str, Any]:
    return {
        "id": row.message_id,
        "queue": row.queue,
        "database": row._state.db,
        "staged_ms": int(row.staged_at.timestamp() * 1000),
        "due_ms": row.due_ms,
        "state": row.state,
        "reason": row.refusal,
    }
