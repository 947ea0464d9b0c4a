"""The supervisor: its places for children (restarts, time limits), and the memory that it shares."""

import pytest
from django.db import connections

from queueing.broker.leases import Delivery
from queueing.conf import Config
from queueing.messages import Message
from queueing.worker.processes import share_with_forks
from queueing.worker.shared_memory import Recycle, SharedMemory
from queueing.worker.supervisor import MAX_RESTART_SECONDS, RESTART_SECONDS, ChildSlot
from tests.support.clock import Clock

GRACE = 25.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def child(clock: Clock) -> ChildSlot:
    """The place of a child with two threads."""
    [slot] = SharedMemory(1, 2, ["mail"]).slots
    return ChildSlot(0, slot, clock.monotonic, pid=1)


def run(child: ChildSlot, thread: int, id: str, *, deadline: float = 0.0) -> None:
    mark = child.slot.marks[thread]
    mark.start(Delivery("mail", Message(id, "", 1, 0, 0.0), 0, 0, 0), 1.0)
    mark.limit(deadline, 10.0)


def test_children_that_die_before_their_first_claim_are_replaced_ever_later(child: ChildSlot, clock: Clock):
    pauses = []
    for _ in range(8):
        child.count_failure()
        pauses.append(child.wait_seconds)
        clock.sleep(child.wait_seconds)
        assert child.wait_seconds == 0
    assert pauses[:3] == [2 * RESTART_SECONDS, 4 * RESTART_SECONDS, 8 * RESTART_SECONDS]
    assert pauses[-1] == MAX_RESTART_SECONDS


def test_a_child_that_has_claimed_is_replaced_without_a_pause(child: ChildSlot):
    child.count_failure()
    child.slot.hold(1, 1)
    child.count_failure()
    assert child.failures == 0


def test_the_neighbours_of_an_overdue_job_get_the_grace_time(child: ChildSlot, clock: Clock):
    began = clock.monotonic()
    child.slot.hold(2, 1)
    run(child, 0, "late", deadline=began + 10)
    run(child, 1, "neighbour")
    assert not child.check_time_limits(began + 9.9, GRACE)
    assert child.slot.recycle_reason == Recycle.NO
    assert not child.check_time_limits(began + 10, GRACE)
    assert child.slot.recycle_reason == Recycle.OVERDUE
    assert not child.check_time_limits(began + 10 + GRACE - 0.1, GRACE)
    assert child.check_time_limits(began + 10 + GRACE, GRACE)
    assert [running.id for running in child.ended()] == ["neighbour"]


def test_a_child_with_nothing_but_overdue_jobs_is_killed_without_a_grace_time(child: ChildSlot, clock: Clock):
    child.slot.hold(1, 1)
    run(child, 0, "late", deadline=clock.monotonic())
    assert child.check_time_limits(clock.monotonic(), GRACE)


def test_the_memory_that_processes_share_is_prepared_without_a_database_connection(monkeypatch):
    connected, frozen = [], []
    monkeypatch.setattr(connections["default"], "connect", lambda: connected.append("default"))
    monkeypatch.setattr("gc.freeze", lambda: frozen.append(True))
    share_with_forks(Config())
    assert (connected, frozen) == ([], [True])
