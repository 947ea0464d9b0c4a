"""The event loop of a child outlives its handlers' errors."""

import asyncio
import sys
import threading

import pytest
from asgiref.sync import sync_to_async

from queueing.worker import runtime
from queueing.worker.runtime import EventLoop
from tests.support.threads import Threads
from tests.support.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def leave_by(error):
    await asyncio.sleep(0)
    raise error


async def exit_in_a_gathered_step(message):
    await asyncio.gather(asyncio.sleep(0.01), leave_by(SystemExit("no configuration")))


async def interrupt_in_a_gathered_step(message):
    await asyncio.gather(asyncio.sleep(0.01), leave_by(KeyboardInterrupt()))


async def leave_a_group_by_exit(message):
    async with asyncio.TaskGroup() as group:
        group.create_task(leave_by(SystemExit(1)))
        group.create_task(asyncio.sleep(60))


async def end_a_generator_in_a_step(message):
    await asyncio.gather(leave_by(GeneratorExit()))


async def exit_in_a_thread(message):
    await sync_to_async(sys.exit)(3)


async def cancel_itself(message):
    asyncio.current_task().cancel()
    await asyncio.sleep(60)


async def cancel_everything(message):
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(60)


async def close_the_loop(message):
    loop = asyncio.get_running_loop()
    loop.stop()
    # As soon as the loop has stopped, before it continues.
    loop.run_forever = loop.close
    await asyncio.sleep(60)


async def break_the_loop(message):
    loop = asyncio.get_running_loop()
    loop._selector.close()
    await asyncio.sleep(60)


FAILING = [
    exit_in_a_gathered_step, interrupt_in_a_gathered_step, leave_a_group_by_exit, end_a_generator_in_a_step,
    exit_in_a_thread, cancel_itself, cancel_everything, close_the_loop, break_the_loop,
]  # fmt: skip


async def fine(message):
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("function", FAILING, ids=lambda function: function.__name__)
def test_an_end_of_the_loop_fails_its_own_attempt_and_later_ones_run(process, function):
    outcome = process(function)
    assert (outcome.event, outcome.attempts) == ("retrying", 1)
    assert outcome.error
    assert process(fine, queue="fine").event == "done"


async def exit_by_a_callback(message):
    asyncio.get_running_loop().call_soon(sys.exit, "from a callback")
    await asyncio.sleep(0.05)


async def stop_the_loop(message):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "function", [exit_by_a_callback, stop_the_loop], ids=lambda function: function.__name__
)
def test_a_loop_that_is_stopped_continues(process, function):
    assert process(function).event == "done"
    assert process(fine, queue="fine").event == "done"


def test_an_exit_in_one_handler_harms_no_other_that_runs_beside_it(process):
    has_begun, may_end = threading.Event(), threading.Event()

    async def stay(message):
        has_begun.set()
        while not may_end.is_set():
            await asyncio.sleep(0.005)

    beside = process.start(stay, queue="beside", thread="other")
    assert has_begun.wait(60)
    assert process(exit_in_a_gathered_step).event == "retrying"
    may_end.set()
    assert beside.result(60).event == "done"


def test_a_job_beside_it_on_a_loop_that_breaks_has_failed_with_the_reason(process):
    has_begun = threading.Event()

    async def stay(message):
        has_begun.set()
        await asyncio.sleep(60)

    beside = process.start(stay, queue="beside", thread="other")
    assert has_begun.wait(60)
    process(close_the_loop)
    outcome = beside.result(60)
    assert outcome.event == "retrying"
    assert "event loop was closed" in outcome.error


def test_giving_up_a_loop_fails_nothing_that_runs_on_the_next_one():
    loops, may_end = EventLoop(), threading.Event()

    async def own_loop():
        return asyncio.get_running_loop()

    async def stay():
        while not may_end.is_set():
            await asyncio.sleep(0.005)
        return "stayed"

    with Threads(1) as thread:
        first = loops.run(own_loop())
        loops._loop = None  # It was closed, and its thread has not found out yet.
        staying = thread.submit(loops.run, stay())
        eventually(lambda: loops._waiting)
        first.call_soon_threadsafe(first.stop)
        loops._abandon(first)
        may_end.set()
        assert staying.result(60) == "stayed"


def test_a_handler_that_blocks_the_loop_is_reported_once_with_its_place(process, monkeypatch, caplog):
    monkeypatch.setattr(runtime, "BLOCKED_SECONDS", 0.02)
    may_end = threading.Event()

    async def block_everything(message):
        may_end.wait(60)

    blocking = process.start(block_everything)
    waiting = process.start(fine, queue="fine", thread="other")
    eventually(lambda: "block_everything" in caplog.text)
    assert not waiting.done()
    may_end.set()
    assert (blocking.result(60).event, waiting.result(60).event) == ("done", "done")
    assert caplog.text.count("a handler blocks the event loop") == 1


def test_a_handler_that_waits_long_blocks_nothing(process, monkeypatch, caplog):
    monkeypatch.setattr(runtime, "BLOCKED_SECONDS", 0.02)

    async def wait(message):
        await asyncio.sleep(0.2)

    assert process(wait).event == "done"
    assert "blocks the event loop" not in caplog.text
