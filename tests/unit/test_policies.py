"""Redrive policy, retention, pause, purge, move and redrive, and the sweeper that enforces them."""

import pytest

from queueing.client import QueueClient, sweep
from queueing.exceptions import QueueError, QueueNotFound
from queueing.messages import QueuePolicy, Swept
from tests.support.looped_client import LoopedClient

from .conftest import ended

LONG_AGO_MS = 1_000_000_000_000


@pytest.fixture(params=["client", "fake_client", "looped_client"], ids=["redis", "fakeredis", "async"])
def any_client(request: pytest.FixtureRequest) -> QueueClient | LoopedClient:
    return request.getfixturevalue(request.param)


@pytest.fixture
def queue(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("work")
    return any_client


def bodies(client: QueueClient, qname: str) -> list[str]:
    return [message.body for message in client.peek_messages(qname)]


def age(client: QueueClient, qname: str, id: str, new_id: str) -> str:
    """Make a message one that was sent long ago."""
    body = client.redis.hget(f"rsmq:{qname}:Q", id)
    client.delete_message(qname, id)
    client.redis.hset(f"rsmq:{qname}:Q", new_id, body)
    client.redis.zadd(f"rsmq:{qname}", {new_id: LONG_AGO_MS})
    return new_id


OLD = "gd0j8n4h3uSitfleX3naLlLtIJBcS2l"  # sent in 2024, less its last character


# --- redrive policy ------------------------------------------------------------------------------


def test_a_message_received_often_enough_goes_to_the_dead_letters_instead(queue):
    queue.set_redrive_policy("work", 2)
    id = queue.send_message("work", "a", headers={"h": "1"})
    assert [queue.receive_message("work", vt=0).rc for _ in range(2)] == [1, 2]
    assert queue.receive_message("work") is None
    dead = queue.receive_message("work-dead")
    assert (dead.id, dead.body, dead.rc, dead.headers) == (id, "a", 3, {"h": "1"})
    assert queue.get_queue_attributes("work").msgs == 0


def test_the_worn_out_are_passed_over_for_the_next(queue):
    queue.set_redrive_policy("work", 1)
    queue.send_messages("work", ["a", "b", "c"])
    queue.receive_messages("work", 2, vt=0)
    assert [message.body for message in queue.receive_messages("work")] == ["c"]
    assert bodies(queue, "work-dead") == ["a", "b"]


def test_a_pop_obeys_the_policy_too(queue):
    queue.set_redrive_policy("work", 1)
    queue.send_messages("work", ["a", "b"])
    queue.receive_message("work", vt=0)
    assert queue.pop_message("work").body == "b"


def test_workers_obey_the_policy_and_record_it(queue, hand):
    from queueing.broker import outbox

    queue.set_redrive_policy("work", 2)
    id = queue.send_message("work", "a")
    for _ in range(2):
        queue.receive_message("work", vt=0)
    assert hand().claim().deliveries == []
    assert bodies(queue, "work-dead") == ["a"]
    [outcome] = outbox.newest(queue.session, count=1)
    assert (outcome.id, outcome.event, outcome.error) == (id, "dead", "it was received 2 times")


def test_the_dead_letters_may_go_elsewhere(queue, hand):
    queue.set_redrive_policy("work", 1, "graveyard")
    queue.send_message("work", "a")
    queue.receive_message("work", vt=0)
    queue.send_message("work", "b")
    other = QueueClient(queue.redis)  # a client that does not know it
    assert other.receive_message("work").body == "b"
    assert bodies(queue, "graveyard") == ["a"]
    assert "work-dead" not in queue.list_queues()


def test_a_worker_learns_where_the_dead_letters_go(queue, hand):
    child = hand()
    queue.send_message("work", "a")
    [delivery] = child.claim().deliveries
    QueueClient(queue.redis).set_redrive_policy("work", 9, "graveyard")
    assert child.settle(ended(delivery, "dead")) == {}
    assert bodies(queue, "graveyard") == ["a"]


def test_a_policy_is_shown_and_taken_away(queue):
    assert queue.get_queue_policy("work") == QueuePolicy()
    queue.set_redrive_policy("work", 3)
    queue.set_retention("work", 60)
    assert queue.get_queue_policy("work") == QueuePolicy(3, "work-dead", 60, False)
    queue.set_retention("work", None)
    assert queue.delete_redrive_policy("work") == QueuePolicy()
    assert queue.redis.hexists("rsmq:work:Q", "dead_letter_queue") is False


@pytest.mark.parametrize(
    ("qname", "count", "dead", "text"),
    [
        ("work", 0, None, "between 1 and 1000"),
        ("work", 5, "work", "its own"),
        ("work-dead", 5, None, "cannot have one itself"),
        ("work", 5, "a b", "Invalid qname format"),
        ("q" * 160, 5, None, "Invalid qname format"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(queue, qname, count, dead, text):
    with pytest.raises(QueueError, match=text):
        queue.set_redrive_policy(qname, count, dead)


def test_policies_need_their_queue(queue):
    for call in (queue.get_queue_policy, queue.pause_queue, queue.delete_redrive_policy, queue.purge_queue):
        with pytest.raises(QueueNotFound):
            call("nowhere")


# --- redrive and move ----------------------------------------------------------------------------


def bury(client: QueueClient, *texts: str) -> list[str]:
    client.set_redrive_policy("work", 1)
    ids = client.send_messages("work", texts)
    client.receive_messages("work", len(ids), vt=0)
    client.receive_messages("work", len(ids))
    return ids


def test_dead_letters_are_redriven_with_id_body_and_count(queue):
    ids = bury(queue, "a", "b", "c")
    queue.delete_redrive_policy("work")
    told = []
    assert queue.redrive("work", progress=lambda done, total: told.append((done, total))) == 3
    assert told == [(3, 3)]
    assert [(message.id, message.rc) for message in queue.receive_messages("work")] == [(id, 2) for id in ids]
    assert queue.get_queue_attributes("work-dead").msgs == 0


def test_some_dead_letters_are_redriven(queue):
    ids = bury(queue, "a", "b", "c")
    assert queue.redrive("work", count=1) == 1
    assert queue.redrive("work", ids=[ids[2], "0" * 32]) == 1
    assert bodies(queue, "work") == ["a", "c"]
    assert bodies(queue, "work-dead") == ["b"]


def test_a_queue_without_dead_letters_redrives_none(queue):
    assert queue.redrive("work") == 0


def test_many_are_moved_in_bounded_steps(queue):
    queue.create_queue("other")
    ids = queue.send_messages("work", [str(number) for number in range(450)])
    told = []
    assert queue.move_messages("work", "other", progress=lambda *both: told.append(both)) == 450
    assert told == [(200, 450), (400, 450), (450, 450)]
    assert [queue.pop_message("other").id for _ in range(3)] == ids[:3]


def test_held_and_delayed_messages_are_not_moved(queue, hand):
    queue.create_queue("other")
    queue.send_messages("work", ["held", "ready"])
    queue.send_message("work", "later", delay=60)
    hand().claim(1)
    assert queue.move_messages("work", "other") == 1
    assert bodies(queue, "other") == ["ready"]


def test_moving_needs_two_queues(queue):
    with pytest.raises(QueueNotFound):
        queue.move_messages("work", "nowhere")
    with pytest.raises(QueueError, match="itself"):
        queue.move_messages("work", "work")


# --- pause, purge --------------------------------------------------------------------------------


def test_a_paused_queue_takes_messages_and_gives_none(queue, hand):
    assert queue.pause_queue("work").paused is True
    queue.send_message("work", "a")
    assert queue.receive_message("work") is None
    assert queue.pop_message("work") is None
    assert hand().claim().deliveries == []
    assert queue.queue_figures(["work"])[0].paused is True
    assert queue.resume_queue("work").paused is False
    assert queue.receive_message("work").body == "a"


def test_running_messages_of_a_paused_queue_are_settled(queue, hand):
    queue.send_message("work", "a")
    child = hand()
    [delivery] = child.claim().deliveries
    queue.pause_queue("work")
    assert child.settle(ended(delivery, "done")) == {}


def test_a_purge_deletes_all_but_what_runs(queue, hand):
    queue.send_messages("work", ["x"] * 500)
    child = hand()
    held = child.claim(3).deliveries
    queue.send_message("work", "later", delay=60)
    told = []
    assert queue.purge_queue("work", progress=lambda *both: told.append(both)) == 498
    assert told[-1] == (498, 501)
    assert child.settle(*(ended(delivery, "done") for delivery in held)) == {}
    assert queue.get_queue_attributes("work").msgs == 0


# --- retention and the sweeper -------------------------------------------------------------------


def test_a_message_that_has_been_ready_for_too_long_expires(queue):
    queue.set_retention("work", 3600)
    old = age(queue, "work", queue.send_message("work", "old"), OLD + "k")
    queue.send_message("work", "new")
    assert queue.sweep_queue("work") == Swept(expired=1)
    assert bodies(queue, "work") == ["new"]
    assert queue.peek_message("work", old) is None


def test_a_returned_or_retried_or_running_message_does_not_expire(queue, hand):
    queue.set_retention("work", 3600)
    for number in range(3):
        age(queue, "work", queue.send_message("work", str(number)), OLD + str(number))
    child = hand()
    retried, released, _running = child.claim(3).deliveries
    child.settle(ended(retried, "retrying"), ended(released, "released"))
    assert queue.sweep_queue("work").expired == 0
    assert queue.get_queue_attributes("work").msgs == 3


def test_the_sweeper_enforces_the_policy_on_what_others_received(queue):
    queue.set_redrive_policy("work", 1)
    queue.send_message("work", "a")
    queue.receive_message("work", vt=0)
    assert queue.sweep_queue("work").buried == 1
    assert bodies(queue, "work-dead") == ["a"]


def test_dead_letters_are_kept_for_a_month(queue):
    bury(queue, "a")
    assert queue.get_queue_policy("work-dead").retention_seconds == 30 * 86_400


def test_phantoms_and_orphans_are_swept_and_messages_are_not(queue):
    kept = queue.send_message("work", "kept", headers={"h": "1"})
    queue.receive_message("work", vt=0)
    gone = queue.send_message("work", "gone", headers={"h": "1"})
    queue.receive_messages("work", vt=0)
    queue.redis.hset("rsmq:work:ends", gone, "1 0 0")
    # As a program deletes that knows RSMQ's fields only, and one that has met a phantom.
    queue.redis.zrem("rsmq:work", gone)
    queue.redis.hdel("rsmq:work:Q", gone, f"{gone}:fr")
    queue.redis.zadd("rsmq:work", {"0" * 32: 0})
    assert queue.sweep_queue("work") == Swept(phantoms=1, orphans=3)
    assert queue.sweep_queue("work") == Swept()
    assert queue.receive_message("work").id == kept
    assert queue.redis.hkeys("rsmq:work:headers") == [kept.encode()]


def test_a_queue_of_many_is_swept_in_steps(queue):
    queue.set_redrive_policy("work", 1)
    queue.send_messages("work", ["x"] * 1000)
    queue.receive_messages("work", 450, vt=0)
    assert queue.sweep_queue("work") == Swept(buried=450)
    assert queue.get_queue_attributes("work").msgs == 550


def test_leftovers_of_a_foreign_deletion_are_swept(queue, hand):
    queue.send_messages("work", ["a", "b"], delay=0)
    queue.send_message("work", "c", headers={"h": "1"})
    child = hand()
    child.settle(ended(child.claim(1).deliveries[0], "released"))
    child.claim(1)
    # RSMQ's own deleteQueue.
    queue.redis.delete("rsmq:work", "rsmq:work:Q")
    queue.redis.srem("rsmq:QUEUES", "work")
    assert sweep.sweep_lost_queues(queue.session) == 5
    left = [key for key in queue.redis.keys("*") if b"sender" not in key]
    assert sorted(left) == [b"rsmq::outbox", b"rsmq::outbox:stats"]
    assert sweep.sweep_lost_queues(queue.session) == 0


def test_sweeping_a_queue_that_is_not_there_is_nothing(queue):
    assert queue.sweep_queue("nowhere") == Swept()


def test_a_redriven_message_has_all_its_attempts_again_under_the_same_policy(queue, hand):
    queue.set_redrive_policy("work", 2)
    id = queue.send_message("work", "a")
    for _ in range(3):
        queue.receive_message("work", vt=0)
    assert queue.redrive("work") == 1
    assert [queue.receive_message("work", vt=0).rc for _ in range(2)] == [3, 4]
    assert queue.receive_message("work") is None
    assert queue.redrive("work") == 1
    [delivery] = hand().claim().deliveries
    assert (delivery.message.id, delivery.message.rc, delivery.failed, delivery.crashed) == (id, 5, 0, 0)


def test_an_id_that_is_named_twice_is_moved_once(queue):
    ids = bury(queue, "a", "b")
    assert queue.redrive("work", ids=[ids[0], ids[0]]) == 1
    assert queue.get_queue_attributes("work-dead").msgs == 1


def test_figures_count_the_dead_letters_where_they_are(queue):
    queue.set_redrive_policy("work", 1, "graveyard")
    queue.send_message("work", "a")
    queue.receive_message("work", vt=0)
    queue.sweep_queue("work")
    stranger = QueueClient(queue.redis)
    assert {figures.name: figures.dead for figures in stranger.queue_figures()} == {"work": 1, "graveyard": 0}
    queue.delete_queue("work")
    queue.create_queue("work")
    assert {figures.name: figures.dead for figures in stranger.queue_figures(["work"])} == {"work": 0}


def test_a_repeated_release_counts_once(queue):
    queue.send_message("work", "a")
    message = queue.receive_message("work", vt=60)
    assert [queue.release_message("work", message) for _ in range(2)] == [1, 1]
    assert queue.redis.hget("rsmq:work:ends", message.id) == b"0 0 1"


def test_a_purge_looks_past_any_number_that_is_held(queue, hand):
    queue.send_messages("work", ["x"] * 550)
    child = hand()
    for _ in range(2):
        child.claim(125)
    assert queue.purge_queue("work") == 300
    assert queue.get_queue_attributes("work").msgs == 250


def test_a_count_and_ids_are_not_both_named(queue):
    queue.create_queue("other")
    with pytest.raises(QueueError, match="not both"):
        queue.move_messages("work", "other", count=1, ids=["0" * 32])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_receive_count", "abc"),
        ("retention", "1.5"),
        ("dead_letter_queue", b"\xff"),
        ("dead_letter_queue", "a:b"),
        ("dead_letter_queue", "work"),
        ("vt", "9" * 5000),
        ("totalsent", "many"),
    ],
)
def test_values_of_other_programs_in_the_fields_are_survived(queue, hand, field, value):
    queue.redis.hset("rsmq:work:Q", field, value)
    queue.redis.zadd("rsmq:work", {"0" * 32: float("inf")})
    queue.redis.hset("rsmq:work:Q", "0" * 32, "never")
    queue.get_queue_policy("work")
    queue.peek_messages("work")
    assert [figures.name for figures in queue.queue_figures()] == ["work"]
    assert queue.receive_messages("work") == []
    assert hand().claim().deliveries == []
    queue.sweep_queue("work")


def test_headers_that_are_none_are_none(queue):
    id = queue.send_message("work", "a", headers={"a": "b"})
    queue.redis.hset("rsmq:work:headers", id, "no JSON")
    assert queue.receive_message("work").headers == {}


def test_a_queue_of_another_type_hides_no_other(queue):
    queue.redis.sadd("rsmq:QUEUES", "odd")
    queue.redis.set("rsmq:odd:Q", "a string")
    assert [figures.name for figures in queue.queue_figures()] == ["work"]


@pytest.mark.parametrize("worn_out", [60, 1100])
def test_a_receive_looks_past_any_number_that_is_worn_out(queue, worn_out):
    queue.set_redrive_policy("work", 1)
    queue.send_messages("work", ["worn out"] * worn_out)
    # Hidden at first: what is due again in the same ms would come before what was not received yet.
    received = queue.receive_messages("work", worn_out, vt=60)
    queue.change_visibilities("work", received, 0)
    queue.send_messages("work", ["fresh", "fresh, too"])
    assert queue.receive_message("work").body == "fresh"
    assert queue.pop_message("work").body == "fresh, too"
    assert queue.get_queue_attributes("work-dead").msgs == worn_out
