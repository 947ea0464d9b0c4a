"""RSMQ's ten methods, on the keys and with the errors of the npm package."""

import pytest

from queueing.broker import batches
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import (
    InvalidFormat,
    InvalidValue,
    MessageNotString,
    MessageTooLong,
    MissingParameter,
    NoAttributeSupplied,
    QueueError,
    QueueExists,
    QueueFull,
    QueueNotFound,
    QueueUnavailable,
    ReplyLost,
)


@pytest.fixture
def queue(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("q")
    return any_client


def test_a_new_queue_has_rsmqs_defaults_and_nothing_else(queue):
    fields = queue.redis.hgetall("rsmq:q:Q")
    assert {name: value for name, value in fields.items() if name not in (b"created", b"modified")} == {
        b"vt": b"30",
        b"delay": b"0",
        b"maxsize": b"65536",
    }
    assert fields[b"created"] == fields[b"modified"]
    assert queue.list_queues() == ["q"]


def test_creating_twice_raises_queue_exists_and_repairs_the_index(queue):
    queue.redis.srem("rsmq:QUEUES", "q")
    with pytest.raises(QueueExists, match="^Queue exists$"):
        queue.create_queue("q")
    assert queue.list_queues() == ["q"]


def test_a_new_queue_does_not_deliver_leftovers_of_a_send(any_client):
    any_client.redis.zadd("rsmq:q", {"0" * 32: 0})
    any_client.redis.hset("rsmq:q:Q", "0" * 32, "ghost")
    any_client.create_queue("q")
    assert any_client.receive_message("q") is None


def test_a_sent_message_lies_as_rsmq_lays_it(queue):
    id = queue.send_message("q", "Hällo")
    assert len(id) == 32
    assert queue.redis.hget("rsmq:q:Q", id).decode() == "Hällo"
    assert queue.redis.zscore("rsmq:q", id) == int(id[:10], 36) // 1000
    assert queue.redis.hget("rsmq:q:Q", "totalsent") == b"1"


def test_a_received_message_is_hidden_and_counted(queue):
    id = queue.send_message("q", "text")
    first = queue.receive_message("q", vt=0)
    second = queue.receive_message("q")
    assert (first.id, first.body, first.rc) == (id, "text", 1)
    assert first.sent == int(id[:10], 36) / 1000
    assert (second.rc, second.fr) == (2, first.fr)
    assert queue.receive_message("q") is None
    assert queue.get_queue_attributes("q").totalrecv == 2


def test_a_popped_message_is_gone_without_a_trace(queue):
    queue.send_message("q", "text")
    queue.receive_message("q", vt=0)
    popped = queue.pop_message("q")
    assert (popped.body, popped.rc) == ("text", 2)
    assert set(queue.redis.hkeys("rsmq:q:Q")) == {
        *(b"vt", b"delay", b"maxsize", b"created", b"modified", b"totalsent", b"totalrecv")
    }


def test_an_empty_queue_gives_nothing(queue):
    assert queue.receive_message("q") is None
    assert queue.pop_message("q") is None


def test_messages_come_in_the_order_of_their_sending(queue):
    queue.send_messages("q", [str(number) for number in range(30)])
    assert [queue.pop_message("q").body for _ in range(30)] == [str(number) for number in range(30)]


def test_a_batch_has_unique_ids_in_order(queue):
    ids = queue.send_messages("q", ["x"] * 2500)
    assert len(set(ids)) == 2500
    assert [id[:10] for id in ids] == sorted(id[:10] for id in ids)
    assert queue.get_queue_attributes("q").totalsent == 2500


def test_a_delayed_message_is_hidden_until_it_is_due(queue):
    id = queue.send_message("q", "later", delay=60)
    assert queue.receive_message("q") is None
    assert queue.get_queue_attributes("q").hiddenmsgs == 1
    assert queue.change_message_visibility("q", id, 0) == 1
    assert queue.receive_message("q").id == id


def test_the_queues_own_delay_holds_where_none_is_given(queue):
    queue.set_queue_attributes("q", delay=60)
    queue.send_message("q", "later")
    queue.send_message("q", "now", delay=0)
    assert queue.receive_message("q").body == "now"
    assert queue.receive_message("q") is None


def test_a_message_just_sent_is_not_hidden(queue):
    queue.send_message("q", "text")
    assert queue.get_queue_attributes("q").hiddenmsgs == 0


def test_deleting_returns_whether_there_was_something(queue):
    id = queue.send_message("q", "text")
    assert queue.delete_message("q", id) == 1
    assert queue.delete_message("q", id) == 0
    assert queue.delete_message("nowhere", id) == 0


def test_deleting_a_queue_leaves_no_key(queue):
    queue.send_message("q", "text")
    assert queue.delete_queue("q") == 1
    assert [key for key in queue.redis.keys("*") if b"sender" not in key] == []
    with pytest.raises(QueueNotFound):
        queue.delete_queue("q")


def test_attributes_are_set_one_by_one(queue):
    attributes = queue.set_queue_attributes("q", vt=5, maxsize=-1)
    assert (attributes.vt, attributes.delay, attributes.maxsize) == (5, 0, -1)


def test_a_phantom_is_dropped_and_the_next_message_taken(queue):
    queue.redis.zadd("rsmq:q", {"0" * 32: 0})
    queue.send_message("q", "real")
    assert queue.receive_message("q").body == "real"
    assert queue.redis.zscore("rsmq:q", "0" * 32) is None


@pytest.mark.parametrize("left", ["30.0", "3e1", "not a number"])
def test_attributes_that_other_clients_wrote_are_read(queue, left):
    queue.redis.hset("rsmq:q:Q", mapping={"vt": left, "maxsize": "65565.0"})
    queue.send_message("q", "text")
    assert queue.receive_message("q").body == "text"
    assert queue.get_queue_attributes("q").maxsize == 65565


@pytest.mark.parametrize(("size", "character"), [(1024, "é"), (1024, "x"), (512, "😀")])
def test_the_size_counts_utf16_units(queue, size, character):
    queue.set_queue_attributes("q", maxsize=1024)
    queue.send_message("q", character * size)
    with pytest.raises(MessageTooLong):
        queue.send_message("q", character * (size + 1))


@pytest.mark.parametrize("body", ["", "\x00", "a\r\nb", "é", "😀", "x" * 65536, '{"n": 9007199254740993}'])
def test_a_body_arrives_as_it_was_sent(queue, body):
    queue.send_message("q", body)
    assert queue.pop_message("q").body == body


def test_bytes_that_are_no_utf8_pass_through_unchanged(queue):
    id = queue.send_message("q", "x")
    queue.redis.hset("rsmq:q:Q", id, b"\xff\xfe")
    taken = queue.pop_message("q")
    sent = queue.send_message("q", taken.body)
    assert queue.redis.hget("rsmq:q:Q", sent) == b"\xff\xfe"


def test_a_client_that_decodes_does_no_harm(redis_server):
    connection = redis_server.connect(decode_responses=True)
    client = QueueClient(connection)
    client.create_queue("q")
    client.send_message("q", "é")
    assert client.pop_message("q").body == "é"
    connection.close()


def test_errors_carry_rsmqs_names_and_texts(queue):
    for call, name, text in [
        (lambda: queue.set_queue_attributes("q"), "noAttributeSupplied", "No attribute was supplied"),
        (lambda: queue.send_message("", "x"), "missingParameter", "No qname supplied"),
        (lambda: queue.send_message("a b", "x"), "invalidFormat", "Invalid qname format"),
        (lambda: queue.delete_message("q", "x"), "invalidFormat", "Invalid id format"),
        (lambda: queue.delete_message("q", None), "missingParameter", "No id supplied"),
        (lambda: queue.create_queue("p", vt=-1), "invalidValue", "vt must be between 0 and 9999999"),
        (
            lambda: queue.create_queue("p", maxsize=5),
            "invalidValue",
            "maxsize must be between 1024 and 65536",
        ),
        (lambda: queue.send_message("q", 5), "messageNotString", "Message must be a string"),
        (lambda: queue.send_message("q", "x" * 65537), "messageTooLong", "Message too long"),
        (lambda: queue.receive_message("p"), "queueNotFound", "Queue not found"),
    ]:
        with pytest.raises(QueueError) as caught:
            call()
        assert (caught.value.name, str(caught.value)) == (name, text)


def test_the_queue_is_looked_for_before_the_message_is_judged(queue):
    with pytest.raises(QueueNotFound):
        queue.send_message("nowhere", 5)
    with pytest.raises(QueueNotFound):
        queue.receive_message("nowhere", vt="x")
    with pytest.raises(InvalidValue):
        queue.send_message("q", 5, delay="x")
    with pytest.raises(MessageNotString):
        queue.send_message("q", 5)


@pytest.mark.parametrize("name", ["QUEUES", "a\n", "a" * 161, "a:b", "ä"])
def test_a_name_that_is_none_is_refused(any_client, name):
    with pytest.raises(InvalidFormat):
        any_client.create_queue(name)


@pytest.mark.parametrize(("given", "kept"), [("12abc", 12), (1.9, 1), ("7", 7), (" 8", 8)])
def test_numbers_are_read_as_javascript_reads_them(queue, given, kept):
    assert queue.set_queue_attributes("q", vt=given).vt == kept


def test_missing_parameters_are_named(queue):
    with pytest.raises(MissingParameter, match="No qname supplied"):
        queue.receive_message(None)
    with pytest.raises(NoAttributeSupplied):
        queue.set_queue_attributes(None)
    with pytest.raises(InvalidValue):
        queue.change_message_visibility("q", "0" * 32, None)


def test_figures_add_up(queue):
    queue.send_messages("q", ["a", "b"])
    queue.send_message("q", "c", delay=60)
    [figures] = queue.queue_figures()
    assert (figures.ready, figures.delayed, figures.running, figures.dead) == (2, 1, 0, 0)
    assert figures.attributes.msgs == 3
    assert 0 <= figures.latency_seconds < 60


def test_figures_leave_out_keys_that_are_not_queues(queue):
    assert [figures.name for figures in queue.queue_figures(["q", "nowhere"])] == ["q"]


def test_peeking_neither_takes_nor_counts(queue):
    first, second = queue.send_messages("q", ["a", "b"])
    assert [message.body for message in queue.peek_messages("q", count=1)] == ["a"]
    assert [message.body for message in queue.peek_messages("q", newest=True)] == ["b", "a"]
    assert queue.peek_message("q", second).state == "ready"
    assert queue.peek_message("q", "0" * 32) is None
    assert queue.receive_message("q").rc == 1


def test_hits_are_counted_in_their_window(queue):
    assert [queue.count_hit("someone", 60) for _ in range(3)] == [1, 2, 3]
    assert queue.count_hit("someone else", 60) == 1


def test_a_script_that_redis_forgot_is_loaded_again(client):
    client.create_queue("q")
    client.send_message("q", "a")
    client.redis.script_flush()
    client.send_message("q", "b")
    assert client.get_queue_attributes("q").msgs == 2


def test_a_full_redis_refuses_sends_and_drains(own_redis):
    server = own_redis()
    client = QueueClient(server.connect())
    client.create_queue("q")
    client.send_messages("q", ["x" * 100] * 1000)
    client.redis.config_set("maxmemory", client.redis.info("memory")["used_memory"] - 1)
    with pytest.raises(QueueFull, match="Redis is full"):
        client.send_message("q", "one more")
    received = client.receive_message("q")
    assert client.delete_message("q", received.id) == 1
    assert client.pop_message("q") is not None
    client.redis.close()


def test_a_full_redis_purges_members_of_batches(own_redis):
    server = own_redis()
    client = QueueClient(server.connect())
    client.create_queue("q")
    batches.open_batch(client.session, "b", "{}", "", "")
    client.send_message("q", "member", headers={batches.BATCH: "b"})
    client.redis.config_set("maxmemory", 1)
    assert client.purge_queue("q") == 1
    [state] = batches.find(client.session, ["b"])
    assert state.cancelled == 1
    client.redis.close()


def test_an_absent_redis_raises_queue_unavailable():
    client = connect(Config(URL="redis://127.0.0.1:1", TIMEOUT=0.2))
    with pytest.raises(QueueUnavailable, match="Redis does not answer"):
        client.send_message("q", "x")
    with pytest.raises(QueueUnavailable) as caught:
        client.pop_message("q")
    assert not isinstance(caught.value, ReplyLost)
