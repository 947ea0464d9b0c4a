"""Handlers that query the database, and print the state of its connection."""

import sys

from asgiref.sync import sync_to_async
from django.db import connection, transaction

from queueing.handlers import handler
from queueing.messages import Message
from queueing.models import Job


def _ask(message: Message) -> None:
    sys.stdout.write(f"SEEN {message.body} {len(connection.queries_log)}\n")
    sys.stdout.flush()
    if message.body == "begin":
        transaction.set_autocommit(False)
    Job.objects.count()


@handler("asking")
def ask(message: Message) -> None:
    """Query the database, and leave a transaction open if asked."""
    _ask(message)


@handler("asking-async")
async def ask_async(message: Message) -> None:
    """The same from an async function."""
    await sync_to_async(_ask)(message)
