"""A run that somebody asked to stop: how it ends in the processor, and how the order reaches it."""

import asyncio
import threading

import pytest

from queueing.broker.leases import Delivery, Stop
from queueing.messages import Message
from queueing.worker.retries import TimedOut
from queueing.worker.shared_memory import SharedMemory

RECEIPT = ("i" * 32, 1)
KEY = ("q", *RECEIPT)


def test_a_sync_run_sees_it_and_is_cancelled_if_it_raises(process):
    begun, asked = threading.Event(), threading.Event()

    def work(message, context):
        begun.set()
        assert asked.wait(60)
        assert context.is_cancelled
        raise RuntimeError("I was asked to stop")

    running = process.start(work)
    assert begun.wait(60)
    process.stops[RECEIPT] = "stopped by ada"
    process.stop(KEY)
    asked.set()
    outcome = running.result(60)
    assert (outcome.event, outcome.error, outcome.attempts) == ("cancelled", "stopped by ada", 1)
    assert outcome.started_ms
    assert "I was asked to stop" in outcome.traceback


def test_a_run_that_returns_all_the_same_is_done(process):
    def work(message, context):
        process.stops[RECEIPT] = "stopped by ada"

    assert process(work).event == "done"


def test_an_async_run_is_cancelled_where_it_waits(process):
    begun, cleaned = threading.Event(), []

    async def work(message):
        try:
            begun.set()
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    running = process.start(work)
    assert begun.wait(60)
    process.stops[RECEIPT] = "stopped by ada"
    process.stop(KEY)
    outcome = running.result(60)
    assert (outcome.event, outcome.error, cleaned) == ("cancelled", "stopped by ada", [True])


def test_the_order_stops_no_other_delivery(process):
    begun, goes_on = threading.Event(), asyncio.Event()
    loops = []

    async def work(message):
        loops.append(asyncio.get_running_loop())
        begun.set()
        await goes_on.wait()

    running = process.start(work)
    assert begun.wait(60)
    for key in [("other", *RECEIPT), ("q", "j" * 32, 1), ("q", "i" * 32, 2)]:
        process.stop(key)
    loops[0].call_soon_threadsafe(goes_on.set)
    assert running.result(60).event == "done"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_claimed_job_that_has_not_begun_never_begins(process, is_async):
    ran = []

    async def work_async(message):
        ran.append(message)

    process.stops[RECEIPT] = "stopped by ada"
    outcome = process(work_async if is_async else ran.append)
    assert (outcome.event, outcome.attempts, outcome.started_ms, ran) == ("cancelled", 0, None, [])
    assert (outcome.error, outcome.traceback) == ("stopped by ada", "")


def test_a_stop_goes_before_a_time_limit(process):
    def work(message):
        process.stops[RECEIPT] = "stopped by ada"
        raise TimedOut(1)

    assert process(work).event == "cancelled"


def test_the_next_run_on_the_loop_is_not_cancelled(process):
    async def work(message):
        await asyncio.sleep(0)

    assert process(work).event == "done"
    process.stop(KEY)
    assert process(work).event == "done"


# --- the way of the order --------------------------------------------------------------------------


@pytest.fixture
def slot():
    [slot] = SharedMemory(1, 2, ("q",)).slots
    return slot


def started(slot, id="i" * 32, rc=1, thread=0):
    slot.marks[thread].start(Delivery("q", Message(id, "", rc, 0, 0.0), 0, 0, 0), 1.0)


def test_a_child_reads_what_to_stop_beside_other_orders(slot):
    slot.set_quiet(True)
    slot.stop(Stop("a", "q", "i" * 32, 1, False, "wrong! file"))
    slot.set_quiet(False)
    slot.stop(Stop("a", "q", "j" * 32, 2, False, "é\n"))
    slot.set_quiet(True)
    assert slot.read_stops() == {KEY: "wrong! file", ("q", "j" * 32, 2): "é\n"}
    assert slot.read_stops() == {}


def test_a_child_that_reads_nothing_blocks_nobody(slot):
    for _ in range(5000):
        slot.stop(Stop("a", "q", "i" * 32, 1, False, "x" * 200))
    assert slot.read_stops() == {KEY: "x" * 200}


def test_only_a_stop_by_force_makes_a_run_overdue(slot):
    started(slot)
    slot.stop(Stop("a", "q", "i" * 32, 1, False, "why"))
    assert slot.overdue(0) == []
    slot.stop(Stop("a", "q", "i" * 32, 1, True, "why"))
    assert [(run.id, run.is_stopped) for run in slot.overdue(0)] == [("i" * 32, True)]


def test_the_run_that_follows_is_not_overdue(slot):
    started(slot)
    slot.stop(Stop("a", "q", "i" * 32, 1, True, "why"))
    slot.marks[0].finish()
    assert slot.overdue(0) == []
    started(slot, rc=2)
    assert slot.overdue(0) == []
    started(slot, id="j" * 32)
    assert slot.overdue(0) == []


def test_a_run_that_is_not_there_is_not_marked(slot):
    slot.stop(Stop("a", "q", "i" * 32, 1, True, "why"))
    started(slot)
    assert slot.overdue(0) == [], "the next order marks it"
