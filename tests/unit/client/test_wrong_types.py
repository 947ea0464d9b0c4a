"""A call that meets a key of another type changes a message completely, or not at all.

Lua has no rollback. A script that failed after its first write could lose the message.
"""

from collections.abc import Callable
from functools import partial

import pytest

from queueing.broker.keys import NAMESPACE_TYPES, QUEUE_TYPES, Keys
from queueing.broker.leases import abandon, extend
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.messages import Message
from tests.unit.conftest import Hand, ended

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
LIMITED = {"queueing-limit": "1 0 key", "queueing-batch": "b" * 32}
HEADERS = pytest.mark.parametrize(
    "headers", [{}, {"a": "b"}, LIMITED], ids=["without headers", "with headers", "limited, in a batch"]
)


def stored(client: QueueClient) -> list[object]:
    """The entries of the messages in the queue and in the target, as Redis has them."""
    found: list[object] = []
    for queue in (QUEUE, "target"):
        fields = client.redis.hgetall(KEYS.attributes(queue))
        found += sorted(pair for pair in fields.items() if len(pair[0]) >= 32)
        found += client.redis.zrange(KEYS.schedule(queue), 0, -1, withscores=True)
    return found


def refused(client: QueueClient, prepare: Callable[[], Callable[[], object]]) -> list[str]:
    """The keys for which a call fails if they have another type. The call has then changed nothing.

    ``prepare`` returns the call.
    """
    found = []
    for key in OTHERS:
        call = prepare()
        client.redis.delete(key)
        client.redis.rpush(key, "theirs")
        before = stored(client)
        if fails(call):
            found.append(key)
            assert stored(client) == before, key
        client.redis.flushdb()
    return found


def fails(call: Callable[[], object]) -> bool:
    try:
        return isinstance(call(), QueueError)
    except QueueError:
        return True


@HEADERS
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_fails_has_changed_nothing(client: QueueClient, name: str, headers: dict[str, str]):
    def prepare() -> Callable[[], object]:
        client.create_queue(QUEUE)
        client.create_queue("target")
        client.send_message(QUEUE, "text", headers=headers)
        # A message that is at the head of its queue already is not released.
        message = client.receive_message(QUEUE, vt=100 if name == "release" else 0)
        assert message
        return lambda: CALLS[name](client, message)

    assert KEYS.headers(QUEUE) in refused(client, prepare)


def claim(child: Hand) -> object:
    return child.run(child.lease.claim(1, suspects="take"))


def settle(event: str, child: Hand, conf: Config) -> Callable[[], object]:
    [delivery] = child.claim(1).deliveries
    return lambda: child.run(child.lease.settle([ended(delivery, event)]))


def claim_after_a_crash(child: Hand, conf: Config) -> Callable[[], object]:
    child.claim(1)
    child.client.redis.zadd(KEYS.leases(QUEUE), {f"a {QUEUE}": 1})
    return lambda: claim(Hand(child.client, conf, "b"))


def keep(child: Hand, conf: Config) -> Callable[[], object]:
    child.claim(1)
    child.lease.in_hand.clear()
    child.claim(1)
    return lambda: claim(child)


def extend_lease(child: Hand, conf: Config) -> Callable[[], object]:
    child.claim(1)
    return lambda: extend(child.client.session, conf, {QUEUE: ["a"]})[QUEUE]


def abandon_all(child: Hand, conf: Config) -> Callable[[], object]:
    child.claim(1)
    started = {id for id, _ in child.lease.in_hand}
    return lambda: abandon(child.client.session, conf, QUEUE, "a", started=started, reason="crash")


#: Functions that return a call of a worker.
WORKER_CALLS: dict[str, Callable[[Hand, Config], Callable[[], object]]] = {
    "claim": lambda child, conf: lambda: claim(child),
    "claim after a crash": claim_after_a_crash,
    "keep": keep,
    "extend": extend_lease,
    "abandon": abandon_all,
    **{event: partial(settle, event) for event in ("done", "retrying", "dead", "released", "cancelled")},
}


@HEADERS
@pytest.mark.parametrize("name", WORKER_CALLS)
def test_a_call_of_a_worker_that_fails_has_changed_nothing(
    client: QueueClient, conf: Config, name: str, headers: dict[str, str]
):
    def prepare() -> Callable[[], object]:
        client.create_queue(QUEUE)
        client.send_message(QUEUE, "text", headers=headers)
        return WORKER_CALLS[name](Hand(client, conf, "a"), conf)

    assert KEYS.leases(QUEUE) in refused(client, prepare)
