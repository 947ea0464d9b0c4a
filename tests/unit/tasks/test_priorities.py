"""Priorities: the order of messages stays, also if they are retried, moved or given back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from queueing.broker import leases
from queueing.broker.keys import Keys
from queueing.broker.leases import QueueLease
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.messages import Draft, sent_ms
from queueing.testing import run_pending
from tests.support.waiting import eventually

from .app import tasks

KEYS = Keys("rsmq")


@pytest.fixture(params=["client", "fake_client"], ids=["redis", "fakeredis"])
def queue(request) -> QueueClient:
    """The client of this process, on a Redis with the queue ``work``."""
    client = request.getfixturevalue(request.param)
    client.create_queue("work")
    use_client(client)
    yield client
    use_client(None)


@pytest.fixture
def lease(queue):
    return QueueLease(queue.session, Config(LEASE=60), "child", "work")


def claim(lease, count=10):
    batch = lease.read_claim(lease.session.call_each([lease.claim(count, suspects="take")])[0])
    return batch.deliveries


def settle(lease, delivery, event, delay_ms=0):
    message = delivery.message
    outcome = Outcome(
        "work", message.id, message.rc, State(event), "child", finished_ms=1.0, delay_ms=delay_ms
    )
    lease.session.call_each([lease.settle([outcome])])


def send(queue, **priorities):
    drafts = [Draft(body=name, priority=priority) for name, priority in priorities.items()]
    return dict(zip(priorities, queue.send_messages("work", drafts), strict=True))


def order(queue):
    return [message.body for message in queue.peek_messages("work")]


def received(queue):
    return [message.body for message in queue.receive_messages("work", 100)]


def test_the_higher_one_comes_first_and_equal_ones_in_their_order(queue, lease):
    send(queue, a=0, b=1, c=100, d=1, e=50, f=0)
    assert [delivery.message.body for delivery in claim(lease)] == ["c", "e", "b", "d", "a", "f"]


def test_receive_and_pop_obey_it(queue):
    send(queue, a=0, b=1, c=2)
    assert queue.pop_message("work").body == "c"
    assert received(queue) == ["b", "a"]


def test_it_holds_at_once_in_a_batch_whose_ids_reach_into_the_next_millisecond(queue):
    queue.send_messages("work", [Draft(body="low")] + [Draft(body="high", priority=1)] * 1001)
    assert not queue.redis.exists(KEYS.waking("work"))
    assert [message.body for message in queue.peek_messages("work", count=1000)] == ["high"] * 1000


@pytest.mark.parametrize("priority", [-1, 101, 1.5, True, "1"])
def test_a_message_has_one_of_0_to_100(queue, priority):
    with pytest.raises(QueueError, match="priority must be"):
        queue.send_messages("work", [Draft(body="x", priority=priority)])


def test_a_plain_message_has_nothing_of_it(queue, lease):
    send(queue, a=0)
    settle(lease, claim(lease)[0], "done")
    assert not queue.redis.exists(KEYS.headers("work"), KEYS.waking("work"))


def test_headers_travel_beside_it(queue, lease):
    queue.send_messages(
        "work", [Draft(body="a", headers={"h": "1"}, priority=3), Draft(body="b", priority=2)]
    )
    assert [delivery.message.headers for delivery in claim(lease)] == [{"h": "1"}, {}]


def test_it_is_kept_by_a_message_that_was_delayed(queue, lease):
    queue.send_messages(
        "work", [Draft(body="late", priority=9, delay_ms=2000), Draft(body="sleeps", delay_ms=2000)]
    )
    send(queue, a=0, b=0, c=1)
    assert order(queue) == ["c", "a", "b", "late", "sleeps"] or order(queue)[3:] == ["sleeps", "late"]
    eventually(lambda: queue.queue_figures(["work"])[0].delayed == 0)
    assert [delivery.message.body for delivery in claim(lease)] == ["late", "c", "a", "b", "sleeps"]
    assert not queue.redis.exists(KEYS.waking("work"))


def test_it_is_kept_by_a_message_that_is_retried(queue, lease):
    send(queue, a=5)
    settle(lease, claim(lease)[0], "retrying", delay_ms=20)
    send(queue, b=0, c=4)
    eventually(lambda: queue.queue_figures(["work"])[0].delayed == 0)
    assert [delivery.message.body for delivery in claim(lease)] == ["a", "c", "b"]


def test_it_is_kept_by_a_message_that_was_given_back(queue, lease):
    send(queue, old=0, a=5)
    settle(lease, claim(lease, 1)[0], "released")
    send(queue, b=4)
    assert [delivery.message.body for delivery in claim(lease)] == ["a", "b", "old"]


def test_it_is_kept_by_a_message_whose_worker_died(queue, lease):
    ids = send(queue, old=0, a=5)
    claim(lease, 1)
    leases.abandon(queue.session, Config(), "work", "child", started=[ids["a"]], reason="killed")
    send(queue, b=4)
    assert order(queue) == ["a", "b", "old"]


def test_it_is_kept_by_a_message_that_a_receiver_let_time_out(queue):
    send(queue, a=5)
    assert [message.body for message in queue.receive_messages("work", vt=0)] == ["a"]
    send(queue, b=4, c=0)
    assert received(queue) == ["a", "b", "c"]


def test_it_is_given_again_by_the_sweeper_where_another_program_has_dropped_it(queue):
    """RSMQ's own receive hides a message at its due time, and knows of no band."""
    ids = send(queue, c=0, a=5, hidden=7, b=4)
    # The clock of a virtual machine may step back a little after the send.
    now_ms = int(sent_ms(ids["c"])) + 1
    eventually(lambda: queue.now_ms() > now_ms + 50)
    queue.redis.zadd(KEYS.schedule("work"), {ids["a"]: now_ms, ids["hidden"]: now_ms + 60_000})
    assert order(queue) == ["b", "c", "a", "hidden"]
    queue.set_retention("work", 3600)
    for _ in range(2):
        queue.sweep_queue("work")
        assert order(queue) == ["a", "b", "c", "hidden"]


