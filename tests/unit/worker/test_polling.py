"""Which queue is claimed from next, and when."""

from collections.abc import Callable

import pytest

from queueing.broker.leases import Look
from queueing.broker.pubsub import POLL_SECONDS
from queueing.worker import polling
from queueing.worker.polling import QueueRotation
from tests.support.clock import Clock

QUEUES = ["first", "second", "third"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rotation(clock: Clock) -> QueueRotation:
    """A rotation that knows that something is due in all queues."""
    return looked_into(QueueRotation(QUEUES, clock.monotonic), QUEUES)


def looked_into(rotation: QueueRotation, due: list[str]) -> QueueRotation:
    rotation.looked([Look(queue, queue in due, False, None) for queue in rotation._queues])
    return rotation


def end_round(rotation: QueueRotation, due: dict[str, float] | None = None) -> None:
    while not rotation.is_idle:
        rotation.has_no_more(rotation.queue, (due or {}).get(rotation.queue))


def turns(rotation: QueueRotation, count: int) -> list[str]:
    """The queues of that many turns, all of which find more."""
    taken = []
    for _ in range(count):
        taken.append(rotation.queue)
        rotation.has_more(rotation.queue)
    return taken


def test_queues_have_turns_in_their_order(rotation):
    assert turns(rotation, 7) == ["first", "second", "third", "first", "second", "third", "first"]


def test_a_queue_without_more_leaves_until_all_are_empty(rotation):
    seen = []
    while not rotation.is_idle:
        seen.append(rotation.queue)
        rotation.has_no_more(rotation.queue)
    assert seen == ["first", "second", "third"]
    assert rotation.idle_seconds == POLL_SECONDS < 5


def test_a_queue_that_a_limit_or_a_pause_holds_back_is_asked_again_after_a_second_or_a_wake_up(
    rotation, clock
):
    rotation.has_no_more("first", held_back=True)
    clock.sleep(0.9)
    assert set(turns(looked_into(rotation, QUEUES), 4)) == {"second", "third"}
    clock.sleep(0.2)
    assert "first" in turns(looked_into(rotation, QUEUES), 3)
    rotation.has_no_more("first", held_back=True)
    rotation.announce("first")
    assert "first" in turns(looked_into(rotation, QUEUES), 3)


def test_a_queue_with_more_does_not_keep_the_others_waiting(rotation):
    rotation.has_more("first")
    rotation.has_no_more("second")
    assert turns(rotation, 4) == ["third", "first", "third", "first"]


def longest_waits(taken: list[str], queues: list[str]) -> dict[str, dict[str, int]]:
    """The most turns of each other queue between two turns of each queue."""
    found = {queue: dict.fromkeys(queues, 0) for queue in queues}
    for queue in queues:
        places = [-1, *(place for place, name in enumerate(taken) if name == queue)]
        for before, after in zip(places, places[1:], strict=False):
            between = taken[before + 1 : after]
            for other in queues:
                found[queue][other] = max(found[queue][other], between.count(other))
    return found


@pytest.mark.parametrize("weights", [{}, {"q3": 4}, {"q1": 2, "q2": 3, "q5": 7}, {"q0": 100, "q5": 100}])
def test_none_waits_for_more_than_one_turn_per_slot_of_each_other_queue(clock, weights):
    queues = [f"q{number}" for number in range(6)]
    rotation = looked_into(QueueRotation(queues, clock.monotonic, weights=weights), queues)
    taken = turns(rotation, 10 * sum(weights.get(queue, 1) for queue in queues))
    for queue, others in longest_waits(taken, queues).items():
        for other, count in others.items():
            assert count <= weights.get(other, 1), (queue, other)
    for queue in queues:
        assert taken.count(queue) == 10 * weights.get(queue, 1)


def test_turns_that_a_queue_did_not_need_do_not_become_a_credit(rotation):
    rotation.has_no_more("third")
    turns(rotation, 20)
    rotation.announce("third")
    assert sorted(turns(rotation, 3)) == ["first", "second", "third"]
    assert turns(rotation, 6).count("third") == 2


def test_a_queue_that_is_announced_again_and_again_gets_no_more_than_its_turns(rotation):
    taken = []
    for _ in range(12):
        taken.append(rotation.queue)
        if rotation.queue == "first":
            rotation.has_no_more("first")
            rotation.announce("first")
        else:
            rotation.has_more(rotation.queue)
    assert taken.count("first") == 4


def test_a_strict_rotation_takes_the_first_that_has_something(clock):
    rotation = looked_into(QueueRotation(QUEUES, clock.monotonic, strict=True), QUEUES)
    assert turns(rotation, 3) == ["first"] * 3
    rotation.has_no_more("first")
    assert rotation.queue == "second"


def test_a_strict_rotation_looks_into_the_queues_before_each_later_one(clock):
    rotation = looked_into(QueueRotation(QUEUES, clock.monotonic, strict=True), ["second"])
    assert not rotation.is_look_due
    rotation.has_more("second")
    assert rotation.is_look_due
    looked_into(rotation, ["first", "second"])
    assert rotation.queue == "first"
    assert not rotation.is_look_due


def test_siblings_for_low_priorities_have_turns_when_the_others_have_nothing(clock):
    queues = ["a-low", "a", "b", "b-low"]
    rotation = looked_into(QueueRotation(queues, clock.monotonic), queues)
    assert turns(rotation, 3) == ["a", "b", "a"]
    rotation.has_no_more("a")
    rotation.has_no_more("b")
    assert turns(rotation, 3) == ["a-low", "b-low", "a-low"]
    assert rotation.is_look_due


def test_a_busy_rotation_looks_now_and_then_into_all_queues(rotation, clock):
    assert not rotation.is_look_due
    clock.sleep(polling.LOOK_SECONDS + 3 * polling.LOOK_SECONDS_EACH)
    assert rotation.is_look_due
    looked_into(rotation, ["third"])
    assert not rotation.is_look_due
    assert rotation.queue == "third"


def test_a_rotation_of_one_queue_never_looks(clock):
    rotation = QueueRotation(["q"], clock.monotonic)
    assert not rotation.is_look_due
    rotation.has_more("q")
    clock.sleep(60)
    assert not rotation.is_look_due


@pytest.mark.parametrize("announce", [QueueRotation.begin, lambda rotation: rotation.announce("second")])
def test_an_announcement_ends_the_idle_time(rotation, announce: Callable[[QueueRotation], None]):
    end_round(rotation)
    announce(rotation)
    assert not rotation.is_idle


def test_the_queue_that_is_announced_is_claimed_from_without_a_look(rotation):
    end_round(rotation)
    rotation.announce("second")
    assert rotation.queue == "second"
    assert not rotation.is_look_due


def test_the_poll_looks_into_all_queues(rotation, clock):
    end_round(rotation)
    clock.sleep(POLL_SECONDS)
    rotation.begin_if_due()
    assert rotation.is_look_due


def test_announcements_do_not_put_off_the_poll(rotation, clock):
    end_round(rotation)
    for _ in range(6):
        clock.sleep(POLL_SECONDS / 5)
        rotation.announce("second")
        rotation.has_no_more("second")
    rotation.begin_if_due()
    assert rotation.is_look_due


def test_it_is_idle_until_the_next_message_of_any_queue_is_due(rotation):
    end_round(rotation, {"second": 1.0, "third": 2.0})
    assert rotation.idle_seconds == 1.0
    rotation.begin_if_due()
    assert rotation.is_idle


def test_the_queue_of_a_message_that_has_come_due_is_next(rotation, clock):
    end_round(rotation, {"first": 5.0, "third": 1.0})
    clock.sleep(1.0)
    rotation.begin_if_due()
    assert rotation.queue == "third"
    assert not rotation.is_look_due
    rotation.has_no_more("third")
    assert rotation.idle_seconds == pytest.approx(POLL_SECONDS - 1)


def test_a_retry_is_waited_for_although_its_queue_was_not_polled(rotation):
    end_round(rotation)
    rotation.comes_due("second", 0.5)
    assert rotation.idle_seconds == 0.5
    rotation.has_no_more("first")
    assert rotation.idle_seconds == 0.5


def test_a_broken_queue_is_passed_over(rotation):
    rotation.breaks("first")
    rotation.begin_if_due()
    assert rotation.queue == "second"
    rotation.breaks("second")
    rotation.breaks("third")
    rotation.begin_if_due()
    assert rotation.is_idle


def polls(rotation: QueueRotation, clock: Clock, seconds: float) -> int:
    """The number of polls of an idle rotation in that time, all of which find nothing."""
    ends, count = clock.monotonic() + seconds, 0
    while clock.monotonic() + rotation.idle_seconds <= ends:
        clock.sleep(rotation.idle_seconds)
        rotation.begin_if_due()
        rotation.looked([Look(queue, False, False, None) for queue in rotation._queues])
        count += 1
    clock.sleep(ends - clock.monotonic())
    return count


def find_by_poll(rotation: QueueRotation, clock: Clock, queue: str) -> None:
    """A message that nobody announces arrives now, and the next poll finds it."""
    clock.sleep(rotation.idle_seconds)
    rotation.begin_if_due()
    if len(rotation._queues) > 1:
        looked_into(rotation, [queue])
    rotation.took(queue, 1)
    rotation.has_no_more(queue)


@pytest.mark.parametrize("queues", [["only"], QUEUES])
@pytest.mark.parametrize("seconds", [0.5, 3.0, 10.0])
def test_messages_that_nobody_announces_wait_for_a_twentieth_of_their_distance(clock, queues, seconds):
    rotation = looked_into(QueueRotation(queues, clock.monotonic), [])
    find_by_poll(rotation, clock, queues[0])
    for _ in range(5):
        polls(rotation, clock, seconds)
        assert rotation.idle_seconds <= max(polling.FAST_POLL_SECONDS, seconds / 20)
        find_by_poll(rotation, clock, queues[0])


def test_a_worker_that_finds_no_more_of_them_polls_as_rarely_as_before_after_two_minutes(rotation, clock):
    end_round(rotation)
    find_by_poll(rotation, clock, "second")
    assert 60 < polls(rotation, clock, 90) < 120
    assert polls(rotation, clock, 30) <= 30 / POLL_SECONDS + 1
    assert rotation.idle_seconds > POLL_SECONDS / 20


def test_announced_messages_and_those_that_come_due_make_no_poll_earlier(rotation, clock):
    end_round(rotation, {"first": 1.0})
    rotation.announce("second")
    rotation.took("second", 1)
    rotation.has_no_more("second")
    clock.sleep(1.0)
    rotation.begin_if_due()
    rotation.took("first", 1)
    rotation.has_no_more("first")
    assert rotation.idle_seconds == pytest.approx(POLL_SECONDS - 1)


def test_a_message_that_was_announced_during_the_poll_makes_no_poll_earlier(rotation, clock):
    end_round(rotation)
    clock.sleep(POLL_SECONDS)
    rotation.begin_if_due()
    rotation.announce("second")
    looked_into(rotation, ["second"])
    rotation.took("second", 1)
    rotation.has_no_more("second")
    assert rotation.idle_seconds == POLL_SECONDS
