"""What can be done to processed jobs: run again, redrive, cancel, forget; and what came of it for each.

All of it may be repeated after a lost reply or a second click: what is sent again carries a
deduplication id made of the errand, and moved, cancelled and forgotten jobs are so once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

import queueing
from queueing.broker.outcomes import State
from queueing.exceptions import MessageTooLong, QueueError, QueueNotFound, QueueUnavailable
from queueing.history import writer
from queueing.messages import Draft
from queueing.models import Job

#: How long a second click on the same errand sends nothing new.
ERRAND_SECONDS = 3600

#: Why nothing was done to a job.
REFUSALS = {
    "payload": gettext_lazy("the history does not have the whole payload as it was sent"),
    "under way": gettext_lazy("it is still in its queue and will run by itself"),
    "no queue": gettext_lazy("its queue is not there"),
    "too long": gettext_lazy("it is longer than its queue allows now"),
    "refused": gettext_lazy("the queue refused it"),
    "not dead": gettext_lazy("it is not dead"),
    "no dead letter": gettext_lazy("it does not lie ready in the dead-letter queue"),
    "running": gettext_lazy("a worker holds it"),
    "hidden": gettext_lazy("another receiver has it"),
    "gone": gettext_lazy("it is not in its queue"),
}


@dataclass(frozen=True, slots=True)
class Errand:
    """Who does something, and a token that no other errand has."""

    user: str
    token: str


@dataclass(frozen=True, slots=True)
class Deed:
    """What came of one job: ``note`` for the log, or why it was refused (a key of ``REFUSALS``)."""

    job: Job
    note: str = ""
    refusal: str = ""
    new_id: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """Something to do to jobs; ``permission`` is Django's, without the model's name.

    ``question`` and ``done`` are sentences of a ``count``, which is written as ``number``.
    """

    name: str
    permission: str
    label: Any
    question: Any
    notes: tuple[Any, ...]
    done: Any
    do: Callable[[Sequence[Job], Errand], Iterator[Deed]]
    is_destructive: bool = False
    reads_body: bool = False


def rerun(jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
    """Send the payload of each job anew to its queue."""
    for queue, group in _by_queue(jobs):
        sendable = []
        for job in group:
            if refusal := _why_not_again(job):
                yield Deed(job, refusal=refusal)
            else:
                sendable.append(job)
        yield from _sent(queue, sendable, errand)


def redrive(jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
    """Move each dead job's letter back to its queue."""
    client = queueing.get_client()
    for job in jobs:
        if job.state != State.DEAD:
            yield Deed(job, refusal="not dead")
            continue
        with_refusal = _attempted(lambda job=job: client.redrive(job.queue, ids=[job.message_id]))
        if isinstance(with_refusal, str):
            yield Deed(job, refusal=with_refusal)
        elif with_refusal:
            yield Deed(job, note=_("Redriven."))
        else:
            yield Deed(job, refusal="no dead letter")