def test_it_is_kept_through_the_dead_letters(queue, lease):
    send(queue, a=5)
    settle(lease, claim(lease)[0], "dead")
    assert [message.body for message in queue.peek_messages("work-dead")] == ["a"]
    send(queue, b=0, c=4)
    queue.redrive("work")
    assert order(queue) == ["a", "c", "b"]


def test_it_is_kept_when_messages_are_moved(queue):
    send(queue, a=0, b=5)
    queue.create_queue("other")
    queue.move_messages("work", "other")
    assert [message.body for message in queue.peek_messages("other")] == ["b", "a"]


def test_latency_is_the_age_of_the_oldest_at_any_place(queue):
    first = send(queue, old=0)["old"]
    eventually(lambda: queue.queue_figures(["work"])[0].latency_seconds > 0.3)
    second = send(queue, a=100, b=7)["a"]
    [figures] = queue.queue_figures(["work"])
    assert 0.3 < figures.latency_seconds < 60
    assert (figures.ready, figures.delayed) == (3, 0)
    queue.delete_message("work", first)
    before_ms = queue.now_ms()
    [figures] = queue.queue_figures(["work"])
    ages_ms = (before_ms - sent_ms(second), queue.now_ms() - sent_ms(second))
    # The clock has whole milliseconds, the id microseconds.
    assert ages_ms[0] - 1 <= figures.latency_seconds * 1000 <= ages_ms[1] + 1


def test_a_message_seen_in_its_band_is_due_when_it_was_sent(queue):
    send(queue, a=100)
    [message] = queue.peek_messages("work")
    assert (message.state, abs(message.due_ms - message.sent) < 1) == ("ready", True)


