"""A message wakes one of the idle children."""

from collections.abc import Callable, Iterator

import pytest

from queueing import handlers
from queueing.client import QueueClient
from queueing.handlers import handler
from queueing.worker import polling
from tests.support.waiting import eventually
from tests.unit.worker.parts import Child

QUEUES = [f"q{number}" for number in range(200)]


@pytest.fixture(autouse=True)
def slow_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child finds a message only because it is woken."""
    monkeypatch.setattr(handlers, "_handlers", {})
    monkeypatch.setattr(polling, "POLL_SECONDS", 600.0)


@pytest.fixture
def ran() -> list[str]:
    return []


class Fleet:
    """Children that are turned in one thread, as their processes turn them."""

    def __init__(self, client: QueueClient, ran: list[str]) -> None:
        self.client, self.ran, self.children = client, ran, list[Child]()

    def add(self, count: int, *queues: str, **options) -> list[Child]:
        """Add children, and turn them until they are idle."""
        for queue in set(queues) - set(self.client.list_queues()):
            self.client.create_queue(queue)
            handler(queue)(lambda message: self.ran.append(message.body))
        first = len(self.children)
        for number in range(first, first + count):
            self.children.append(Child(self.client, *queues, name=f"child{number}", **options))
        self.rest()
        return self.children[first:]

    def turn(self) -> None:
        for child in self.children:
            if child.consumer.wants_announcements and child.listener.is_open:
                child.consumer.wake()
            child.consumer.step(child.clock())

    def turn_until(self, check: Callable[[], bool]) -> None:
        eventually(lambda: self.turn() or check(), every_seconds=0.001)

    def rest(self) -> None:
        """Turn until all is settled, every child is idle, and none claims any more."""

        def rests() -> bool:
            before = self.claims()
            self.turn()
            is_idle = all(
                child.consumer.is_drained and child.consumer.standby.is_entered for child in self.children
            )
            return is_idle and self.claims() == before

        self.turn_until(rests)

    def claims(self) -> int:
        """How many claims Redis has answered in all."""
        return sum(child.consumer._held.claims for child in self.children)

    def scripts(self) -> int:
        found = self.client.redis.info("commandstats")
        return found["cmdstat_evalsha"]["calls"]


@pytest.fixture
def fleet(client: QueueClient, ran: list[str]) -> Iterator[Fleet]:
    made = Fleet(client, ran)
    yield made
    for child in made.children:
        child.finish()


def test_one_message_and_twenty_idle_children_cost_two_claims(fleet, client, ran):
    fleet.add(20, "q")
    client.send_message("q", "the first one loads the scripts")
    fleet.turn_until(lambda: len(ran) == 1)
    fleet.rest()
    before = fleet.claims()
    client.send_message("q", "x")
    fleet.turn_until(lambda: len(ran) == 2)
    fleet.rest()
    for _ in range(5):
        fleet.turn()
    assert fleet.claims() - before <= 2


def test_a_message_for_one_of_two_hundred_queues_costs_an_idle_child_three_scripts(fleet, client, ran):
    fleet.add(1, *QUEUES)
    before = fleet.scripts()
    for number in (0, 100, 199):
        client.send_message(QUEUES[number], "x")
        fleet.turn_until(lambda number=number: len(ran) > number // 100)
        fleet.rest()
    sends, seldom = 3, 2  # an entry of the queues
    assert fleet.scripts() - before - sends <= 3 * 3 + seldom, "a claim, a settle, and a claim beside it"


def test_each_message_of_a_batch_wakes_a_child(fleet, client, ran):
    children = fleet.add(4, "q")
    client.send_messages("q", ["a", "b", "c"])
    fleet.turn_until(lambda: len(ran) == 3)
    assert sorted(child.consumer.taken for child in children) == [0, 1, 1, 1]


def test_a_message_that_found_no_idle_child_is_taken_by_the_next_one(fleet, client, ran):
    [child] = fleet.add(1, "a", "b", "c")
    client.send_message("a", "a")
    fleet.turn_until(lambda: child.consumer.taken == 1)
    for queue in ("c", "b"):
        client.send_message(queue, queue)
    fleet.turn_until(lambda: len(ran) == 3)
    assert sorted(ran) == ["a", "b", "c"]


def test_a_message_that_was_taken_before_the_child_is_idle_costs_no_claim_of_its_own(fleet, client, ran):
    [child] = fleet.add(1, "q", threads=1)
    before = fleet.claims()
    client.send_message("q", "a")
    fleet.turn_until(lambda: child.consumer.taken == 1)
    client.send_message("q", "no child is idle, so this leaves a hint")
    fleet.turn_until(lambda: len(ran) == 2)
    fleet.rest()
    assert client.redis.zcard("rsmq::hints") == 0
    assert fleet.claims() - before <= 3, "two with a message, and the one that enters the child as idle"


def test_a_hint_for_another_queue_is_followed(fleet, client, ran):
    [child] = fleet.add(1, "a", "b", threads=1)
    client.send_message("a", "a")
    fleet.turn_until(lambda: child.consumer.taken == 1)
    client.send_message("a", "a")
    client.send_message("b", "b")
    fleet.turn_until(lambda: sorted(ran) == ["a", "a", "b"])
    fleet.rest()
    assert client.redis.zcard("rsmq::hints") == 0


def test_a_child_that_was_killed_is_not_woken_for_a_message(fleet, client, ran):
    one, two = fleet.add(2, "q")
    for dead, alive in ((one, two),):
        fleet.children = [alive]
        dead.listener.close()
        eventually(lambda: client.redis.pubsub_numsub(client.keys.channel_of_child("child0"))[0][1] == 0)
    client.send_message("q", "x")
    fleet.turn_until(lambda: ran == ["x"])
    fleet.children = [one, two]


def test_a_killed_child_that_had_been_woken_leaves_its_message_to_the_poll_of_another(
    fleet, client, ran, monkeypatch
):
    one, two = fleet.add(2, "q")
    client.send_message("q", "x")
    woken = eventually(lambda: next((child for child in (one, two) if child.listener.drain()[0]), None))
    [other] = {one, two} - {woken}
    fleet.children = [other]
    other.consumer.rotation._poll_at = 0.0
    fleet.turn_until(lambda: ran == ["x"])
    woken.consumer.rotation.begin()
    fleet.children = [one, two]


def test_a_paused_child_leaves_its_message_to_another(fleet, client, ran):
    one, two = fleet.add(2, "q")
    client.send_message("q", "x")
    [woken] = [child for child in (one, two) if not client.redis.zscore("rsmq::idle", child.listener.own)]
    woken.consumer.pause(True)
    fleet.turn_until(lambda: ran == ["x"])
    assert woken.consumer.taken == 0
    assert client.redis.zscore("rsmq::idle", woken.listener.own) is None


def test_a_realtime_send_of_another_client_wakes_a_child(fleet, client, ran):
    fleet.add(3, "a", "b")
    id = "hofnoo4h3uSitfleX3naLlLtIJBcS2lk"
    client.redis.hset("rsmq:b:Q", id, "foreign")
    client.redis.zadd("rsmq:b", {id: 0})
    client.redis.publish(client.keys.channel("b"), 1)
    fleet.turn_until(lambda: ran == ["foreign"])


def test_one_idle_child_of_all_listens_to_the_queues(fleet, client):
    fleet.add(5, "a", "b")
    assert client.redis.pubsub_numsub("rsmq:rt:a", "rsmq:rt:b") == [(b"rsmq:rt:a", 1), (b"rsmq:rt:b", 1)]


def test_another_child_listens_when_the_first_one_leaves(fleet, client):
    one, two = fleet.add(2, "q")
    [ear] = [child for child in (one, two) if child.listener.is_listening]
    [other] = {one, two} - {ear}
    ear.consumer.pause(True)
    fleet.turn_until(lambda: other.listener.is_listening)
    assert not ear.listener.is_listening
    ear.consumer.pause(False)


def test_children_with_other_queues_are_not_woken(fleet, client, ran):
    both = fleet.add(2, "a", "b")
    alone = fleet.add(2, "b")
    client.send_message("a", "x")
    fleet.turn_until(lambda: ran == ["x"])
    assert sum(child.consumer.taken for child in both) == 1
    assert sum(child.consumer.taken for child in alone) == 0


def test_a_message_is_found_after_redis_has_lost_the_lists(fleet, client, ran, monkeypatch):
    [child] = fleet.add(1, "a", "b")
    client.redis.delete(*client.keys.of_idle())
    child.consumer.standby._entry_until = 0.0
    fleet.turn_until(lambda: client.redis.zcard("rsmq::idle") == 1)
    client.send_message("b", "x")
    fleet.turn_until(lambda: ran == ["x"])


@pytest.mark.parametrize("key", ["served", "idle", "hints"])
def test_a_key_that_another_program_has_spoilt_stops_no_message(fleet, client, ran, key):
    [child] = fleet.add(1, "a", "b")
    client.redis.delete(f"rsmq::{key}")
    client.redis.set(f"rsmq::{key}", "spoilt")
    client.send_message("b", "x")
    child.consumer.rotation.begin()
    fleet.turn_until(lambda: ran == ["x"])
    client.redis.delete(f"rsmq::{key}")


def test_children_rest_while_the_queues_cannot_be_entered(fleet, client, ran):
    for queue in ("a", "b"):
        client.create_queue(queue)
        handler(queue)(lambda message: ran.append(message.body))
    client.redis.set("rsmq::served", "spoilt")
    child = Child(client, "a", "b", name="child0")
    fleet.children.append(child)
    fleet.turn_until(lambda: child.listener.is_listening and child.consumer.rotation.is_idle)
    before = fleet.scripts()
    for _ in range(20):
        fleet.turn()
    assert fleet.scripts() == before
    client.send_message("b", "x")
    fleet.turn_until(lambda: ran == ["x"])
    client.redis.delete("rsmq::served")


def test_a_child_rests_beside_a_queue_that_is_broken(fleet, client, ran):
    [child] = fleet.add(1, "a", "b")
    client.redis.set("rsmq:a", "spoilt")
    client.redis.publish(client.keys.channel("a"), 1)
    fleet.turn_until(lambda: child.consumer.rotation.is_broken("a"))
    fleet.turn_until(lambda: child.consumer.standby.is_entered)
    before = fleet.scripts()
    for _ in range(20):
        fleet.turn()
    assert fleet.scripts() == before
    client.redis.delete("rsmq:a")
