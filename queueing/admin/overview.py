"""Warnings on the pages that are not about one queue."""

from django.http import HttpRequest

import queueing
from queueing.exceptions import QueueError
from queueing.monitoring import alerts


def console_alerts(request: HttpRequest) -> list[alerts.Alert]:
    """The warnings for this person, those of queues only for people who may see queues.

    Empty while Redis is away, because a page must not fail for its warnings.
    """
    try:
        found = alerts.current(queueing.get_client())
    except QueueError:
        return []
    if request.user.has_perm("queueing.view_queue") or request.user.has_perm("queueing.change_queue"):
        return found
    return [alert for alert in found if alert.kind != "unattended"]
