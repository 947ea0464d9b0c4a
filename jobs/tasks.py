"""Examples of Django's tasks on the queue of this site. From a shell (``manage.py shell``)::

    from datetime import timedelta
    from django.utils import timezone
    from jobs.tasks import count, remind, stumble, tidy
    slow = count.enqueue(20)  # its progress is in the admin
    failing = stumble.enqueue(2)  # fails twice and is tried again
    later = remind.using(run_after=timezone.now() + timedelta(minutes=1)).enqueue("tea")
    now = tidy.enqueue()  # a worker sends it every five minutes anyway

and a little later::

    failing.refresh()
    failing.status, failing.attempts, failing.errors
"""

import logging
import time

from queueing.periodic import periodic
from queueing.tasks import TaskContext, policy, progress, task

logger = logging.getLogger(__name__)


@task
def count(to: int, *, pause_seconds: float = 0.5) -> int:
    """Count to ``to`` with a pause before each number, and report the progress. Returns ``to``."""
    for number in range(1, to + 1):
        time.sleep(pause_seconds)
        progress(number / to, f"{number} of {to}")
    return to


@policy(max_attempts=5, backoff=4)
@task(takes_context=True)
def stumble(context: TaskContext, times: int) -> str:
    """Fail ``times`` times, then succeed."""
    if context.attempt <= times:
        raise ConnectionError(f"the other end hung up, {context.attempt} of {times}")
    return f"done with attempt {context.attempt}"


@task
def remind(text: str) -> None:
    """Log a text. This task demonstrates ``run_after``."""
    logger.info("remember: %r", text)


@periodic(seconds=300)
@task
def tidy() -> str:
    return "all is tidy"
