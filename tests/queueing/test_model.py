"""Any sequence of calls does to the queues what it does to a model of them, on a clock of the test."""

import time
from collections.abc import Sequence
from typing import Any

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from queueing.client import QueueClient
from queueing.messages import Draft, Message
from queueing.senders import base36

from .model import Model, outcome, receipt

BEGINNING_US = 1_800_000_000_123_456
#: Each step takes a little longer than a millisecond.
STEP_US = 1_001

QUEUES = ("a", "b", "a-dead", "graveyard")
names = st.sampled_from(("a", "a", "a", "b", "b", "a-dead", "graveyard", "nowhere"))
owners = st.sampled_from(("a", "a", "b"))
seconds = st.sampled_from((0, 0, 1, 30))
counts = st.none() | st.integers(1, 3)
numbers = st.integers(0, 50)
drafts = st.builds(
    lambda body, when_ms, kind, headers, deduplication: (body, when_ms, kind, headers, deduplication),
    st.sampled_from(("", "text", "é😀", "x" * 1025)),
    st.integers(-2000, 5000),
    st.sampled_from(("plain", "plain", "delay_ms", "due_ms")),
    st.sampled_from(({}, {"trace": "1"})),
    st.sampled_from((None, None, ("once", 2), ("twice", 600))),
)


