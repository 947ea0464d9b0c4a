"""The verdict on a run: the state in which it ends, and the time until the next attempt."""

from typing import NamedTuple

from queueing.broker.outcomes import State
from queueing.context import Context
from queueing.handlers import Runnable
from queueing.policies import DEFAULT_POLICY, Policy, RetryIn, Snooze
from queueing.text.errors import sentence

#: If a worker lacks the code of a message, a newer release may have this code. So the message is given back
#: up to this many times, for about an hour in all. None of this counts as an attempt.
WAITS = 10
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 30, 600


class MayNotRunAgain(Exception):
    """A job that may run only once is not run again: an earlier run has started, and its end is unknown."""

    def __init__(self) -> None:
        super().__init__("its process died while it ran, and it may be tried only once")


class NotBegun(Exception):
    """A job was stopped before its code ran, after a worker had claimed it."""


class UnreadableMessage(Exception):
    """A message cannot be run as it was sent. No later attempt can succeed."""

    policy = Policy(max_attempts=1)


class TimedOut(TimeoutError):
    """A run took longer than its time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it ran longer than its time limit of {seconds:g} s")


class Verdict(NamedTuple):
    """The state of an outcome, the ms until the next attempt, and a note that is added to the traceback."""

    event: State
    delay_ms: int = 0
    note: str = ""


def verdict(
    runnable: Runnable | None, context: Context, error: BaseException | None, *, max_attempts: int
) -> Verdict:
    """Decide the state of a run that raised ``error`` or, if ``error`` is ``None``, succeeded. Raises
    nothing.

    This function calls code of the project, such as a back-off function. ``runnable`` is ``None`` if the code
    of the message was not found.
    """
    if error is None:
        return Verdict(State.DONE)
    if context.is_cancelled:
        return Verdict(State.CANCELLED)
    if runnable is None and getattr(error, "may_come", False):
        if context.releases >= WAITS:
            return Verdict(State.DEAD)
        wait_seconds = min(FIRST_WAIT_SECONDS * 2**context.releases, MAX_WAIT_SECONDS)
        return Verdict(State.RELEASED, 1000 * wait_seconds)
    policy = runnable.policy if runnable else _policy_of(error)
    if policy.is_last_attempt(error, context.attempt, max_attempts=max_attempts):
        return Verdict(State.DEAD)
    try:
        if isinstance(error, Snooze):
            # Without a delay it would go to the head of the queue, and keep all others waiting.
            return Verdict(State.RELEASED, max(1, int(error.seconds * 1000)))
        if isinstance(error, RetryIn):
            return Verdict(State.RETRYING, int(error.seconds * 1000))
        seconds = (
            runnable.delay_seconds(error, context)
            if runnable
            else policy.delay_seconds(error, context.attempt)
        )
        return Verdict(State.RETRYING, int(seconds * 1000))
    except BaseException as broken:
        # A back-off function that fails, even by SystemExit, must not cost the message its retry.
        note = f"The default back-off holds, because its back-off function failed: {sentence(broken)}\n"
        return Verdict(State.RETRYING, int(DEFAULT_POLICY.delay_seconds(error, context.attempt) * 1000), note)


def _policy_of(error: BaseException) -> Policy:
    """The policy for a message whose code was not found.

    An exception may have an attribute ``policy``. If ``error`` has one, it is returned, otherwise the default
    policy.
    """
    policy = getattr(error, "policy", None)
    return policy if isinstance(policy, Policy) else DEFAULT_POLICY
