"""Tells two messages apart that have the same id, for the history.

Ids are unique, but another program may put an id into a queue again after its message has ended. The history
has one row per message: that of the earlier one then continues under ``<id>/<number>``.
"""

import itertools
from datetime import datetime
from typing import NamedTuple

from queueing.broker.outcomes import Outcome, State
from queueing.models import Attempt, Job

#: Characters of an id that are kept beside the number.
ID_CHARACTERS = 56


class End(NamedTuple):
    """How the newest delivery of a message ended, as far as it is known."""

    rc: int
    event: State
    finished_ms: float


def is_put_again(queue: str, id: str, end: End, outcome: Outcome, finished_at: datetime) -> bool:
    """Whether an outcome is of a later message than the one that ended so.

    A message that has ended is no longer in the queue, and its receive count only grows. So a valid
    delivery with a count that is not above is of another message, unless it is recorded a second time.
    """
    is_later = outcome.rc <= end.rc and outcome.finished_ms > end.finished_ms
    if not is_later or not (end.event.is_final and outcome.event.is_settled):
        return False
    recorded = Attempt.objects.filter(job__queue=queue, job__message_id=id, rc=outcome.rc)
    return not recorded.filter(outcome=outcome.event, finished_at=finished_at).exists()


def is_of_earlier(queue: str, id: str, end: End, outcome: Outcome, finished_at: datetime) -> bool:
    """Whether an outcome of an earlier message, whose job is set aside, is recorded a second time."""
    if outcome.finished_ms >= end.finished_ms:
        return False
    aside = f"{id[:ID_CHARACTERS]}/"
    earlier = Attempt.objects.filter(job__queue=queue, job__message_id__startswith=aside, rc=outcome.rc)
    return earlier.filter(outcome=outcome.event, finished_at=finished_at).exists()


def set_aside(queue: str, id: str) -> None:
    """Rename the job of the earlier message, so that the later one gets a row."""
    for number in itertools.count(1):
        aside = f"{id[:ID_CHARACTERS]}/{number}"
        if not Job.objects.filter(queue=queue, message_id=aside).exists():
            Job.objects.filter(queue=queue, message_id=id).update(message_id=aside)
            return