class Clients(RuleBasedStateMachine):
    """Two clients on one Redis, in turns, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(BEGINNING_US)
        self.patch = pytest.MonkeyPatch()
        # The clock of fakeredis: what TIME says, and what makes keys expire.
        self.patch.setattr(time, "time", lambda: self.model.now_us / 1e6)
        self.redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.client, self.other = QueueClient(self.redis), QueueClient(self.redis)
        self.ids: list[str] = ["f1tt8ybszqAbCdEfGhIjKlMnOpQrStUv"]
        self.receipts: list[tuple[str, Message]] = []

    def teardown(self) -> None:
        try:
            self.nothing_is_left_over()
        finally:
            self.patch.undo()

    def both(self, method: str, *args: Any, **options: Any) -> Any:
        """Call the next client and the model; they agree."""
        self.model.now_us += STEP_US
        self.client, self.other = self.other, self.client
        found = outcome(lambda: getattr(self.client, method)(*args, **options))
        expected = outcome(lambda: getattr(self.model, method)(*args, **options))
        assert found == expected
        return found

    def chosen(self, chosen: Sequence[int]) -> list[str]:
        return [self.ids[number % len(self.ids)] for number in chosen]

    def receipt(self, number: int) -> tuple[str, Message]:
        none = Message(self.ids[0], "", 1, 0, 0.0)
        return self.receipts[-1 - number % len(self.receipts)] if self.receipts else ("a", none)

    # --- queues -------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.both("create_queue", "a")
        self.both("create_queue", "b", vt=2, delay=1, maxsize=1024)

    @rule(qname=st.sampled_from(QUEUES), vt=seconds, delay=seconds, maxsize=st.sampled_from((-1, 1024)))
    def create(self, qname: str, vt: int, delay: int, maxsize: int) -> None:
        self.both("create_queue", qname, vt=vt, delay=delay, maxsize=maxsize)

    @rule(qname=names, chance=st.integers(0, 3))
    def delete_queue(self, qname: str, chance: int) -> None:
        if not chance:
            self.both("delete_queue", qname)

    @rule(qname=names, changes=st.dictionaries(st.sampled_from(("vt", "delay")), seconds))
    def set_attributes(self, qname: str, changes: dict[str, int]) -> None:
        self.both("set_queue_attributes", qname, **changes)

    @rule(past_ms=st.sampled_from((1, 500, 1000, 2000, 31_000, 3_600_000, 31 * 86_400_000)))
    def let_time_pass(self, past_ms: int) -> None:
        self.model.now_us += past_ms * 1000

    # --- messages -----------------------------------------------------------------------------

    @rule(qname=names, given=st.lists(drafts, min_size=1, max_size=4), delay=st.none() | seconds)
    def send(self, qname: str, given: list[Any], delay: int | None) -> None:
        self.model.now_us += STEP_US
        messages = [self.draft(*one) for one in given]
        found = outcome(lambda: self.client.send_messages(qname, messages, delay=delay))
        ids = found if isinstance(found, list) else []
        expected = outcome(lambda: self.model.send_messages(qname, messages, delay=delay, ids=ids))
        assert isinstance(expected, list) or expected == found
        for index, before in enumerate(expected if isinstance(expected, list) else ()):
            assert ids[index] == before if before else ids[index][:-22] == base36(self.model.now_us + index)
        self.model.now_us += len(ids)
        self.ids += dict.fromkeys(ids)

    def draft(self, body: str, when_ms: int, kind: str, headers: dict[str, str], once: Any) -> str | Draft:
        times = {"delay_ms": abs(when_ms)} if kind == "delay_ms" else {}
        if kind == "due_ms":
            times = {"due_ms": self.model.now_ms + when_ms}
        window = {"deduplication_id": once[0], "deduplication_seconds": once[1]} if once else {}
        return Draft(body=body, headers=headers, **times, **window) if times or headers or window else body

    @rule(qname=names, count=st.integers(1, 5), vt=st.none() | seconds)
    def receive(self, qname: str, count: int, vt: int | None) -> None:
        found = self.both("receive_messages", qname, count, vt=vt)
        self.receipts += [(qname, message) for message in found] if isinstance(found, list) else []

    @rule(qname=owners)
    def receive_again_and_again(self, qname: str) -> None:
        for _ in range(3):
            self.receive(qname, 5, 0)

    @rule(qname=names)
    def pop(self, qname: str) -> None:
        self.both("pop_message", qname)

    @rule(qname=names, number=numbers, newest=st.booleans())
    def peek(self, qname: str, number: int, newest: bool) -> None:
        self.both("peek_message", qname, self.chosen([number])[0])
        self.both("peek_messages", qname, count=1 + number % 5, newest=newest)

    # --- by id and by receipt -----------------------------------------------------------------

    @rule(qname=names, numbers=st.lists(numbers, max_size=3))
    def delete_by_id(self, qname: str, numbers: list[int]) -> None:
        self.both("delete_messages", qname, self.chosen(numbers))

    @rule(number=numbers)
    def delete_by_receipt(self, number: int) -> None:
        qname, message = self.receipt(number)
        self.both("delete_message", qname, message.id, rc=message.rc)

    @rule(qname=names, numbers=st.lists(numbers, max_size=3), vt=seconds)
    def hide_by_id(self, qname: str, numbers: list[int], vt: int) -> None:
        self.both("change_visibilities", qname, self.chosen(numbers) or self.ids[:1], vt)

    @rule(number=numbers, vt=seconds)
    def hide_by_receipt(self, number: int, vt: int) -> None:
        qname, message = self.receipt(number)
        self.both("change_message_visibility", qname, *receipt(message)[:1], vt, rc=message.rc)

    @rule(number=numbers, times=st.sampled_from((1, 1, 2)))
    def release(self, number: int, times: int) -> None:
        qname, message = self.receipt(number)
        for _ in range(times):
            self.both("release_message", qname, message)

    # --- steering -----------------------------------------------------------------------------

    @rule(qname=owners, count=st.integers(1, 3), dead=st.sampled_from((None, None, "graveyard")))
    def set_redrive_policy(self, qname: str, count: int, dead: str | None) -> None:
        self.both("set_redrive_policy", qname, count, dead)

    @rule(qname=names)
    def delete_redrive_policy(self, qname: str) -> None:
        self.both("delete_redrive_policy", qname)

    @rule(qname=names, retention=st.sampled_from((None, 1, 30)))
    def set_retention(self, qname: str, retention: int | None) -> None:
        self.both("set_retention", qname, retention)

    @rule(qname=names, then=st.sampled_from(("pause_queue", "resume_queue", "resume_queue")))
    def pause_or_resume(self, qname: str, then: str) -> None:
        self.both(then, qname)

    @rule(qname=names, chance=st.integers(0, 3))
    def purge(self, qname: str, chance: int) -> None:
        if not chance:
            self.both("purge_queue", qname)

    @rule(source=names, to=names, count=counts)
    def move(self, source: str, to: str, count: int | None) -> None:
        self.both("move_messages", source, to, count=count)

    @rule(source=names, to=names, numbers=st.lists(numbers, min_size=1, max_size=4), count=counts)
    def move_by_id(self, source: str, to: str, numbers: list[int], count: int | None) -> None:
        self.both("move_messages", source, to, ids=self.chosen(numbers), count=count)

    @rule(qname=names, count=counts)
    def redrive(self, qname: str, count: int | None) -> None:
        self.both("redrive", qname, count=count)

    # --- sweeping, and what other programs do ---------------------------------------------------

    @rule(qname=names)
    def sweep(self, qname: str) -> None:
        self.both("sweep_queue", qname)

    @rule()
    def sweep_lost_queues(self) -> None:
        self.both("sweep_lost_queues")

    @rule(qname=names, number=numbers)
    def delete_as_rsmq_does(self, qname: str, number: int) -> None:
        id = self.chosen([number])[0]
        self.redis.zrem(f"rsmq:{qname}", id)
        self.redis.hdel(f"rsmq:{qname}:Q", id, f"{id}:rc", f"{id}:fr")
        if qname in self.model.queues:
            self.model.queues[qname].messages.pop(id, None)

    @rule(qname=names, chance=st.integers(0, 3))
    def delete_queue_as_rsmq_does(self, qname: str, chance: int) -> None:
        if not chance:
            self.redis.delete(f"rsmq:{qname}:Q", f"rsmq:{qname}")
            self.redis.srem("rsmq:QUEUES", qname)
            self.model.lose_queue(qname)

    # --- what holds after each step ---------------------------------------------------------------

    @invariant()
    def figures_and_messages_agree(self) -> None:
        assert sorted(self.client.list_queues()) == self.model.list_queues()
        assert self.client.queue_figures() == self.model.queue_figures()
        for qname in self.model.queues:
            expected = self.model.peek_messages(qname, count=1000)
            assert self.client.peek_messages(qname, count=1000) == expected
            assert self.client.get_queue_policy(qname) == self.model.get_queue_policy(qname)

    def nothing_is_left_over(self) -> None:
        """RSMQ's keys hold the messages and nothing else, ours only what has an owner or an end."""
        for qname, queue in self.model.queues.items():
            fields = {field.decode() for field in self.redis.hkeys(f"rsmq:{qname}:Q")}
            fields -= {*("vt", "delay", "maxsize", "created", "modified", "totalsent", "totalrecv")}
            fields -= {"max_receive_count", "dead_letter_queue", "retention", "paused"}
            received = [id for id, kept in queue.messages.items() if kept.rc]
            assert fields == {*queue.messages} | {f"{id}:{kind}" for id in received for kind in ("rc", "fr")}
            headers = {id.decode() for id in self.redis.hkeys(f"rsmq:{qname}:headers")}
            assert headers == {*self.model.headers[qname]}
        for key in map(bytes.decode, self.redis.keys("*")):
            is_ours = not any(key in (f"rsmq:{qname}", f"rsmq:{qname}:Q") for qname in self.model.queues)
            beside = key.rpartition(":")[2] in ("headers", "ends")
            assert key == "rsmq:QUEUES" or not is_ours or beside or self.redis.ttl(key) > 0, key


Clients.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
test_every_sequence_of_calls_does_what_the_model_says = Clients.TestCase
