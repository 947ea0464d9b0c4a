"""What the page's button does: one greeting into the queue, within the limits of a public page."""

from datetime import UTC, datetime

from django.utils.translation import gettext_lazy as _

import queueing

#: The queue that the page sends to and shows.
QUEUE = "testqueue"
#: How often one address may press the button in a minute.
POSTS_PER_MINUTE = 30
#: With so many messages in the queue the page takes no more.
MESSAGES_MAX = 10_000


class Refused(Exception):
    """The button was pressed too often, or the queue has enough to do already."""

    def __init__(self, sentence: str, *, status: int, retry_after_seconds: int) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def send(address: str) -> str:
    """Send the greeting for a visitor at ``address`` and return its message id.

    Raises ``Refused`` at a limit and ``QueueError`` as the client does.
    """
    _admit(address)
    return queueing.send_message(QUEUE, greeting(datetime.now(UTC)))


def greeting(now: datetime) -> str:
    """The text of the message, with the time as JavaScript's ``toISOString`` writes it."""
    return f"Hello World at {now.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def _admit(address: str) -> None:
    client = queueing.get_client()
    if client.count_hit(f"post {address}", 60) > POSTS_PER_MINUTE:
        raise Refused(
            _("That was %(count)d messages in a minute. Wait a moment, then press again.")
            % {"count": POSTS_PER_MINUTE},
            status=429,
            retry_after_seconds=60,
        )
    if any(queue.attributes.msgs >= MESSAGES_MAX for queue in client.queue_figures([QUEUE])):
        raise Refused(
            _("The queue is full: its workers have %(count)d messages to do first.")
            % {"count": MESSAGES_MAX},
            status=503,
            retry_after_seconds=30,
        )
