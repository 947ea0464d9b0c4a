"""A function chooses the end of its run: it gives up, retries at a time of its own, or snoozes."""

import asyncio
import copy
import math
import pickle
import re
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from queueing.handlers import GiveUp, RetryIn, Snooze, policy
from queueing.worker.retries import TimedOut

BAD_SECONDS = [-1, -0.001, math.nan, math.inf, 10_000_000, "60", True, None, timedelta(seconds=5), [1]]


def raising(error, *, is_async, **marks):
    """A handler that raises ``error``, with a policy of ``marks``."""

    def work(message):
        raise error

    async def work_async(message):
        await asyncio.sleep(0)
        raise error

    return policy(**marks)(work_async if is_async else work)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request):
    return request.param


def test_a_job_that_gives_up_is_dead_after_its_first_attempt(process, is_async):
    outcome = process(raising(GiveUp("the order was deleted"), is_async=is_async))
    assert (outcome.event, outcome.attempts, outcome.error) == ("dead", 1, "GiveUp: the order was deleted")
    assert "work" in outcome.traceback


def test_a_job_may_give_up_without_a_reason(process, is_async):
    outcome = process(raising(GiveUp, is_async=is_async))
    assert (outcome.event, outcome.error) == ("dead", "GiveUp")


def test_a_job_chooses_when_it_is_retried(process, is_async):
    work = raising(RetryIn(90, "the limit of the API is reached"), is_async=is_async, backoff=5)
    outcome = process(work)
    assert (outcome.event, outcome.delay_ms, outcome.attempts) == ("retrying", 90_000, 1)
    assert outcome.error == "RetryIn: the limit of the API is reached"
    assert process(work, failed=3).event == "retrying"
    assert process(work, failed=4).event == "dead"


def test_a_job_snoozes_without_an_attempt_however_often_it_ran(process, is_async):
    outcome = process(raising(Snooze(60), is_async=is_async, max_attempts=1), failed=7)
    assert (outcome.event, outcome.delay_ms, outcome.attempts) == ("released", 60_000, 7)
    assert (outcome.error, outcome.traceback, outcome.exception) == (
        "Snooze: runs again after 60 s",
        "",
        None,
    )
    assert outcome.started_ms, "it has run"


def test_a_snooze_of_no_time_lets_others_go_first(process, is_async):
    assert process(raising(Snooze(0), is_async=is_async)).delay_ms == 1


@pytest.mark.parametrize("seconds", BAD_SECONDS, ids=repr)
@pytest.mark.parametrize("kind", [RetryIn, Snooze])
def test_seconds_that_make_no_sense_are_a_failed_attempt_with_a_sentence(process, kind, seconds, is_async):
    def choose(message):
        raise kind(seconds)

    async def choose_async(message):
        raise kind(seconds)

    outcome = process(choose_async if is_async else choose)
    assert (outcome.event, outcome.attempts) == ("retrying", 1)
    assert re.match(f"(Value|Type)Error: The delay of {kind.__name__} is a number of seconds", outcome.error)


class Untold(Snooze):
    def __init__(self):
        pass


class UntoldRetry(RetryIn):
    def __init__(self):
        pass


@pytest.mark.parametrize("error", [Untold(), UntoldRetry()])
def test_a_subclass_without_seconds_is_retried_after_the_default_back_off(process, error):
    outcome = process(raising(error, is_async=False))
    assert (outcome.event, outcome.attempts) == ("retrying", 1)
    assert outcome.delay_ms > 0
    assert "The default back-off holds" in outcome.traceback


@pytest.mark.parametrize("error", [GiveUp("why"), RetryIn(3, "why"), Snooze(4)])
def test_they_pass_from_another_process(error):
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


def test_exceptions_that_are_not_retried_on_are_dead_at_the_first_failure(process, is_async):
    marks = {"retry_on": (ConnectionError, TimeoutError)}
    assert process(raising(ConnectionResetError(), is_async=is_async, **marks)).event == "retrying"
    assert process(raising(TimedOut(3), is_async=is_async, **marks)).event == "retrying"
    assert process(raising(KeyError("x"), is_async=is_async, **marks)).event == "dead"
    assert process(raising(ConnectionError(), is_async=is_async, **marks), failed=4).event == "dead"


def test_exceptions_that_are_given_up_on_are_dead_and_others_retried(process, is_async):
    marks = {"give_up_on": LookupError}
    assert process(raising(KeyError("x"), is_async=is_async, **marks)).event == "dead"
    assert process(raising(ValueError("x"), is_async=is_async, **marks)).event == "retrying"


def test_the_nearest_class_decides(process, is_async):
    narrow = {"retry_on": OSError, "give_up_on": FileNotFoundError}
    assert process(raising(FileNotFoundError(), is_async=is_async, **narrow)).event == "dead"
    assert process(raising(PermissionError(), is_async=is_async, **narrow)).event == "retrying"
    wide = {"retry_on": FileNotFoundError, "give_up_on": OSError}
    assert process(raising(FileNotFoundError(), is_async=is_async, **wide)).event == "retrying"
    assert process(raising(PermissionError(), is_async=is_async, **wide)).event == "dead"


def test_the_words_of_a_job_go_before_the_classes_of_its_policy(process, is_async):
    assert process(raising(RetryIn(1), is_async=is_async, give_up_on=Exception)).event == "retrying"
    assert process(raising(Snooze(1), is_async=is_async, give_up_on=Exception)).event == "released"
    assert process(raising(GiveUp(), is_async=is_async, retry_on=Exception)).event == "dead"


def test_a_class_in_both_lists_is_refused():
    with pytest.raises(ImproperlyConfigured, match="KeyError is in retry_on and in give_up_on"):
        policy(retry_on=(OSError, KeyError), give_up_on=KeyError)


@pytest.mark.parametrize("value", ["OSError", ("OSError",), [OSError], OSError(), None, int, ((OSError,),)])
@pytest.mark.parametrize("name", ["retry_on", "give_up_on"])
def test_anything_but_classes_of_exceptions_is_refused(name, value):
    with pytest.raises(ImproperlyConfigured, match=f"{name} takes classes of exceptions"):
        policy(**{name: value})
