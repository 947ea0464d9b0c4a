"""The limits of the public page: presses of a button per minute, and messages in a queue."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

import queueing

#: The page refuses to send if the queue would then have more messages than this.
MESSAGES_MAX = 10_000


class Refused(Exception):
    """A button was pressed too often or without permission, or the queue is full."""

    def __init__(self, sentence: str, *, status: int, retry_after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def admit(request: HttpRequest, button: str, queue: str, *, count: int = 1, per_minute: int) -> None:
    """Check that a visitor may send ``count`` messages to ``queue`` with one press of ``button``.

    ``per_minute`` is the number of presses per minute that are allowed from the visitor's network. Raises
    ``Refused`` if there were more, or if the queue is full. Raises ``QueueError`` if a call of
    ``QueueClient`` fails.
    """
    client = queueing.get_client()
    network = request.META.get("CLIENT_NETWORK")  # by the site's middleware
    if client.count_hit(f"{button} {network}", 60) > per_minute:
        raise Refused(
            _("That was %(count)d messages in a minute. Wait a moment, then press again.")
            % {"count": per_minute},
            status=429,
            retry_after_seconds=60,
        )
    if any(found.attributes.msgs + count > MESSAGES_MAX for found in client.queue_figures([queue])):
        raise Refused(
            _("The queue is full: its workers have %(count)d messages to do first.")
            % {"count": MESSAGES_MAX},
            status=503,
            retry_after_seconds=30,
        )
