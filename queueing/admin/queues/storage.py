"""What Django would have asked the database about a queue, asked of Redis."""

from typing import Any

from django.contrib.admin.models import DELETION, LogEntry
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import queueing
from queueing.exceptions import QueueNotFound
from queueing.messages import QueuePolicy
from queueing.models import Queue

from .actions import is_actionable
from .changelist import as_row
from .forms import EDITABLE, NewQueueForm, QueueForm


class QueueStorage:
    """Reads, makes, sets and deletes the queues, and words what the admin's log keeps of it."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Queue | None:
        """The queue of that name with its figures and policy, ``None`` if there is none.

        Raises ``QueueUnavailable``, and ``SpoiltKey`` if one of its keys is of another type.
        """
        client = queueing.get_client()
        try:
            # The policy first: it knows where the dead letters are that the figures count.
            policy = client.get_queue_policy(object_id) if is_actionable(object_id) else QueuePolicy()
            found = client.figures_of_queue(object_id)
        except QueueNotFound:
            return None
        if not found:
            return None
        queue = as_row(found)
        queue.policy = policy
        return queue

    def save_model(
        self, request: HttpRequest, obj: Queue, form: QueueForm | NewQueueForm, change: bool
    ) -> None:
        """Make the queue, or set what was changed and only that."""
        form.save_to(queueing.get_client())

    def delete_model(self, request: HttpRequest, obj: Queue) -> None:
        """Delete the queue with all its messages."""
        queueing.get_client().delete_queue(obj.name)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict, set, list]:
        """Nothing in the database hangs on a queue."""
        return [str(queue) for queue in objs], {}, set(), []

    def construct_change_message(
        self, request: HttpRequest, form: QueueForm | NewQueueForm, formsets: Any, add: bool = False
    ) -> str:
        """For the admin's log: each value, or each before and after."""
        if add:
            return _("Created with %s.") % ", ".join(f"{name} {form.cleaned_data[name]}" for name in EDITABLE)
        changes = [
            f"{name} {_said(form.initial[name])} → {_said(form.cleaned_data[name])}"
            for name in form.changed_data
        ]
        return ", ".join(changes) or _("No fields changed.")

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """With what went with it; Django would only say that it was."""
        for queue in queryset:
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
    return ngettext("Deleted with its %d message.", "Deleted with its %d messages.", count) % count
