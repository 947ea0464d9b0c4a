"""The page's buttons for developers and staff.

They send many messages, or one task that is slow, fails or runs later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.translation import gettext as _

import queueing
from queueing.resilience import database_guard

from . import hello, limits, tasks

#: The queue of the tasks that these buttons send.
TASK_QUEUE = tasks.count.queue_name

#: The most presses of these buttons by one client in a minute.
PRESSES_PER_MINUTE = 60
#: The most messages that one press can send.
MANY_MAX = 1000
#: The number of steps of the slow task, and the seconds that each step takes.
STEPS, STEP_SECONDS = 40, 0.25
#: The delay of the task that runs later.
LATER_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """The number of messages that a button has sent, and the id of the last one."""

    id: str
    count: int = 1


def may_use(request: HttpRequest) -> bool:
    """Whether this user may press the demo buttons: anyone in development, only staff in production.

    The database is queried only if the request has a session cookie. While the database is down, nobody
    counts as staff.
    """
    if settings.DEBUG:
        return True
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    if not hasattr(request, "is_of_staff"):
        # Once per request, because a database that is away may take seconds to fail.
        request.is_of_staff = _is_of_staff(request)  # type: ignore[attr-defined]
    return request.is_of_staff  # type: ignore[attr-defined]


def _is_of_staff(request: HttpRequest) -> bool:
    try:
        with database_guard():
            return bool(request.user.is_active and request.user.is_staff)
    except DatabaseError:
        return False


def send(name: str, request: HttpRequest) -> Sent:
    """Send the messages of the button ``name`` (a key of ``DEMOS``).

    Raises ``Refused`` if the user has no permission or if a limit is reached. Raises ``QueueError`` if a call
    of ``QueueClient`` fails.
    """
    if not may_use(request):
        raise limits.Refused(_("Only staff may do that. Log in to the admin first."), status=403)
    count = count_of(request.POST.get("count", "")) if name == "many" else 1
    queue = hello.QUEUE if name == "many" else TASK_QUEUE
    limits.admit(request, "demo", queue, count=count, per_minute=PRESSES_PER_MINUTE)
    return Sent(DEMOS[name](count), count)


def count_of(text: str) -> int:
    """Parse the number of messages in a form. It is limited to ``MANY_MAX``. Invalid text counts as 1."""
    return max(1, min(int(text), MANY_MAX)) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _many(count: int) -> str:
    queueing.create_queues()
    text = hello.greeting(datetime.now(UTC))
    messages = [f"{text}, {number} of {count}" for number in range(1, count + 1)]
    return queueing.get_client().send_messages(hello.QUEUE, messages)[-1]


def _slow(_count: int) -> str:
    return tasks.count.enqueue(STEPS, pause_seconds=STEP_SECONDS).id


def _failing(_count: int) -> str:
    return tasks.stumble.enqueue(2).id


def _later(_count: int) -> str:
    due = datetime.now(UTC) + timedelta(seconds=LATER_SECONDS)
    return tasks.remind.using(run_after=due).enqueue("the tea is ready").id


#: The function of each button, by the name of the button in the URL. The function sends the given number of
#: messages and returns the id of the last one. Buttons for tasks send one task.
DEMOS: dict[str, Callable[[int], str]] = {
    "many": _many,
    "slow": _slow,
    "failing": _failing,
    "later": _later,
}
