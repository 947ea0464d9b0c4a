"""The page's button: it sends one greeting, within the limits of a public page."""

from datetime import UTC, datetime

from django.http import HttpRequest

import queueing

from . import limits

#: The queue that the page sends to and shows.
QUEUE = "testqueue"
#: The most presses of one client in a minute.
POSTS_PER_MINUTE = 30


def send(request: HttpRequest) -> str:
    """Send the greeting for a visitor and return its message id.

    Raises ``Refused`` if a limit is reached, and ``QueueError`` if a call of ``QueueClient`` fails.
    """
    limits.admit(request, "post", QUEUE, per_minute=POSTS_PER_MINUTE)
    return queueing.send_message(QUEUE, greeting(datetime.now(UTC)))


def greeting(now: datetime) -> str:
    """The text of the message, with the time as JavaScript's ``toISOString`` writes it."""
    return f"Hello World at {now.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
