"""Cancelling removes messages that no worker has begun, and the history shows it."""

import pytest

from queueing.broker import outbox
from queueing.client import QueueClient
from queueing.exceptions import InvalidFormat, QueueNotFound
from queueing.history import writer
from queueing.models import Job
from tests.unit.conftest import ended


@pytest.fixture
def queue(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("work")
    return any_client


def recorded(client: QueueClient) -> list[tuple]:
    found = outbox.newest(client.session, count=100)
    return [(one.id, one.rc, one.event, one.attempts, one.error, one.body) for one in found]


@pytest.mark.parametrize("delay", [0, 60])
def test_a_message_that_waits_is_deleted_and_recorded(queue, delay):
    id = queue.send_message("work", "a", delay=delay, headers={"h": "1"})
    assert queue.cancel_message("work", id, reason="cancelled by boss") == "cancelled"
    assert queue.get_queue_attributes("work").msgs == 0
    assert not queue.redis.hexists("rsmq:work:Q", id)
    assert not queue.redis.exists("rsmq:work:headers", "rsmq:work:ends")
    assert recorded(queue) == [(id, 1, "cancelled", 0, "cancelled by boss", "a")]


def test_a_message_that_a_worker_holds_stays(queue, hand):
    id = queue.send_message("work", "a")
    worker = hand()
    [delivery] = worker.claim().deliveries
    assert queue.cancel_message("work", id) == "running"
    assert worker.settle(ended(delivery, "done")) == {}


def test_a_retrying_message_can_be_cancelled(queue, hand):
    id = queue.send_message("work", "a")
    worker = hand()
    [delivery] = worker.claim().deliveries
    worker.settle(ended(delivery, "retrying", attempts=1, delay_ms=60_000))
    assert queue.cancel_message("work", id) == "cancelled"
    assert recorded(queue)[-1] == (id, 2, "cancelled", 1, "", "a")


def test_a_message_that_another_receiver_hides_stays_until_its_time_is_over(queue):
    id = queue.send_message("work", "a")
    queue.receive_message("work", vt=60)
    assert queue.cancel_message("work", id) == "hidden"
    queue.change_message_visibility("work", id, 0)
    assert queue.cancel_message("work", id) == "cancelled"


def test_a_message_that_was_redriven_or_given_back_hides_nobody(queue, hand):
    id = queue.send_message("work", "a")
    worker = hand()
    [delivery] = worker.claim().deliveries
    worker.settle(ended(delivery, "dead"))
    queue.redrive("work")
    [delivery] = worker.claim().deliveries
    worker.settle(ended(delivery, "released"))
    queue.change_message_visibility("work", id, 60)
    assert queue.cancel_message("work", id) == "cancelled"


def test_an_absent_message_is_gone(queue, hand):
    [a, b] = queue.send_messages("work", ["a", "b"])
    queue.delete_message("work", a)
    assert queue.cancel_messages("work", [a, b, b]) == ["gone", "cancelled", "gone"]
    queue.redis.zadd("rsmq:work", {a: 0})  # a phantom: an id without a body
    assert queue.cancel_message("work", a) == "gone"
    assert [event for _, _, event, *_ in recorded(queue)] == ["cancelled"]


def test_a_worker_that_was_frozen_past_its_lease_settles_nothing_more(queue, hand, conf):
    id = queue.send_message("work", "a")
    worker = hand()
    [delivery] = worker.claim().deliveries
    queue.redis.zadd("rsmq:work:leases", {worker.lease.name: 1})
    queue.redis.zadd("rsmq:work", {id: 1})
    assert queue.cancel_message("work", id) == "cancelled"
    assert worker.settle(ended(delivery, "done")) == {id: "gone"}


def test_many_are_cancelled_in_steps(queue):
    ids = queue.send_messages("work", [str(number) for number in range(450)])
    assert queue.cancel_messages("work", ids) == ["cancelled"] * 450
    assert [len(entry.outcomes) for entry in outbox.read(queue.session, "r", count=100)] == [200, 200, 50]


def test_dead_letters_that_go_elsewhere_do_not_matter(queue):
    id = queue.send_message("work", "a")
    queue.set_redrive_policy("work", 3, "morgue")
    stranger = QueueClient(queue.redis)
    assert stranger.cancel_message("work", id) == "cancelled"


def test_bad_names_are_refused(queue):
    with pytest.raises(InvalidFormat):
        queue.cancel_message("work", "no id")
    with pytest.raises(QueueNotFound):
        queue.cancel_message("nothere", "hofnoo4h3uSitfleX3naLlLtIJBcS2lk")


@pytest.mark.django_db
def test_the_history_says_cancelled_after_what_came_before(queue, hand):
    id = queue.send_message("work", "a")
    worker = hand()
    [delivery] = worker.claim().deliveries
    worker.settle(ended(delivery, "retrying", attempts=1, error="ValueError: no", delay_ms=60_000))
    queue.cancel_message("work", id, reason="cancelled by boss")
    writer.write(outbox.newest(queue.session, count=100))
    job = Job.objects.get(message_id=id)
    assert (job.state, job.attempts, job.error) == ("cancelled", 1, "cancelled by boss")
    assert [attempt.outcome for attempt in job.history.all()] == ["retrying", "cancelled"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "handler"),
    [
        ('{"django_task":1,"task":"shop.tasks.resize","args":[7],"kwargs":{}}', "shop.tasks.resize"),
        ('{"django_task": 1, "task": "shop.\\u0072esize", "args": ["' + "x" * 40_000 + '"]}', "shop.resize"),
        ('{"django_task":1,"args":[7],"task":"shop.tasks.resize"}', "shop.tasks.resize"),
        ('{"django_task":1,"args":["' + "x" * 40_000 + '"],"task":"shop.tasks.resize"}', ""),
        ('{"django_task":1,"task":7}', ""),
        ('{"task":"shop.tasks.resize"}', ""),
        ("a", ""),
    ],
)
def test_a_task_that_never_ran_is_found_by_its_name(queue, body, handler):
    id = queue.send_message("work", body)
    queue.cancel_message("work", id, reason="cancelled by boss")
    writer.write(outbox.newest(queue.session, count=100))
    assert Job.objects.get(message_id=id).handler == handler
