"""The memory that the processes of a worker share."""

import pytest

from queueing.broker.leases import Delivery
from queueing.messages import Message
from queueing.worker.shared_memory import MORE_QUEUES, Recycle, SharedMemory
from tests.support.forks import in_forks


def delivery(queue: str) -> Delivery:
    return Delivery(queue, Message("i" * 32, "", 1, 0, 0.0), 2, 1, 0)


def test_a_process_reads_what_its_fork_has_marked():
    memory = SharedMemory(2, 1, ["mail", "post"])
    assert memory.add_queues(["post", "crowd", "crew"]) == ["crowd", "crew"]
    assert memory.queues == ["mail", "post", "crowd", "crew"]
    slot = memory.slots[1]

    def mark(number: int) -> None:
        slot.hold(3, 7, ["mail", "crew"])
        slot.marks[0].start(delivery("crowd"), 5.0)
        slot.marks[0].limit(60.0, 10.0)

    in_forks(mark)
    assert (slot.held, slot.claims, memory.slots[0].held) == (3, 7, 0)
    assert [queue for queue in memory.queues if slot.holds_of(queue)] == ["mail", "crew"]
    [running] = slot.running()
    assert (running.id, running.queue, running.failed, running.crashed) == ("i" * 32, 2, 2, 1)
    assert [slot.overdue(now) for now in (59.9, 60.0)] == [[], [running]]


def test_a_new_child_has_the_order_to_be_quiet_and_no_other():
    [slot] = SharedMemory(1, 1).slots
    slot.set_quiet(True)
    slot.recycle(Recycle.NEW_QUEUES)
    slot.hold(1, 1)
    assert slot.recycle_reason == Recycle.NEW_QUEUES
    slot.clear()
    assert (slot.is_quiet, slot.recycle_reason, slot.held) == (True, Recycle.NO, 0)


def test_queues_beyond_the_room_count_as_held_together():
    memory = SharedMemory(1, 1, ["first"])
    [slot] = memory.slots
    many = memory.add_queues(f"q{number}" for number in range(2 * MORE_QUEUES))
    slot.hold(1, 1, ["first", many[-1]])
    held = [queue for queue in memory.queues if slot.holds_of(queue)]
    assert held == ["first", *many[MORE_QUEUES - 1 :]]
    slot.hold(0, 1)
    assert not any(map(slot.holds_of, memory.queues))


def test_messages_that_have_run_and_may_not_run_again_are_kept_until_they_are_settled():
    [slot] = SharedMemory(1, 1).slots
    ids = [f"{number:032}" for number in range(slot.ran_room)]

    def run(number: int) -> None:
        for id in ids:
            slot.add_ran(id, may_run_again=False)
        assert slot.ran_room == 0
        slot.add_ran(ids[0], may_run_again=False)
        slot.add_ran("settled", may_run_again=True)
        slot.settled([*ids[1:10], "settled"])
        assert slot.ran_room == 9
        slot.add_ran("ü", may_run_again=False)

    in_forks(run)
    assert set(slot.ran()) == {ids[0], *ids[10:], "ü"}
    slot.clear()
    assert slot.ran() == []


@pytest.mark.parametrize("is_blamed", [False, True])
def test_a_child_blames_the_messages_that_have_run_and_are_not_settled(is_blamed: bool):
    [slot] = SharedMemory(1, 1).slots

    def run(number: int) -> None:
        slot.add_ran("settled", may_run_again=True)
        slot.add_ran("once", may_run_again=False)
        slot.add_ran("ran", may_run_again=True)
        slot.settled(["settled"])
        if is_blamed:
            slot.blame()
        slot.add_ran("ran later", may_run_again=True)

    in_forks(run)
    assert set(slot.ran()) == {"once", *(["ran", "ran later"] if is_blamed else [])}
