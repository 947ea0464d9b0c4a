"""A call that meets a key of another type changes a message completely, or not at all.

Lua has no rollback. A script that failed after its first write could lose the message.
"""

from collections.abc import Callable

import pytest

from queueing.broker.keys import NAMESPACE_TYPES, QUEUE_TYPES, Keys
from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.messages import Message

QUEUE, DEAD = "work", "work-dead"
KEYS = Keys("rsmq")
#: All keys but the two that have the message itself: its body and its due time.
OTHERS = (
    *(f"{KEYS.ns}:{QUEUE}:{part}" for part in QUEUE_TYPES if part != "Q"),
    *(f"{KEYS.ns}::{name}" for name in NAMESPACE_TYPES),
    *(KEYS.queues(), KEYS.attributes(DEAD), KEYS.schedule(DEAD), KEYS.headers(DEAD)),
)
CALLS: dict[str, Callable[[QueueClient, Message], object]] = {
    "pop": lambda client, message: client.pop_message(QUEUE),
    "receive": lambda client, message: client.receive_message(QUEUE),
    "delete": lambda client, message: client.delete_message(QUEUE, message.id),
    "hide": lambda client, message: client.change_message_visibility(QUEUE, message.id, 100),
    "release": lambda client, message: client.release_message(QUEUE, message),
    "cancel": lambda client, message: client.cancel_message(QUEUE, message.id),
    "purge": lambda client, message: client.purge_queue(QUEUE),
    "move": lambda client, message: client.move_messages(QUEUE, "target"),
}


def stored(client: QueueClient) -> list[object]:
    """The entries of the messages in the queue and in the target, as Redis has them."""
    found: list[object] = []
    for queue in (QUEUE, "target"):
        fields = client.redis.hgetall(KEYS.attributes(queue))
        found += sorted(pair for pair in fields.items() if len(pair[0]) >= 32)
        found += client.redis.zrange(KEYS.schedule(queue), 0, -1, withscores=True)
    return found


@pytest.mark.parametrize("headers", [{}, {"a": "b"}], ids=["without headers", "with headers"])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_fails_has_changed_nothing(client: QueueClient, name: str, headers: dict[str, str]):
    client.create_queue(QUEUE)
    client.create_queue("target")
    refused = []
    for key in OTHERS:
        client.send_message(QUEUE, "text", headers=headers)
        message = client.receive_message(QUEUE, vt=0)
        assert message
        kept = f"{key}:kept"
        if client.redis.exists(key):
            client.redis.rename(key, kept)
        client.redis.rpush(key, "theirs")
        before = stored(client)
        try:
            CALLS[name](client, message)
        except QueueError:
            refused.append(key)
            assert stored(client) == before, key
        client.redis.delete(key)
        if client.redis.exists(kept):
            client.redis.rename(kept, key)
        client.purge_queue(QUEUE)
        client.purge_queue("target")
    assert KEYS.headers(QUEUE) in refused
