"""The processor brings one delivery to its outcome, for any behaviour of the handler."""

import asyncio
import json
import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import InterfaceError, connection, transaction

from queueing import handlers
from queueing.handlers import policy
from queueing.policies import Policy
from queueing.text.errors import ERROR_CHARACTERS, TRACEBACK_CHARACTERS
from queueing.worker import processor
from queueing.worker.runtime import CleanContext


def test_a_handler_that_returns_is_done(process):
    seen = []
    outcome = process(lambda message: seen.append(message.body))
    assert (seen, outcome.event, outcome.attempts, outcome.error) == (["text"], "done", 1, "")
    assert (outcome.started_ms, outcome.finished_ms) == (1000, 1250)
    assert outcome.handler.endswith("<lambda>")


def test_an_async_handler_runs_on_the_loop(process):
    threads = []

    async def work(message):
        await asyncio.sleep(0)
        threads.append(threading.current_thread().name)

    assert process(work).event == "done"
    assert process(work).event == "done"
    assert threads == ["event loop", "event loop"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("wrong")])
def test_an_error_of_an_async_handler_ends_its_own_attempt_only(process, error):
    async def work(message):
        await asyncio.sleep(0)
        raise error

    assert process(work).event == "retrying"
    assert type(error).__name__ in process(work).error


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class ExitsAsText(Exception):
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class RecursesAsText(Exception):
    def __str__(self):
        return str(self)

    __repr__ = __str__


class WithBrokenNotes(Exception):
    __notes__ = 7


class WithHostileNotes(Exception):
    __notes__ = (Unprintable(), ExitsAsText())


class Empty(Exception):
    def __bool__(self):
        return False

    def __len__(self):
        return 0


def in_a_circle():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def in_a_long_chain():
    error = ValueError("the first")
    for number in range(3000):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    return error


def nested(depth):
    error = ValueError("innermost")
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


def with_notes():
    error = ValueError("with notes")
    error.add_note("note " * 1_000_000)
    error.add_note("line\n" * 50_000)
    return error


def recurse():
    recurse()


RAISED = [
    ValueError("wrong"),
    SystemExit(3),
    KeyboardInterrupt(),
    MemoryError(),
    Unprintable(),
    asyncio.CancelledError(),
    GeneratorExit(),
    StopIteration(5),
    ExitsAsText(),
    RecursesAsText(),
    WithBrokenNotes(),
    Empty("falsy"),
    WithHostileNotes(),
    BaseExceptionGroup("several", [ValueError(), SystemExit()]),
    ExceptionGroup("many", [ValueError(number) for number in range(2000)]),
    nested(500),
    in_a_circle(),
    in_a_long_chain(),
    with_notes(),
    ValueError("x" * 10_000_000),
    ValueError("line\n" * 1_000_000),
    ValueError(["x" * 10_000_000]),
    ValueError("file \udcff and \x00 and \x1b[31m"),
    type("Long" * 10_000, (Exception,), {})("x"),
    type("Homeless", (Exception,), {"__module__": None})("x"),
    UnicodeDecodeError("utf-8", b"x" * 10_000_000, 0, 1, "bad"),
]


@pytest.mark.parametrize("error", RAISED, ids=[type(error).__name__[:20] for error in RAISED])
@pytest.mark.parametrize("is_async", [False, True])
def test_any_error_of_a_handler_is_a_failed_attempt_with_a_bounded_text(process, error, is_async):
    def work(message):
        raise error

    async def work_async(message):
        raise error

    outcome = process(work_async if is_async else work)
    assert (outcome.event, outcome.attempts) == ("retrying", 1)
    if not (is_async and isinstance(error, StopIteration)):  # A coroutine cannot raise it.
        assert type(error).__name__[:255] in outcome.error
        assert type(error).__name__[:900] in outcome.traceback or "are left out" in outcome.traceback
    assert 1000 <= outcome.delay_ms <= 3000
    assert len(outcome.error) <= ERROR_CHARACTERS
    assert len(outcome.traceback) <= TRACEBACK_CHARACTERS
    assert len(outcome.error_class) <= 255


def test_a_long_error_is_cut_and_names_its_length(process):
    def work(message):
        raise ValueError("x" * 10_000_000)

    outcome = process(work)
    assert outcome.error.startswith("ValueError: xxx")
    assert "(10,000,012 characters)" in outcome.error
    assert "in work" in outcome.traceback, "the frames are kept"
    assert "characters)" in outcome.traceback


def test_a_long_traceback_keeps_both_ends_and_names_the_gap(process):
    def work(message):
        raise in_a_long_chain()

    outcome = process(work)
    assert "the first" in outcome.traceback
    assert outcome.traceback.endswith("ValueError: 2999\n")
    assert "characters are left out" in outcome.traceback


def test_endless_recursion_is_a_failed_attempt(process):
    outcome = process(lambda message: recurse())
    assert outcome.event == "retrying"
    assert outcome.error.startswith("RecursionError")


def test_the_last_attempt_that_fails_is_dead(process):
    @policy(max_attempts=3)
    def work(message):
        raise ValueError("wrong")

    assert process(work, failed=1).event == "retrying"
    last = process(work, failed=2)
    assert (last.event, last.attempts, last.error) == ("dead", 3, "ValueError: wrong")


def test_crashes_do_not_count_as_attempts(process):
    def work(message):
        raise ValueError

    outcome = process(work, crashed=2)
    assert (outcome.event, outcome.attempts, outcome.crashes) == ("retrying", 1, 2)


def exits(error, attempt):
    raise SystemExit(3)


def interrupts(error, attempt):
    raise KeyboardInterrupt


def raises_the_error_again(error, attempt):
    raise error


async def awaits(error, attempt):
    return 5


