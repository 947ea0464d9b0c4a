"""The actions on processed jobs: run again, redrive, cancel, delete from the history.

An action can be repeated safely, for example after a lost reply or a double click. A payload that is sent
again has a deduplication id, which is made from the token of the confirmation page and the key of the job.
Redriving, cancelling or deleting a job a second time has no effect.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.contrib.admin.models import DELETION
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

import queueing
from queueing.broker.outcomes import State
from queueing.exceptions import MessageTooLong, QueueNotFound, QueueUnavailable
from queueing.history import writer
from queueing.messages import Draft
from queueing.models import Job
from queueing.policies.above import above

from .job_action import Deed, Errand, JobAction

#: The deduplication period in seconds. Within it, a repeated action does not send a payload a second time.
ERRAND_SECONDS = 3600


class Rerun(JobAction):
    name = "rerun"
    permission = "rerun_job"
    label = gettext_lazy("Run again")
    question = ngettext_lazy("Run %(number)s job again?", "Run %(number)s jobs again?", "count")
    button = ngettext_lazy("Run %(number)s job again", "Run %(number)s jobs again", "count")
    notes = (
        gettext_lazy(
            "The stored payload is sent to the same queue again, as a new message with a new id "
            "and all its attempts."
        ),
        gettext_lazy("Headers are not stored, so the new message has none."),
        gettext_lazy("Jobs that are still in their queue are skipped."),
        gettext_lazy("Dead letters are kept. Redrive moves them back instead."),
    )
    done_text = ngettext_lazy("%(number)s job was sent again.", "%(number)s jobs were sent again.", "count")
    reads_body = True

    def do(self, jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
        for queue, group in _by_queue(jobs):
            sendable = []
            for job in group:
                if refusal := _why_not_again(job):
                    yield Deed(job, refusal=refusal)
                else:
                    sendable.append(job)
            yield from _sent(queue, sendable, errand)


class Redrive(JobAction):
    name = "redrive"
    permission = "redrive_job"
    label = gettext_lazy("Redrive")
    question = ngettext_lazy("Redrive %(number)s job?", "Redrive %(number)s jobs?", "count")
    button = ngettext_lazy("Redrive %(number)s job", "Redrive %(number)s jobs", "count")
    notes = (
        gettext_lazy(
            "Dead letters are moved back to their queue with the same id, payload and headers, "
            "and get all their attempts again."
        ),
        gettext_lazy("Jobs without a dead letter are skipped."),
    )
    done_text = ngettext_lazy("%(number)s job was redriven.", "%(number)s jobs were redriven.", "count")

    def do(self, jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
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


class Cancel(JobAction):
    """Delete the waiting messages of the jobs from their queues, and record them as cancelled."""

    name = "cancel"
    permission = "cancel_job"
    label = gettext_lazy("Cancel")
    question = ngettext_lazy("Cancel %(number)s job?", "Cancel %(number)s jobs?", "count")
    button = ngettext_lazy("Cancel %(number)s job", "Cancel %(number)s jobs", "count")
    notes = (
        gettext_lazy(
            "Waiting messages, for example those to be retried, are deleted from their queue and recorded "
            "as cancelled."
        ),
        gettext_lazy("Messages that a worker or another receiver holds are skipped."),
    )
    done_text = ngettext_lazy("%(number)s job was cancelled.", "%(number)s jobs were cancelled.", "count")
    destroys = True

    def do(self, jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
        client = queueing.get_client()
        reason = f"cancelled by {errand.user}"
        for queue, group in _by_queue(jobs):
            ids = [job.message_id for job in group]
            words = _attempted(lambda queue=queue, ids=ids: client.cancel_messages(queue, ids, reason=reason))
            if isinstance(words, str):
                words = [words] * len(group)
            for job, word in zip(group, words, strict=True):
                yield Deed(job, note=_("Cancelled.")) if word == State.CANCELLED else Deed(job, refusal=word)


class Forget(JobAction):
    """Delete jobs from the history. Their messages in queues are kept."""

    name = "forget"
    permission = "delete_job"
    label = gettext_lazy("Delete from the history")
    question = ngettext_lazy(
        "Delete %(number)s job from the history?", "Delete %(number)s jobs from the history?", "count"
    )
    button = ngettext_lazy("Delete %(number)s job", "Delete %(number)s jobs", "count")
    notes = (
        gettext_lazy("The record of the job and of its attempts is deleted."),
        gettext_lazy("Messages in queues are kept."),
    )
    done_text = ngettext_lazy("%(number)s job was deleted.", "%(number)s jobs were deleted.", "count")
    destroys = True
    flag = DELETION

    def do(self, jobs: Sequence[Job], errand: Errand) -> Iterator[Deed]:
        writer.forget([job.pk for job in jobs])
        for job in jobs:
            yield Deed(job, note=_("Deleted from the history."))


ACTIONS: dict[str, type[JobAction]] = {action.name: action for action in (Rerun, Redrive, Cancel, Forget)}


def _by_queue(jobs: Sequence[Job]) -> list[tuple[str, list[Job]]]:
    groups: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.queue].append(job)
    return list(groups.items())


def _attempted(call: Callable[[], Any]) -> Any:
    """Return the result of ``call`` or, if the client refuses it, the reason as a key of ``REFUSALS``.

    If ``call`` raises ``QueueUnavailable``, the error is raised again, so that the user can continue the
    action later. Any other error counts as a refusal.
    """
    try:
        return call()
    except QueueUnavailable:
        raise
    except QueueNotFound:
        return "no queue"
    except MessageTooLong:
        return "too long"
    except Exception:
        # The key function of a handler's policy may raise any error.
        return "refused"


def _why_not_again(job: Job) -> str:
    if not job.body_is_whole:
        return "payload"
    if job.runs_again:
        found = _attempted(lambda: queueing.get_client().peek_message(job.queue, job.message_id))
        return found if isinstance(found, str) else "under way" if found else ""
    return ""


def _sent(queue: str, jobs: list[Job], errand: Errand) -> Iterator[Deed]:
    """Send the payloads of ``jobs`` again in one call of the client, and yield the result for each job.

    If this call is refused, for example because one payload is too long, each payload is sent in a separate
    call.
    """
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
    headers = above.limit_of_task(job.body)
    return Draft(body=job.body, headers=headers, deduplication_id=once, deduplication_seconds=ERRAND_SECONDS)