def cancel(jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
    """Delete from its queue what nobody has begun to work on."""
    client = queueing.get_client()
    reason = f"cancelled by {errand.user}"
    for queue, group in _by_queue(jobs):
        ids = [job.message_id for job in group]
        words = _attempted(lambda queue=queue, ids=ids: client.cancel_messages(queue, ids, reason=reason))
        if isinstance(words, str):
            words = [words] * len(group)
        for job, word in zip(group, words, strict=True):
            yield Deed(job, note=_("Cancelled.")) if word == State.CANCELLED else Deed(job, refusal=word)


def forget(jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
    """Delete rows of the history; what lies in a queue is not touched."""
    writer.forget([job.pk for job in jobs])
    for job in jobs:
        yield Deed(job, note=_("Deleted from the history."))


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "rerun",
            "rerun",
            gettext_lazy("Run again"),
            ngettext_lazy("Run %(number)s job again?", "Run %(number)s jobs again?", "count"),
            (
                gettext_lazy(
                    "The stored payload is sent anew to the same queue, as a new message with a new id "
                    "and all its attempts."
                ),
                gettext_lazy("Headers are not stored, so the new message has none."),
                gettext_lazy("What is still in its queue is left alone."),
                gettext_lazy("A dead letter stays where it is; redrive moves it instead."),
            ),
            ngettext_lazy("%(number)s job was sent again.", "%(number)s jobs were sent again.", "count"),
            rerun,
            reads_body=True,
        ),
        Verb(
            "redrive",
            "redrive",
            gettext_lazy("Redrive"),
            ngettext_lazy("Redrive %(number)s job?", "Redrive %(number)s jobs?", "count"),
            (
                gettext_lazy(
                    "Dead jobs whose messages still lie in the dead-letter queue are moved back: same id, "
                    "same payload and headers, and all attempts again."
                ),
                gettext_lazy("Others are left alone."),
            ),
            ngettext_lazy("%(number)s job was redriven.", "%(number)s jobs were redriven.", "count"),
            redrive,
        ),
        Verb(
            "cancel",
            "cancel",
            gettext_lazy("Cancel"),
            ngettext_lazy("Cancel %(number)s job?", "Cancel %(number)s jobs?", "count"),
            (
                gettext_lazy(
                    "What waits in its queue, to be retried for example, is deleted from it and recorded "
                    "as cancelled."
                ),
                gettext_lazy("What a worker or another receiver has is left alone."),
            ),
            ngettext_lazy("%(number)s job was cancelled.", "%(number)s jobs were cancelled.", "count"),
            cancel,
            is_destructive=True,
        ),
        Verb(
            "forget",
            "delete",
            gettext_lazy("Delete from the history"),
            ngettext_lazy(
                "Delete %(number)s job from the history?", "Delete %(number)s jobs from the history?", "count"
            ),
            (
                gettext_lazy("The record of the job and of its attempts is deleted."),
                gettext_lazy("Messages in queues are not touched."),
            ),
            ngettext_lazy("%(number)s job was deleted.", "%(number)s jobs were deleted.", "count"),
            forget,
            is_destructive=True,
        ),
    )
}


def _by_queue(jobs: Sequence[Job]) -> list[tuple[str, list[Job]]]:
    groups: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.queue].append(job)
    return list(groups.items())


def _attempted(call: Callable[[], Any]) -> Any:
    """What the call returns, or why the queue refused it. Raises ``QueueUnavailable``."""
    try:
        return call()
    except QueueUnavailable:
        raise
    except QueueNotFound:
        return "no queue"
    except MessageTooLong:
        return "too long"
    except QueueError:
        return "refused"


def _why_not_again(job: Job) -> str:
    if not job.body_is_whole:
        return "payload"
    if job.runs_again:
        found = _attempted(lambda: queueing.get_client().peek_message(job.queue, job.message_id))
        return found if isinstance(found, str) else "under way" if found else ""
    return ""


def _sent(queue: str, jobs: list[Job], errand: Errand) -> Iterator[Deed]:
    """Send them together; where the queue refuses one of them, each by itself."""
    if not jobs:
        return
    drafts = [_draft(job, errand) for job in jobs]
    ids = _attempted(lambda: queueing.get_client().send_messages(queue, drafts))
    if isinstance(ids, str) and len(jobs) > 1:
        for job in jobs:
            yield from _sent(queue, [job], errand)
        return
    for number, job in enumerate(jobs):
        if isinstance(ids, str):
            yield Deed(job, refusal=ids)
        else:
            yield Deed(job, note=_("Sent again as %(id)s.") % {"id": ids[number]}, new_id=ids[number])


def _draft(job: Job, errand: Errand) -> Draft:
    once = f"again {errand.token} {job.pk}"
    return Draft(body=job.body, deduplication_id=once, deduplication_seconds=ERRAND_SECONDS)
