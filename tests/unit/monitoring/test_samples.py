"""How queues stand, noted once a minute by one of all workers; and the rates that come of it."""

import json

import pytest

from queueing.broker.keys import Keys
from queueing.client import QueueClient
from queueing.messages import QueueFigures
from queueing.monitoring.rates import Rate, rate_of_all, read_rates
from queueing.monitoring.series import Point, read_points
from queueing.monitoring.store import MAX_SAMPLED, sample_queues
from queueing.monitoring.workers import beat

KEYS = Keys("rsmq")


@pytest.fixture
def mail(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("mail")
    return any_client


def pass_time(client: QueueClient, seconds: float, queue: str = "mail") -> None:
    """Move all samples ``seconds`` into the past."""
    key = KEYS.metrics(queue)
    samples = json.loads(client.redis.hget(key, "last"))
    moved = [[ms - seconds * 1000, *rest] for ms, *rest in samples]
    client.redis.hset(key, "last", json.dumps(moved))
    client.redis.hset(key, "since", int(client.redis.hget(key, "since")) - int(seconds * 1000))


def last_point(client: QueueClient, queue: str = "mail") -> Point:
    return read_points(client, queue, seconds=600, points=10)[-1]


def figures(client: QueueClient, queue: str = "mail") -> QueueFigures:
    [found] = client.queue_figures([queue])
    return found


def test_a_sample_counts_sent_and_deleted_and_present_messages(mail):
    sample_queues(mail.session, ["mail"])
    pass_time(mail, 60)
    mail.send_messages("mail", ["x"] * 5)
    mail.send_message("mail", "later", delay=60)
    mail.pop_message("mail")
    mail.delete_message("mail", mail.receive_message("mail").id)
    sample_queues(mail.session, ["mail"])
    point = last_point(mail)
    assert (point.sent, point.left, point.ready, point.delayed) == (6, 2, 3, 1)
    assert point.latency_seconds >= 0
    assert point.done == 0, "no worker of ours had a part in it"


def test_a_send_between_two_samples_is_counted_once(mail):
    sample_queues(mail.session, ["mail"])
    for _ in range(3):
        pass_time(mail, 60)
        mail.send_messages("mail", ["x"] * 10)
        sample_queues(mail.session, ["mail"])
    assert sum(point.sent for point in read_points(mail, "mail", seconds=600)) == 30


def test_a_queue_that_was_made_again_has_sent_its_own_total(mail):
    mail.send_messages("mail", ["x"] * 10)
    sample_queues(mail.session, ["mail"])
    pass_time(mail, 60)
    mail.redis.hset("rsmq:mail:Q", "totalsent", 4)
    sample_queues(mail.session, ["mail"])
    assert last_point(mail).sent == 4


def test_a_queue_that_rests_empty_costs_no_field_and_reads_as_empty(mail):
    for _ in range(10):
        sample_queues(mail.session, ["mail"])
        pass_time(mail, 60)
    sample_queues(mail.session, ["mail"])
    assert set(mail.redis.hkeys(KEYS.metrics("mail"))) == {b"last", b"since"}
    assert len(json.loads(mail.redis.hget(KEYS.metrics("mail"), "last"))) <= 7
    points = read_points(mail, "mail", seconds=600, points=10)
    assert [(point.ready, point.latency_seconds) for point in points] == [(0, 0.0)] * 10


def test_an_unknown_rate_is_none(mail):
    mail.send_message("mail", "x")
    sample_queues(mail.session, ["mail"])
    pass_time(mail, 1800)
    mail.send_messages("mail", ["x"] * 50)
    sample_queues(mail.session, ["mail"])
    points = read_points(mail, "mail", seconds=3600, points=60)
    assert points[-1].ready == 51
    assert points[-1].sent == 0, "nobody knows when"
    assert [point.ready for point in points[-25:-2]] == [None] * 23
    assert points[0].ready is None, "before the first sample"


def test_dead_letters_are_counted_where_they_are(mail):
    mail.create_queue("graves")
    mail.send_message("graves", "x")
    mail.set_redrive_policy("mail", 3, "graves")
    other = QueueClient(mail.redis)
    sample_queues(other.session, ["mail"])
    assert last_point(mail).buried == 1


def test_several_queues_are_charted_together(mail):
    mail.create_queue("post")
    for queue, count in (("mail", 2), ("post", 3)):
        sample_queues(mail.session, [queue])
        pass_time(mail, 60, queue)
        mail.send_messages(queue, ["x"] * count)
    sample_queues(mail.session, ["mail", "post", "absent"])
    point = read_points(mail, ["mail", "post", "absent"], seconds=600, points=10)[-1]
    assert (point.sent, point.ready) == (5, 5)
    assert read_points(mail, [], seconds=600, points=10)[-1].ready is None


def test_a_spoilt_queue_hides_no_other(mail):
    mail.redis.set("rsmq:broken:Q", "x")
    mail.send_message("mail", "x")
    sample_queues(mail.session, ["broken", "mail"])
    assert last_point(mail).ready == 1
    mail.redis.hset(KEYS.metrics("mail"), "last", '[["x"],1,{}]')
    sample_queues(mail.session, ["mail"])
    assert len(json.loads(mail.redis.hget(KEYS.metrics("mail"), "last"))) == 1


def test_rates_are_those_of_the_last_minutes_with_any_senders_and_receivers(mail):
    sample_queues(mail.session, ["mail"])
    for _ in range(3):
        pass_time(mail, 60)
        sample_queues(mail.session, ["mail"])
    pass_time(mail, 60)
    mail.send_messages("mail", ["x"] * 30)
    mail.delete_messages("mail", mail.receive_messages("mail", 6))
    rate = read_rates(mail, [figures(mail)])["mail"]
    assert rate.over_seconds == pytest.approx(240, abs=2)
    assert rate.in_per_second == pytest.approx(30 / 240, rel=0.02)
    assert rate.out_per_second == pytest.approx(6 / 240, rel=0.02)
    assert rate.drain_seconds is None, "it fills faster than it empties"
    assert rate.failure_ratio is None


def test_the_time_to_drain_is_what_is_ready_by_the_rate_at_which_it_falls(mail):
    mail.send_messages("mail", ["x"] * 100)
    sample_queues(mail.session, ["mail"])
    pass_time(mail, 100)
    mail.delete_messages("mail", mail.receive_messages("mail", 50))
    queue = figures(mail)
    rate = read_rates(mail, [queue])["mail"]
    assert rate.drain_seconds == pytest.approx(100, rel=0.05)
    of_all = rate_of_all([queue], {"mail": rate})
    assert of_all.drain_seconds == pytest.approx(100, rel=0.05)
    mail.purge_queue("mail")
    assert read_rates(mail, [figures(mail)])["mail"].drain_seconds == 0


def test_without_a_sample_of_a_worker_there_is_no_rate(mail):
    rate = read_rates(mail, [figures(mail)])["mail"]
    assert (rate.in_per_second, rate.out_per_second, rate.drain_seconds) == (None, None, None)
    sample_queues(mail.session, ["mail"])
    pass_time(mail, 7200)
    assert read_rates(mail, [figures(mail)])["mail"].in_per_second is None
    assert rate_of_all([figures(mail)], {"mail": rate}) == Rate()


def test_a_worker_samples_its_own_queues_then_others_by_name_but_no_dead_letters(mail):
    names = [f"q{number:03}" for number in range(150)]
    for name in [*names, "zebra", "mail-dead"]:
        mail.create_queue(name)
    mail.redis.sadd("rsmq:QUEUES", "a:b", "no name")
    sample_queues(mail.session, mail.list_queues(), first=["zebra"])
    sampled = {key.decode().split(":")[1] for key in mail.redis.scan_iter(match="rsmq:*:metrics", count=1000)}
    assert sampled == {"zebra", "mail", *names[: MAX_SAMPLED - 2]}


def test_each_minute_is_the_turn_of_one_of_all_workers(mail):
    turns = [beat(mail.session, f"w{number}", "{}", "t").queues for number in range(5)]
    assert turns == [["mail"], None, None, None, None]
    mail.redis.set(KEYS.sampled(), "1")
    assert beat(mail.session, "w3", "{}", "t").queues == ["mail"]
    assert mail.redis.ttl(KEYS.sampled()) > 0
