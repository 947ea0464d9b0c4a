"""Warnings on the pages that are not about one queue."""

from django.http import HttpRequest

import queueing
from queueing.exceptions import QueueError
from queueing.monitoring import alerts


def console_alerts(request: HttpRequest) -> list[alerts.Alert]:
    """What there is to warn this person of; of queues only who may see them. None while Redis
    is away: no page is lost to its warnings."""
    try:
        found = alerts.current(queueing.get_client())
    except QueueError:
        return []
    if request.user.has_perm("queueing.view_queue") or request.user.has_perm("queueing.change_queue"):
        return found
    return [alert for alert in found if alert.kind != "unattended"]
