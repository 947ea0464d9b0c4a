"""Each second a message with the tick's second. Runs are written to the ledger."""

import os
from datetime import datetime

from queueing.handlers import handler
from queueing.messages import Message
from queueing.periodic import periodic
from tests.support.ledger import LEDGER_VARIABLE, write


def second(tick: datetime) -> str:
    return f"{tick.timestamp():.0f}"


def _note(message: Message) -> None:
    for event in ("start", "end"):
        write(os.environ[LEDGER_VARIABLE], event, message.id, message.rc, message.body)


@periodic(seconds=1, missed="all", body=second)
@handler("all-ticks")
def note_all(message: Message) -> None:
    """Each tick, including those without a worker."""
    _note(message)


@periodic("* * * * * *", missed="once", body=lambda tick: f"once {second(tick)}")
@handler("last-tick")
def note_last(message: Message) -> None:
    """Only the last of the ticks without a worker."""
    _note(message)
