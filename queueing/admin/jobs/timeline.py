"""The life of a processed job, as steps with the time between them."""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.db.models.functions import Left

from queueing.broker.outcomes import State
from queueing.models import Attempt, Job

#: Attempts that a job's page shows, the newest ones, and characters of the error and the traceback of each:
#: more than the recorder keeps.
ATTEMPTS_SHOWN = 50
ERROR_SHOWN, TRACEBACK_SHOWN = 4_000, 16_384


@dataclass(frozen=True, slots=True)
class Event:
    """One step: ``after_seconds`` is the time since the step before it."""

    at: datetime
    word: str
    after_seconds: float | None = None
    rc: int | None = None
    worker: str = ""
    error: str = ""
    traceback: str = ""
    #: Whether its traceback is the last one, which the page shows open.
    is_last_traceback: bool = False


def events(job: Job) -> list[Event]:
    """The steps of a job in order: sent, then start and outcome of each attempt."""
    steps = [Event(job.sent_at, "sent")] if job.sent_at else []
    for attempt in _attempts(job):
        if attempt.started_at:
            steps.append(Event(attempt.started_at, State.RUNNING, rc=attempt.rc, worker=attempt.worker))
        steps.append(
            Event(
                attempt.finished_at,
                attempt.outcome,
                rc=attempt.rc,
                worker=attempt.worker,
                error=attempt.error_start,
                traceback=attempt.traceback_start,
            )
        )
    for number in reversed(range(len(steps))):
        if steps[number].traceback:
            steps[number] = replace(steps[number], is_last_traceback=True)
            break
    return _with_gaps(steps)


def _attempts(job: Job) -> list[Attempt]:
    """The recorded attempts, oldest first; the job's own newest one where none was recorded."""
    rows = job.history.order_by("-rc").defer("error", "traceback")
    rows = rows.annotate(
        error_start=Left("error", ERROR_SHOWN), traceback_start=Left("traceback", TRACEBACK_SHOWN)
    )
    if recorded := list(rows[:ATTEMPTS_SHOWN])[::-1]:
        return recorded
    own = Attempt(
        rc=job.rc,
        outcome=job.state,
        started_at=job.started_at,
        finished_at=job.finished_at,
        worker=job.worker,
    )
    own.error_start, own.traceback_start = job.error_start[:ERROR_SHOWN], ""
    return [own]


def _with_gaps(steps: list[Event]) -> list[Event]:
    return steps[:1] + [
        replace(step, after_seconds=(step.at - before.at).total_seconds()) for before, step in pairwise(steps)
    ]
