"""Every second a message with the tick's second; what runs is noted in the ledger."""

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
    """Each tick, also those for which nobody was there."""
    _note(message)


@periodic("* * * * * *", missed="once", body=lambda tick: f"once {second(tick)}")
@handler("last-tick")
def note_last(message: Message) -> None:
    """Of the ticks for which nobody was there only the last."""
    _note(message)