def test_retention_counts_from_the_due_time_not_from_the_place(queue):
    send(queue, a=100)
    queue.set_retention("work", 3600)
    queue.sweep_queue("work")
    assert order(queue) == ["a"]


def test_nothing_of_it_is_left_when_the_queue_is_drained(queue, lease):
    for delay_ms in (None, 1):
        queue.send_messages("work", [Draft(body="x", priority=7, delay_ms=delay_ms)])
    for _ in range(2):
        [delivery] = eventually(lambda: claim(lease, 1))
        settle(lease, delivery, "done")
    claim(lease)
    assert not queue.redis.exists(KEYS.headers("work"), KEYS.waking("work"), KEYS.schedule("work"))


@pytest.mark.parametrize("leave", ["delete", "cancel", "purge", "delete in RSMQ's way"])
def test_nothing_is_left_of_a_delayed_message_that_leaves_the_queue(queue, leave):
    [id] = queue.send_messages("work", [Draft(body="x", priority=7, delay_ms=86_400_000)])
    if leave == "delete":
        queue.delete_message("work", id)
    elif leave == "cancel":
        queue.cancel_message("work", id)
    elif leave == "purge":
        queue.purge_queue("work")
    else:
        queue.redis.zrem(KEYS.schedule("work"), id)
        queue.redis.hdel(KEYS.attributes("work"), id)
        queue.sweep_queue("work")
    assert not queue.redis.exists(KEYS.headers("work"), KEYS.waking("work"))


@pytest.mark.parametrize("ends", ["deleted", "released"])
def test_nothing_is_left_of_a_message_that_a_receiver_had(queue, lease, ends):
    send(queue, a=7)
    message = queue.receive_message("work", vt=86_400)
    if ends == "deleted":
        queue.delete_messages("work", [message])
    else:
        queue.release_message("work", message)
        [delivery] = claim(lease)
        settle(lease, delivery, "done")
    assert not queue.redis.exists(KEYS.headers("work"), KEYS.waking("work"))


def test_a_queue_that_is_deleted_takes_it_along(queue):
    queue.send_messages("work", [Draft(body="x", priority=7, delay_ms=60_000)])
    assert queue.redis.exists(KEYS.waking("work"))
    queue.delete_queue("work")
    assert not queue.redis.exists(KEYS.headers("work"), KEYS.waking("work"))


class TestTasks:
    """Django's priorities, from -100 to 100."""

    def test_all_of_them_come_in_their_order(self, queue):
        sent = {}
        for priority in (0, -1, 100, -100, 7, -50):
            sent[tasks.note.using(priority=priority).enqueue(str(priority)).id] = priority
        assert [sent[outcome.id] for outcome in run_pending()] == [100, 7, 0, -1, -50, -100]

    def test_those_below_zero_are_in_a_sibling(self, queue):
        low = tasks.note.using(priority=-3).enqueue()
        assert [message.id for message in queue.peek_messages("default-low")] == [low.id]
        found = tasks.note.get_result(low.id)
        assert (found.task.priority, found.task.queue_name) == (-3, "default")
        assert found == low

    def test_a_delayed_task_keeps_its_priority(self, queue):
        later = timezone.now() + timedelta(hours=1)
        sent = [tasks.note.using(priority=p, run_after=later).enqueue().id for p in (-1, 3, 0, 9)]
        outcomes = run_pending(delayed=True)
        assert [sent.index(outcome.id) for outcome in outcomes] == [3, 1, 2, 0]

    def test_a_retry_in_the_sibling_goes_before_what_is_less_urgent(self, queue):
        first = tasks.succeed_at.using(priority=-1).enqueue(2)
        run_pending(limit=1)
        other = tasks.note.using(priority=-2).enqueue()
        queue.change_message_visibility("default-low", first.id, 0)
        assert [outcome.id for outcome in run_pending()] == [first.id, other.id]
