"""Sends of one text without options: they have a script of their own, and a command packed beforehand."""

import pytest
from hiredis import pack_command

from queueing.broker.idempotency import Senders
from queueing.broker.keys import Keys
from queueing.broker.rsmq_values import encode
from queueing.broker.scripts import Call
from queueing.client import QueueClient, drafts
from queueing.handlers import handler, policy
from queueing.policies import unique


@pytest.mark.parametrize("text", ["", "plain", "100 % %b %d", "é😀", "line\r\n$3\r\nend", "\ud800 \udcff"])
@pytest.mark.parametrize("namespace", ["rsmq", "{ns}", "100%b"])
def test_the_packed_command_is_that_of_the_general_way(namespace, text):
    keys, sending = Keys(namespace), Senders().next_call(1)
    made = drafts.TextSend(keys, "q").call(sending, text)
    names = [keys.attributes("q"), keys.schedule("q"), keys.sender(sending.token), *keys.of_idle()]
    arguments = sending.number, "q", keys.channel("q"), sending.tails[0], text, sending.REMEMBERED_MS
    general = Call("send_text", names, *arguments)
    words = [encode(part) if isinstance(part, str) else part for part in general.command(whole=False)]
    assert made.packed == pack_command(tuple(words))
    assert [str(part) for part in made.args] == [str(part) for part in general.args]
    assert made.keys == general.keys


def test_a_handler_that_becomes_unique_is_noticed_by_the_next_send(any_client):
    any_client.create_queue("q")
    any_client.send_message("q", "text")
    policy(unique="until_done")(handler("q")(lambda message: None))
    id = any_client.send_message("q", "text")
    assert unique.HEADER in any_client.peek_message("q", id).headers


def effect(client: QueueClient, send, *, maxsize: int, delay: int) -> dict[str, object]:
    """The keys and values that a send stores, and the text that it publishes. Id and times are replaced."""
    redis = client.redis
    redis.flushall()
    client.create_queue("q", maxsize=maxsize, delay=delay)
    redis.delete(*redis.keys("rsmq::sender:*"))
    with redis.pubsub() as channel:
        channel.subscribe(client.keys.channel("q"))
        channel.get_message(timeout=5)
        id = send()
        published = channel.get_message(timeout=5)["data"]
    sent_us = int(id[:10], 36)
    [sender] = redis.keys("rsmq::sender:*")
    return {
        "keys": sorted(key for key in redis.scan_iter() if key != sender),
        "fields": sorted(b"id" if name == id.encode() else name for name in redis.hkeys("rsmq:q:Q")),
        "body": redis.hget("rsmq:q:Q", id),
        "sent": redis.hget("rsmq:q:Q", "totalsent"),
        "delay": redis.zscore("rsmq:q", id) - sent_us // 1000,
        "sender": redis.get(sender).split()[1] == b"%d" % sent_us,
        "remembered": redis.pttl(sender) > 500_000,
        "published": published,
        "length": len(id),
    }


@pytest.mark.parametrize("text", ["text", "é😀", "x" * 1024, "", "😀" * 500])
@pytest.mark.parametrize(
    ("maxsize", "delay"), [(65536, 0), (-1, 0), (1024, 0), (65536, 7), (2000, 9_999_999)]
)
def test_a_text_is_stored_as_the_general_way_stores_it(client, monkeypatch, maxsize, delay, text):
    def send() -> str:
        return client.send_message("q", text)

    quick = effect(client, send, maxsize=maxsize, delay=delay)
    monkeypatch.setattr(drafts, "is_plain", lambda qname: False)
    general = effect(client, send, maxsize=maxsize, delay=delay)
    assert quick == general
    assert quick["sender"]
