"""Django signals that this package sends.

Connect receivers in ``AppConfig.ready`` or in a ``handlers.py``, so that every process of a worker has them.

The comment above each signal lists its arguments and when it is sent. The types of arguments are:

- ``context``: a ``queueing.context.Context``
- ``outcome``: an ``Outcome``, whose ``event`` is the state
- ``queue``, ``worker``, ``child``: names
- ``ids``, ``queues``: lists of texts
- ``messages``: a sequence of texts and ``Draft`` objects

The child process that ran a job sends ``job_finished``, in the thread that claims: a slow receiver delays the
next claim. For jobs that were killed, abandoned, released or cancelled, the recorder (the thread of a worker
that writes outcomes into the database) sends the signal after it has written them. If the recorder is killed,
it may send the signal twice.

A signal without receivers costs nothing. An error in a receiver is logged, and has no other effect.
"""

import logging
from typing import Any

from django.dispatch import Signal

from .broker.outcomes import Outcome, State

__all__ = [
    "Outcome", "child_started", "child_stopping", "job_dead", "job_finished", "job_retrying", "job_started",
    "message_sent", "worker_started", "worker_stopping",
]  # fmt: skip

logger = logging.getLogger("queueing")

#: ``queue``, ``ids``, ``messages``: after Redis has stored messages, in the process that sends. If a
#: schedule sends for several ticks at once, only the last message is in ``messages``.
message_sent = Signal(use_caching=True)
#: ``context``: before the code of a message runs, in its thread.
job_started = Signal(use_caching=True)
#: ``outcome``: after a delivery has ended in any state.
job_finished = Signal(use_caching=True)
#: ``outcome``: after ``job_finished``, if the job runs again.
job_retrying = Signal(use_caching=True)
#: ``outcome``: after ``job_finished``, if the job is dead.
job_dead = Signal(use_caching=True)
#: ``worker``, ``queues``: in the supervisor, before it starts a child.
worker_started = Signal(use_caching=True)
#: ``worker``: in the supervisor, when it begins to stop. The stop waits for the receivers.
worker_stopping = Signal(use_caching=True)
#: ``worker``, ``child``: in a child, before it claims. Set up here what exists once per process, such as a
#: pool or a tracer.
child_started = Signal(use_caching=True)
#: ``worker``, ``child``: in a child that has finished its jobs, before it exits. Functions of ``atexit``
#: do not run in a child.
child_stopping = Signal(use_caching=True)


def emit(signal: Signal, sender: Any, **arguments: Any) -> None:
    """Send a signal of Django or of this package if it has receivers. Raises nothing."""
    if not signal.receivers:
        return
    try:
        signal.send_robust(sender, **arguments)
    except BaseException:
        # Django catches and logs every ``Exception`` of a receiver, but not SystemExit.
        logger.exception("A receiver of a signal failed")


def emit_finished(outcome: Outcome) -> None:
    """Send ``job_finished``, then also ``job_retrying`` or ``job_dead`` if the outcome has that state."""
    if job_finished.receivers:
        emit(job_finished, type(outcome), outcome=outcome)
    if outcome.event == State.RETRYING:
        emit(job_retrying, type(outcome), outcome=outcome)
    elif outcome.event == State.DEAD:
        emit(job_dead, type(outcome), outcome=outcome)
