"""Sends beyond RSMQ: drafts with due times, headers and deduplication, in batches of any size."""

import pytest

import queueing
from queueing.client import QueueClient
from queueing.exceptions import MessageNotString, MessageTooLong, QueueError
from queueing.messages import Draft


@pytest.fixture
def queue(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("q")
    return any_client


def due_in_ms(client: QueueClient, id: str) -> float:
    message = client.peek_message("q", id)
    return message.due_ms - message.sent


def test_a_delay_in_ms_is_kept_to_the_ms(queue):
    id = queue.send_message("q", "text", delay_ms=1500)
    assert 1499 <= due_in_ms(queue, id) <= 1501


def test_an_absolute_due_time_is_kept(queue):
    now_ms = int(queue.peek_message("q", queue.send_message("q", "x")).sent)
    id = queue.send_message("q", "text", due_ms=now_ms + 60_000)
    assert queue.peek_message("q", id).due_ms == now_ms + 60_000


def test_a_due_time_in_the_past_does_not_jump_the_line(queue):
    first = queue.send_message("q", "first")
    queue.send_message("q", "late", due_ms=1)
    assert queue.receive_message("q").id == first


def test_headers_travel_beside_the_body(queue):
    id = queue.send_message("q", "text", headers={"trace": "é1", "tenant": "a"})
    assert queue.redis.hget("rsmq:q:Q", id) == b"text"
    assert queue.receive_message("q").headers == {"trace": "é1", "tenant": "a"}
    assert queue.delete_message("q", id) == 1
    assert queue.redis.exists("rsmq:q:headers") == 0


def test_a_message_without_headers_has_none_and_no_key(queue):
    queue.send_message("q", "text")
    assert queue.redis.exists("rsmq:q:headers") == 0
    assert queue.pop_message("q").headers == {}


def test_popping_takes_the_headers_along(queue):
    queue.send_message("q", "text", headers={"a": "b"})
    assert queue.pop_message("q").headers == {"a": "b"}
    assert queue.redis.exists("rsmq:q:headers") == 0


def test_a_duplicate_in_its_window_gets_the_first_id_and_is_not_sent(queue):
    first = queue.send_message("q", "one", deduplication_id="order 1")
    assert queue.send_message("q", "two", deduplication_id="order 1") == first
    assert queue.send_message("q", "three", deduplication_id="order 2") != first
    assert [message.body for message in queue.peek_messages("q")] == ["one", "three"]
    assert queue.get_queue_attributes("q").totalsent == 2


def test_a_duplicate_is_recognised_after_the_first_is_processed(queue):
    first = queue.send_message("q", "one", deduplication_id="order 1")
    queue.pop_message("q")
    assert queue.send_message("q", "two", deduplication_id="order 1") == first
    assert queue.pop_message("q") is None


def test_the_window_of_a_duplicate_ends(queue):
    before_ms = queue.now_ms()
    queue.send_message("q", "one", deduplication_id="order 1", deduplication_seconds=20)
    [key] = queue.redis.keys("rsmq:q:once:*")
    left_ms = queue.redis.pttl(key)
    passed_ms = queue.now_ms() - before_ms
    assert 20_000 - passed_ms - 1 <= left_ms <= 20_000
    queue.redis.delete(key)  # as its time does
    queue.send_message("q", "two", deduplication_id="order 1")
    assert queue.get_queue_attributes("q").msgs == 2


def test_duplicates_in_one_batch_are_one_message(queue):
    ids = queue.send_messages("q", [Draft(body=str(n), deduplication_id=f"order {n % 2}") for n in range(4)])
    assert (ids[0], ids[1]) == (ids[2], ids[3])
    assert queue.get_queue_attributes("q").msgs == 2


def test_texts_and_drafts_mix_in_one_batch(queue):
    ids = queue.send_messages("q", ["a", Draft(body="b", delay_ms=60_000, headers={"h": "1"}), "c"], delay=0)
    assert [queue.peek_message("q", id).state for id in ids] == ["ready", "delayed", "ready"]


def test_batches_are_cut_by_bytes_too(queue):
    queue.set_queue_attributes("q", maxsize=-1)
    ids = queue.send_messages("q", ["x" * 600_000] * 4)
    assert [len(queue.pop_message("q").body) for _ in ids] == [600_000] * 4


def test_nothing_is_sent_where_one_of_a_step_is_too_long(queue):
    with pytest.raises(MessageTooLong):
        queue.send_messages("q", ["short", "x" * 65_537])
    assert queue.get_queue_attributes("q").msgs == 0


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        (Draft(body="x", delay_ms=1, due_ms=1), "not both"),
        (Draft(body="x", delay_ms=-1), "delay_ms must be"),
        (Draft(body="x", due_ms=1.5), "due_ms must be"),
        (Draft(body="x", delay_ms=True), "delay_ms must be"),
        (Draft(body="x", deduplication_id="a", deduplication_seconds=1.5), "deduplication_id must be"),
        (Draft(body="x", headers={"a": 1}), "Headers must be texts"),
        (Draft(body="x", deduplication_id=""), "deduplication_id must be"),
        (Draft(body="x", deduplication_id="a", deduplication_seconds=0), "deduplication_id must be"),
    ],
)
def test_invalid_drafts_are_refused_before_anything_is_sent(queue, draft, text):
    with pytest.raises(QueueError, match=text):
        queue.send_messages("q", ["good", draft])
    assert queue.get_queue_attributes("q").msgs == 0


@pytest.mark.parametrize("body", [5, None, b"bytes", Draft(body=5)])
def test_only_texts_are_messages(queue, body):
    with pytest.raises(MessageNotString):
        queue.send_messages("q", [body])


def test_an_empty_batch_makes_no_call(queue):
    assert queue.send_messages("q", []) == []


def test_headers_that_no_reader_takes_are_refused(queue):
    queue.send_message("q", "text", headers={"a": "x" * 999_000})
    with pytest.raises(QueueError, match="may have 1,000,000 bytes of JSON"):
        queue.send_message("q", "text", headers={"a": "x" * 1_000_000})
    assert queue.get_queue_attributes("q").msgs == 1


def test_a_misspelt_parameter_is_a_type_error(queue, shared_client):
    with pytest.raises(TypeError, match="delai"):
        queue.send_message("q", "text", delai=60)
    with pytest.raises(TypeError, match="delai"):
        queueing.send_message("q", "text", delai=60)
