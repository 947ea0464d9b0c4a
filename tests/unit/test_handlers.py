"""The seam: what is registered, and by what policy it is retried."""

import math
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from queueing import handlers
from queueing.exceptions import NoHandler
from queueing.handlers import handler, policy
from queueing.policies import exponential


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(handlers, "_handlers", {})
    # Another test of this process may have opened the door of the tasks.
    monkeypatch.setattr(handlers, "_resolvers", [])


def test_a_registered_function_is_found_by_its_queue():
    @handler("mail")
    def send(message): ...

    assert handlers.handler_of("mail").function is send
    assert handlers.queues() == ["mail"]


def test_the_error_of_a_queue_without_a_handler_explains_how_to_add_one():
    with pytest.raises(NoHandler, match=r'No handler.*@handler\("mail"\)'):
        handlers.handler_of("mail")


def test_two_handlers_for_one_queue_are_a_mistake():
    @handler("mail")
    def one(message): ...

    with pytest.raises(ImproperlyConfigured, match="two handlers"):

        @handler("mail")
        def two(message): ...


def test_a_name_too_long_for_a_dead_letter_queue_is_refused():
    with pytest.raises(ImproperlyConfigured, match="too long"):
        handler("q" * 156)


@pytest.mark.parametrize("name", [len, None, "", "e mails", "shop:emails", "QUEUES"], ids=str)
def test_a_handler_without_the_name_of_a_queue_is_refused_with_an_example(name):
    with pytest.raises(ImproperlyConfigured, match=r'as in @handler\("emails"\)'):
        handler(name)
    assert handlers.queues() == []


@pytest.mark.parametrize("policy_is_above", [True, False])
def test_a_policy_holds_above_and_below_the_handler(policy_is_above):
    def work(message): ...

    mark, register = policy(max_attempts=2, backoff=7), handler("mail")
    _ = mark(register(work)) if policy_is_above else register(mark(work))
    found = handlers.handler_of("mail").policy
    assert (found.max_attempts, found.delay_seconds(ValueError(), 1)) == (2, 7.0)


def test_a_back_off_may_use_the_exception():
    def work(message): ...

    policy(backoff=lambda error, attempt: attempt * (60 if isinstance(error, OSError) else 1))(work)
    chosen = work.queueing_policy
    assert (chosen.delay_seconds(OSError(), 2), chosen.delay_seconds(ValueError(), 2)) == (120, 2)


@pytest.mark.parametrize(
    "wrong",
    [{"max_attempts": 0}, {"timeout": 0}, {"timeout": math.nan}, {"timeout": math.inf}]
    + [{"backoff": value} for value in (-1, math.nan, math.inf, 1e9, "5", timedelta(1), [5])],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ImproperlyConfigured):
        policy(**wrong)


def test_the_exponential_back_off_doubles_with_jitter_up_to_its_cap():
    for attempt, middle in [(1, 2), (2, 4), (5, 32)]:
        assert all(middle * 0.5 <= exponential(attempt) <= middle * 1.5 for _ in range(50))
    assert exponential(10_000) <= 3600 * 1.5
    assert len({exponential(3) for _ in range(20)}) > 1
