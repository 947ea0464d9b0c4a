"""Distinguishes two messages with the same id in the history.

Ids are unique, but after a message has ended, another program may send it again with the same id. The history
has one row for each id in a queue, so the row of the earlier message is renamed to ``<id>/<number>``.
"""

import itertools
from datetime import datetime
from typing import NamedTuple

from queueing.broker.outcomes import Outcome, State
from queueing.models import Attempt, Job

#: A renamed row keeps this many characters of the id before the number.
ID_CHARACTERS = 56


class End(NamedTuple):
    """The recorded end of the newest delivery of a message."""

    rc: int
    event: State
    finished_ms: float


def is_put_again(queue: str, id: str, end: End, outcome: Outcome, finished_at: datetime) -> bool:
    """Whether ``outcome`` belongs to a later message with the same id as a message that has already ended.

    ``end`` is the recorded end of the earlier message. The receive count of a message only rises. So if
    ``outcome`` finished after ``end`` but has no higher receive count, it belongs to another message. If
    ``outcome`` is already recorded, the function returns ``False``.
    """
    is_later = outcome.rc <= end.rc and outcome.finished_ms > end.finished_ms
    if not is_later or not (end.event.is_final and outcome.event.is_settled):
        return False
    recorded = Attempt.objects.filter(job__queue=queue, job__message_id=id, rc=outcome.rc)
    return not recorded.filter(outcome=outcome.event, finished_at=finished_at).exists()


def is_of_earlier(queue: str, id: str, end: End, outcome: Outcome, finished_at: datetime) -> bool:
    """Whether ``outcome`` is already recorded for an earlier message with this id, whose row was renamed."""
    if outcome.finished_ms >= end.finished_ms:
        return False
    aside = f"{id[:ID_CHARACTERS]}/"
    earlier = Attempt.objects.filter(job__queue=queue, job__message_id__startswith=aside, rc=outcome.rc)
    return earlier.filter(outcome=outcome.event, finished_at=finished_at).exists()


def set_aside(queue: str, id: str) -> None:
    """Rename the row of an ended message to ``<id>/<number>``, to make room for a later one with its id."""
    for number in itertools.count(1):
        aside = f"{id[:ID_CHARACTERS]}/{number}"
        if not Job.objects.filter(queue=queue, message_id=aside).exists():
            Job.objects.filter(queue=queue, message_id=id).update(message_id=aside)
            return
