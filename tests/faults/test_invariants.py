"""The checker itself finds everything that is broken by hand."""

import json
from collections.abc import Callable

import pytest

from queueing.broker.keys import Keys
from queueing.broker.leases import QueueLease
from queueing.broker.outcomes import Outcome, State, pack
from queueing.client import QueueClient
from queueing.conf import Config
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger, write

KEYS = Keys("rsmq")


class Hand:
    """Break one thing without the checker's knowledge, after a message has run."""

    def __init__(self, client: QueueClient, ledger: Ledger, message_id: str) -> None:
        self.client, self.ledger, self.id = client, ledger, message_id

    def lose(self) -> None:
        message_id = self.client.send_message("ledger", "lost")
        self.client.redis.zrem(KEYS.schedule("ledger"), message_id)
        self.client.redis.hdel(KEYS.attributes("ledger"), message_id)

    def settle_twice(self) -> None:
        self._record("done", rc=1)

    def settle_after_the_end(self) -> None:
        self._record("retrying", rc=2)

    def settle_what_never_ran(self) -> None:
        self._record("done", rc=1, id="x" * 32)

    def run_a_receipt_twice(self) -> None:
        write(self.ledger.path, "start", self.id, 1, "")

    def run_without_a_reason(self) -> None:
        for rc in (1, 2):
            write(self.ledger.path, "start", "y" * 32, rc, "")

    def queue_what_is_done(self) -> None:
        self.client.redis.hset(KEYS.attributes("ledger"), self.id, "again")
        self.client.redis.zadd(KEYS.schedule("ledger"), {self.id: 1})

    def count_what_was_not_received(self) -> None:
        self.client.redis.hincrby(KEYS.attributes("ledger"), "totalrecv", 1)

    def count_what_was_not_sent(self) -> None:
        self.client.redis.hincrby(KEYS.attributes("ledger"), "totalsent", 1)

    def count_an_outcome_twice(self) -> None:
        count, sums = self.client.redis.hget(KEYS.metrics("ledger"), "now").split(b" ", 1)
        twice = {**json.loads(sums), "done": 2}
        self.client.redis.hset(KEYS.metrics("ledger"), "now", count + b" " + json.dumps(twice).encode())

    def leave_a_field(self) -> None:
        self.client.redis.hset(KEYS.ends("ledger"), self.id, "1 0 0")

    def leave_a_key(self) -> None:
        self.client.redis.set("rsmq:ledger:whatever", 1)

    def hold_without_a_lease(self) -> None:
        self.client.redis.hset(KEYS.held(), "nobody ledger", json.dumps({"held": []}))

    def _record(self, event: str, *, rc: int, id: str = "") -> None:
        outcome = Outcome(queue="ledger", id=id or self.id, rc=rc, event=State(event), worker="by hand")
        packed = pack([outcome], with_bodies=False)
        fields = {"count": 1, "bytes": 1, "ms": 1, "packed": packed, "refused": "[]"}
        self.client.redis.xadd(KEYS.outbox(), fields)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (Hand.lose, "ledger: lost"),
        (Hand.settle_twice, "settled twice"),
        (Hand.settle_after_the_end, "settled after its end"),
        (Hand.settle_what_never_ran, "never ran to its end"),
        (Hand.run_a_receipt_twice, "one receipt ran twice"),
        (Hand.run_without_a_reason, "nothing tells why"),
        (Hand.queue_what_is_done, "ended and still queued"),
        (Hand.count_what_was_not_received, "totalrecv 2, 1 deliveries"),
        (Hand.count_what_was_not_sent, "totalsent 2, there were 1"),
        (Hand.count_an_outcome_twice, "counted .*'done': 2"),
        (Hand.leave_a_field, "fields without a message"),
        (Hand.leave_a_key, "nobody owns the key rsmq:ledger:whatever"),
        (Hand.hold_without_a_lease, "held without a lease"),
    ],
)
def test_the_checker_finds_each_broken_invariant(
    client: QueueClient,
    ledger: Ledger,
    invariants: Invariants,
    break_it: Callable[[Hand], None],
    told: str,
):
    invariants.do_not_hold("this test breaks them")
    message_id = _run_one(client, ledger)
    invariants.check(faults=0, drained=["ledger"], diary=Memory({("ledger", message_id): (1, "done")}))
    break_it(Hand(client, ledger, message_id))
    with pytest.raises(AssertionError, match=told):
        invariants.check(faults=0, drained=["ledger"])


def test_the_checker_compares_the_history_with_redis(
    client: QueueClient, ledger: Ledger, invariants: Invariants
):
    key = ("ledger", _run_one(client, ledger))
    for wrong in ({}, {key: (1, "dead")}, {key: (1, "done"), ("ledger", "other"): (1, "done")}):
        with pytest.raises(AssertionError, match="remembered"):
            invariants.check(diary=Memory(wrong))


class Memory:
    """A history with these rows."""

    def __init__(self, rows: dict[tuple[str, str], tuple[int, str]]) -> None:
        self._rows = rows

    def last_outcomes(self) -> dict[tuple[str, str], tuple[int, str]]:
        return self._rows


def _run_one(client: QueueClient, ledger: Ledger) -> str:
    """Send a message and handle it as a worker does."""
    client.create_queue("ledger")
    message_id = client.send_message("ledger", "one")
    lease = QueueLease(client.session, Config(), "by-hand", "ledger")
    client.session.call_each([lease.claim(1, suspects="take")])
    for event in ("start", "end"):
        write(ledger.path, event, message_id, 1, "one")
    done = Outcome(queue="ledger", id=message_id, rc=1, event=State.DONE, worker="by-hand")
    client.session.call_each([lease.settle([done])])
    return message_id
