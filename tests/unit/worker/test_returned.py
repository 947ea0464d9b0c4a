"""A handler that returns something to await, or something that has not run."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

import pytest

from queueing.handlers import policy

ran = []


@pytest.fixture(autouse=True)
def _nothing_has_run():
    ran.clear()


async def work(message):
    await asyncio.sleep(0)
    ran.append(message.body)


def plainly_decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


def forgetfully_decorated(function):
    async def wrapper(*args):
        return function(*args)

    return wrapper


async def work_for(number, message):
    await work(message)


class Working:
    async def __call__(self, message):
        await work(message)


class Promise:
    def __init__(self, message):
        self.message = message

    def __await__(self):
        return work(self.message).__await__()


def work_elsewhere(message):
    pool = ThreadPoolExecutor(1)
    return pool.submit(lambda: ran.append(message.body))


AWAITED = {
    "a decorated async function": plainly_decorated(work),
    "an async decorator that forgets to await": forgetfully_decorated(work),
    "a partial of an async function": functools.partial(work_for, 7),
    "an object with an async call": Working(),
    "a lambda around a coroutine": lambda message: work(message),
    "an awaitable object": Promise,
    "the future of a pool": work_elsewhere,
}


@pytest.mark.parametrize("function", AWAITED.values(), ids=AWAITED.keys())
def test_an_awaitable_that_a_handler_returns_is_awaited(process, function):
    outcome = process(function)
    assert (outcome.event, outcome.error, ran) == ("done", "", ["text"])
    assert outcome.handler


def generate(message):
    ran.append(message.body)
    yield


async def generate_async(message):
    ran.append(message.body)
    yield


LAZY = {
    "a generator": generate,
    "an async generator": generate_async,
    "a generator from an async function": forgetfully_decorated(generate),
    "a map object": lambda message: map(ran.append, [message.body]),
}


@pytest.mark.parametrize("function", LAZY.values(), ids=LAZY.keys())
def test_a_handler_whose_code_has_not_run_has_failed_with_the_reason(process, function):
    outcome = process(function)
    assert (outcome.event, ran) == ("retrying", [])
    assert "whose code has not run" in outcome.error


def test_an_error_of_a_returned_coroutine_is_a_failed_attempt(process):
    async def fail(message):
        raise LookupError("not there")

    assert process(plainly_decorated(fail)).error == "LookupError: not there"


def test_a_time_limit_cancels_what_a_decorated_handler_returns(process):
    async def dawdle(message):
        await asyncio.sleep(60)

    outcome = process(policy(timeout=0.05)(plainly_decorated(dawdle)))
    assert "time limit of 0.05 s" in outcome.error


@pytest.mark.parametrize("value", [None, 7, "text", [1, 2], iter([1])])
def test_any_other_value_of_a_handler_is_dropped(process, value):
    assert process(lambda message: value).event == "done"


def test_a_policy_holds_for_a_partial(process):
    @policy(max_attempts=1)
    def fail(number, message):
        raise ValueError(number)

    assert process(functools.partial(fail, 7)).event == "dead"
