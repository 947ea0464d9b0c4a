"""Reads queues from Redis for the admin, and describes changes of queues in the admin's log."""

from typing import Any

from django.contrib.admin.models import DELETION, LogEntry
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import queueing
from queueing.exceptions import QueueNotFound
from queueing.messages import QueuePolicy
from queueing.models import Queue

from .changelist import as_row
from .forms import EDITABLE, NewQueueForm, QueueForm, is_actionable


def read_queue(name: str) -> Queue | None:
    """Read the queue with this name, its figures and its policies. Returns ``None`` if it does not exist.

    Raises ``QueueUnavailable`` if Redis does not answer, and ``SpoiltKey`` if a key of the queue has the
    wrong type.
    """
    client = queueing.get_client()
    try:
        # Read the policy first: it names the dead-letter queue. The figures include the messages in that
        # queue.
        policy = client.get_queue_policy(name) if is_actionable(name) else QueuePolicy()
        found = client.figures_of_queue(name)
    except QueueNotFound:
        return None
    if not found:
        return None
    queue = as_row(found)
    queue.policy = policy
    return queue


def change_message(form: QueueForm | NewQueueForm, *, add: bool) -> str:
    """The text for the admin's log.

    It contains the attributes of a new queue, or the old and the new value of each changed field.
    """
    if add:
        return _("Created with %s.") % ", ".join(f"{name} {form.cleaned_data[name]}" for name in EDITABLE)
    changes = [
        f"{name} {_said(form.initial[name])} → {_said(form.cleaned_data[name])}" for name in form.changed_data
    ]
    return ", ".join(changes) or _("No fields changed.")


def log_deletion(request: HttpRequest, queue: Queue) -> None:
    """Log the deletion of a queue. Unlike Django's own entry, this one has the number of its messages."""
    LogEntry.objects.log_actions(
        user_id=request.user.pk,
        queryset=[queue],
        action_flag=DELETION,
        change_message=_deleted(queue),
        single_object=True,
    )


def _said(value: Any) -> str:
    return "–" if value in (None, "") else str(value)


def _deleted(queue: Queue) -> str:
    count = queue.figures.attributes.msgs
    return ngettext("Deleted with %d message.", "Deleted with %d messages.", count) % count
