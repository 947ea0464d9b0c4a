"""Peeking at bounded parts of messages, at workers, and at the outbox."""

import pytest

from queueing.broker import outbox
from queueing.client import QueueClient


@pytest.fixture
def queue(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("work", maxsize=-1)
    return any_client


def test_only_the_beginning_of_a_body_is_read_where_no_more_is_wanted(queue):
    queue.send_messages("work", ["short", "x" * 5000])
    short, long = queue.peek_messages("work", body_bytes=100)
    assert (short.body, short.size_bytes) == ("short", 5)
    assert (long.body, long.size_bytes) == ("x" * 100, 5000)


@pytest.mark.parametrize("limit", range(1, 12))
def test_no_character_is_cut_in_two(queue, limit):
    text = "aé漢😀b"
    [message] = [queue.peek_message("work", queue.send_message("work", text * 9), body_bytes=limit)]
    assert (text * 9).startswith(message.body)
    assert limit - 4 < len(message.body.encode()) <= limit


def test_bytes_that_are_not_text_stay_unchanged(queue):
    id = queue.send_message("work", "x")
    queue.redis.hset("rsmq:work:Q", id, b"caf\xe9" + b"x" * 100)
    assert queue.peek_message("work", id, body_bytes=10).body == "caf\udce9xxxxxx"
    assert queue.peek_message("work", id).body.startswith("caf\udce9x")


def test_only_the_first_of_many_long_messages_are_read(queue):
    id, *_ = queue.send_messages("work", ["x" * 4_000_000] * 3 + ["short", "y" * 1_000])
    found = queue.peek_messages("work", body_bytes=100)
    assert [message.body for message in found] == ["x" * 100, "x" * 100, "", "short", "y" * 100]
    assert [message.size_bytes for message in found] == [4_000_000] * 3 + [5, 1_000]
    assert queue.peek_message("work", id, body_bytes=100).body == "x" * 100
    assert len(queue.peek_message("work", id).body) == 4_000_000


def test_headers_are_seen_too(queue):
    queue.send_message("work", "", headers={"tenant": "a"})
    assert queue.peek_messages("work")[0].headers == {"tenant": "a"}


def test_how_full_the_outbox_is(any_client):
    assert outbox.stats(any_client.session) == outbox.Stats(0, 0, 0, 0, 0)
    any_client.redis.hset("rsmq::outbox:stats", mapping={"bytes": 70, "lost": 3})
    any_client.redis.xadd("rsmq::outbox", {"count": 1})
    stats = outbox.stats(any_client.session)
    assert (stats.entries, stats.size_bytes, stats.lost, stats.acknowledged) == (1, 70, 3, 0)
    assert 0 <= stats.oldest_seconds < 60


def test_since_when_the_oldest_waits(any_client):
    any_client.redis.xadd("rsmq::outbox", {"count": 1}, id=f"{any_client.now_ms() - 60_000}-0")
    any_client.redis.xadd("rsmq::outbox", {"count": 1})
    assert 60 <= outbox.stats(any_client.session).oldest_seconds < 120


def test_lost_outcomes_are_acknowledged_up_to_the_number_that_was_seen(any_client):
    any_client.redis.hset("rsmq::outbox:stats", mapping={"lost": 5})
    assert outbox.acknowledge(any_client.session, 3) == 3
    assert outbox.stats(any_client.session).unseen == 2
    assert outbox.acknowledge(any_client.session, 3) == 0
    assert outbox.acknowledge(any_client.session, 99) == 2  # no more than there are
    any_client.redis.hincrby("rsmq::outbox:stats", "lost", 1)
    assert outbox.stats(any_client.session).unseen == 1