class Unnumbered:
    def __float__(self):
        raise SystemExit

    def __repr__(self):
        raise SystemExit


BACK_OFFS = {
    "divides by zero": lambda error, attempt: 1 / 0,
    "exits": exits,
    "interrupts": interrupts,
    "raises the error again": raises_the_error_again,
    "recurses": lambda error, attempt: recurse(),
    "takes no argument": lambda: 5,
    **{
        repr(value): lambda error, attempt, value=value: value
        for value in (None, float("nan"), float("inf"), -1, 1e9, 10**400, "5", b"5", True, timedelta(1), [5])
    },
    "returns what is no number": lambda error, attempt: Unnumbered(),
    "is async": awaits,
}


@pytest.mark.parametrize("backoff", BACK_OFFS.values(), ids=BACK_OFFS.keys())
@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(1)], ids=["error", "exit"])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_back_off_function_that_fails_costs_no_retry(process, backoff, error):
    @policy(backoff=backoff)
    def work(message):
        raise error

    outcome = process(work)
    assert outcome.event == "retrying"
    assert 1000 <= outcome.delay_ms <= 3000
    assert "The default back-off holds" in outcome.traceback
    assert process(lambda message: None, queue="next").event == "done"


@pytest.mark.parametrize("seconds", [0, 2.5, 9_999_999, Decimal("2.5")])
def test_a_back_off_function_may_return_any_number_of_seconds(process, seconds):
    @policy(backoff=lambda error, attempt: seconds)
    def work(message):
        raise ValueError

    assert process(work).delay_ms == int(seconds * 1000)


def test_a_handler_that_is_gone_is_a_failure_with_a_sentence(process):
    outcome = process(None)
    assert outcome.event == "retrying"
    assert "No handler is registered" in outcome.error


@pytest.mark.django_db(transaction=True)
def test_no_transaction_of_a_job_stays_open(process):
    left_open, seen = [], []

    def work(message):
        seen.append(connection.in_atomic_block)
        transaction.atomic().__enter__()
        left_open.append(connection.connection)

    assert process(work).event == "done"
    # Closing does nothing to a database in memory, as that of the tests is.
    left_open[0].rollback()
    assert process(work).event == "done"
    left_open[1].rollback()
    assert seen == [False, False]


def test_a_handler_with_a_second_parameter_is_given_its_context(process):
    seen = []

    def work(message, context):
        context.progress(0.5, "half")
        context.progress(7)
        seen.append((context.receipt, context.queue, context.attempt, context.worker, context.is_stopping))

    assert process(work, failed=2).event == "done"
    assert seen == [(("i" * 32, 1), "q", 3, "w", False)]
    assert process.reports == [("i" * 32, 0.5, "half"), ("i" * 32, 1.0, "")]


@pytest.mark.parametrize("note", [ValueError("wrong"), Unprintable(), None, 5])
def test_a_note_of_progress_may_be_anything(process, note):
    def work(message, context):
        context.progress(0.5, note)

    assert process(work).event == "done"
    [(_, _, kept)] = process.reports
    assert isinstance(kept, str)


def test_an_async_handler_is_cancelled_at_its_time_limit(process):
    cancelled = []

    @policy(timeout=0.05, max_attempts=2)
    async def work(message, context):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(context.attempt)
            raise

    first, last = process(work), process(work, failed=1)
    assert (first.event, last.event, cancelled) == ("retrying", "dead", [1, 2])
    assert "time limit of 0.05 s" in first.error


def test_a_time_out_of_an_async_handlers_own_is_its_own(process):
    @policy(timeout=60)
    async def work(message):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    assert process(work).error == "TimeoutError"


def test_a_resolver_finds_the_code_of_its_own_bodies_and_its_polling_interval(process, monkeypatch):
    class Task:
        name, policy = "tasks.add", Policy(max_attempts=1)

        def run(self, context, value_of):
            return json.dumps(len(context.message.body))

        def delay_seconds(self, error, context):
            return 1.0

    class Unknown(Exception):
        policy = Policy(max_attempts=3, backoff=30.0)

    def resolve(queue, message):
        if not found:
            raise Unknown("not here yet")
        return found.pop()

    found = [Task()]
    monkeypatch.setattr(handlers, "_resolvers", [resolve])
    done = process(None)
    assert (done.event, done.result, done.handler) == ("done", "4", "tasks.add")
    retried = process(None)
    assert (retried.event, retried.delay_ms, retried.error) == ("retrying", 30_000, "Unknown: not here yet")
    assert process(None, failed=2).event == "dead"


def test_a_job_that_may_run_only_once_does_not_run_again_after_a_crash(process):
    ran = []

    @policy(max_attempts=1)
    def work(message):
        ran.append(message)

    assert process(work).event == "done"
    dead = process(work, crashed=1)
    assert (dead.event, len(ran)) == ("dead", 1)
    assert "may be tried only once" in dead.error


def test_a_connection_that_cannot_be_left_in_order_does_not_change_the_end(process, monkeypatch, caplog):
    def fail():
        raise InterfaceError("the driver is confused")

    monkeypatch.setattr(processor, "tend_connections_of_run", fail)
    assert process(lambda message: None).event == "done"
    assert "could not be left in order" in caplog.text


def test_an_error_that_is_thrown_into_the_thread_between_steps_is_a_failed_attempt(process, monkeypatch):
    def thrown(*_):
        raise SystemExit("thrown by another thread")

    with monkeypatch.context() as patch:
        patch.setattr(CleanContext, "run", thrown)
        outcome = process(lambda message: None)
    assert (outcome.event, outcome.error) == ("retrying", "SystemExit: thrown by another thread")
    assert process(lambda message: None).event == "done"
