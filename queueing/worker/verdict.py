"""What a run came to: the word for its end, and how its error is put into words."""

import traceback

from ..context import Context
from ..handlers import Runnable
from ..policies import DEFAULT_POLICY

#: Code that is not here may be of a release that is on its way to this worker. A message is given back for it
#: so often, late, and about an hour long in all; it is no attempt, so all of them are left once it is here.
WAITS = 10
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 30, 600


class MayNotRunAgain(Exception):
    """What may run only once has been begun before, and nobody knows how far it came."""

    def __init__(self) -> None:
        super().__init__("its process died while it ran, and it may be tried only once")


class TimedOut(Exception):
    """A run took longer than its policy allows."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it ran longer than its time limit of {seconds:g} s")


def verdict(
    runnable: Runnable | None, context: Context, error: BaseException | None, *, max_attempts: int
) -> tuple[str, int]:
    """The word for this end, and the ms until the next attempt."""
    if error is None:
        return "done", 0
    if runnable is None and getattr(error, "may_come", False):
        if context.releases >= WAITS:
            return "dead", 0
        return "released", 1000 * min(FIRST_WAIT_SECONDS * 2**context.releases, MAX_WAIT_SECONDS)
    # Where no code was found, what says so may say how often to try.
    policy = runnable.policy if runnable else getattr(error, "policy", DEFAULT_POLICY)
    if context.attempt >= (policy.max_attempts or max_attempts):
        return "dead", 0
    try:
        delay_seconds = (
            runnable.delay_seconds(error, context)
            if runnable
            else policy.delay_seconds(error, context.attempt)
        )
        return "retrying", int(delay_seconds * 1000)
    except Exception as broken:
        # A back-off function that fails must not cost the message its retry.
        error.add_note(f"and its back-off function raised {sentence(broken)}")
        return "retrying", int(DEFAULT_POLICY.delay_seconds(error, context.attempt) * 1000)


def sentence(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as broken:
        text = f"(its str() raised {type(broken).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def class_path(error: BaseException) -> str:
    """The dotted path of an error's class."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except BaseException as broken:
        return f"{sentence(error)} (no traceback: {type(broken).__name__})"
