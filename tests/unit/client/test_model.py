"""Any sequence of calls does to the queues what it does to a model of them, on a clock of the test."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from queueing.broker.idempotency import base36
from queueing.client import QueueClient
from queueing.client.sweep import sweep_lost_queues
from queueing.messages import Draft, Message
from tests.unit.model import Model, outcome

BEGINNING_US = 1_800_000_000_123_456
#: Each step takes a little longer than a millisecond.
STEP_US = 1_001

QUEUES = ("a", "b", "a-dead", "b-dead", "graveyard")
names = st.sampled_from(("a", "a", "a", "a", "b", "b", "a-dead", "graveyard", "nowhere"))
owners = st.sampled_from(("a", "a", "b"))
seconds = st.sampled_from((0, 0, 0, 1, 30))
counts = st.none() | st.integers(1, 3)
numbers = st.integers(0, 50)
some = st.lists(numbers, min_size=1, max_size=4)
drafts = st.builds(
    lambda body, when_ms, kind, headers, deduplication: (body, when_ms, kind, headers, deduplication),
    st.sampled_from(("", "text", "text", "é😀", "é😀", "x" * 1025)),
    st.integers(-2000, 5000),
    st.sampled_from(("plain", "plain", "plain", "delay_ms", "due_ms")),
    st.sampled_from(({}, {"trace": "1"})),
    st.sampled_from((None, None, None, ("once", 2), ("twice", 600))),
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
        return self.agree(
            lambda: getattr(self.client, method)(*args, **options),
            lambda: getattr(self.model, method)(*args, **options),
        )

    def agree(self, ask_redis: Callable[[], Any], ask_model: Callable[[], Any]) -> Any:
        """Check that the next client and the model answer the same."""
        self.model.now_us += STEP_US
        self.client, self.other = self.other, self.client
        found = outcome(ask_redis)
        assert found == outcome(ask_model)
        return found

    def chosen(self, chosen: Sequence[int]) -> list[str]:
        return [self.ids[-1 - number % len(self.ids)] for number in chosen]

    def receipt(self, number: int) -> tuple[str, Message]:
        none = Message(self.ids[0], "", 1, 0, 0.0)
        return self.receipts[-1 - number % len(self.receipts)] if self.receipts else ("a", none)

    # --- queues -------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.both("create_queue", "a")
        self.both("create_queue", "b", vt=2, delay=1, maxsize=1024)
        self.both("set_redrive_policy", "a", 2)
        for qname in ("a", "b"):
            self.send(
                qname, [("text", 0, "plain", {"trace": "1"}, None), ("text", 0, "plain", {}, None)] * 2, 0
            )
            self.receive(qname, 2, 0)

    @rule(
        qname=st.sampled_from(("a", "b", *QUEUES)),
        what=st.sampled_from(("create", "create", "delete", "purge", "lose", "lose and create")),
        attributes=st.tuples(seconds, seconds, st.sampled_from((-1, 1024))),
    )
    def make_or_empty(self, qname: str, what: str, attributes: tuple[int, int, int]) -> None:
        if what.startswith("lose"):  # as RSMQ deletes it
            self.redis.delete(f"rsmq:{qname}:Q", f"rsmq:{qname}")
            self.redis.srem("rsmq:QUEUES", qname)
            self.model.lose_queue(qname)
        if what.endswith("create"):
            vt, delay, maxsize = attributes
            self.both("create_queue", qname, vt=vt, delay=delay, maxsize=maxsize)
        if what in ("delete", "purge"):
            self.both(f"{what}_queue", qname)

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

    @rule(qname=owners, count=st.integers(1, 3), dead=st.sampled_from((None, "graveyard")), back=some)
    def wear_out(self, qname: str, count: int, dead: str | None, back: list[int]) -> None:
        """Receive what is due again and again, and give some of it back, or try to delete it."""
        self.both("set_redrive_policy", qname, count, dead)
        for number in back:
            self.receive(qname, 5, 0)
            if number % 5:
                self.release(number, 1)
            else:
                self.delete_or_hide_by_receipt(number, None)

    @rule(qname=names)
    def pop(self, qname: str) -> None:
        self.both("pop_message", qname)

    # --- by id and by receipt -----------------------------------------------------------------

    @rule(qname=names, chosen=some, vt=st.none() | seconds)
    def delete_or_hide_by_id(self, qname: str, chosen: list[int], vt: int | None) -> None:
        if vt is None:
            self.both("delete_messages", qname, self.chosen(chosen[:2]))
        else:
            self.both("change_visibilities", qname, self.chosen(chosen), vt)

    @rule(number=numbers, vt=st.none() | seconds)
    def delete_or_hide_by_receipt(self, number: int, vt: int | None) -> None:
        qname, message = self.receipt(number)
        if vt is None:
            self.both("delete_message", qname, message.id, rc=message.rc)
        else:
            self.both("change_message_visibility", qname, message.id, vt, rc=message.rc)

    @rule(number=numbers, times=st.sampled_from((1, 1, 2)))
    def release(self, number: int, times: int) -> None:
        qname, message = self.receipt(number)
        for _ in range(times):
            self.both("release_message", qname, message)

    # --- steering and sweeping ------------------------------------------------------------------

    @rule(qname=names, then=st.sampled_from(("pause_queue", "resume_queue", "delete_redrive_policy")))
    def pause_resume_or_bury_no_more(self, qname: str, then: str) -> None:
        if then == "resume_queue":
            self.both("pause_queue", qname)
            self.both("receive_message", qname)
            self.both("pop_message", qname)
        self.both(then, qname)

    @rule(qname=names, retention=st.sampled_from((None, 1, 30)), past_ms=st.sampled_from((0, 2000, 31_000)))
    def set_retention(self, qname: str, retention: int | None, past_ms: int) -> None:
        self.both("set_retention", qname, retention)
        self.let_time_pass(past_ms)
        self.both("sweep_queue", qname)

    @rule(source=names, to=names, ids=st.none() | some, count=counts)
    def move(self, source: str, to: str, ids: list[int] | None, count: int | None) -> None:
        named = {} if ids is None else {"ids": self.chosen(ids)}
        self.both("move_messages", source, to, **named, **({"count": count} if count else {}))

    @rule(qname=owners, count=counts)
    def redrive(self, qname: str, count: int | None) -> None:
        self.both("redrive", qname, count=count)

    @rule(qname=names)
    def sweep(self, qname: str) -> None:
        self.both("sweep_queue", qname)
        self.agree(lambda: sweep_lost_queues(self.client.session), self.model.sweep_lost_queues)

    @rule(qname=names, number=numbers)
    def delete_as_rsmq_does(self, qname: str, number: int) -> None:
        id = self.chosen([number])[0]
        self.redis.zrem(f"rsmq:{qname}", id)
        self.redis.hdel(f"rsmq:{qname}:Q", id, f"{id}:rc", f"{id}:fr")
        if qname in self.model.queues:
            self.model.queues[qname].messages.pop(id, None)

    # --- what holds after each step ---------------------------------------------------------------

    @invariant()
    def figures_and_messages_agree(self) -> None:
        assert sorted(self.client.list_queues()) == self.model.list_queues()
        assert self.client.queue_figures() == self.model.queue_figures()
        for qname in self.model.queues:
            expected = self.model.peek_messages(qname, count=1000)
            assert self.client.peek_messages(qname, count=1000) == expected

    def nothing_is_left_over(self) -> None:
        """RSMQ's keys hold the messages and nothing else, ours only what has an owner or an end."""
        for qname, queue in self.model.queues.items():
            fields = {field.decode() for field in self.redis.hkeys(f"rsmq:{qname}:Q")}
            fields -= {*("vt", "delay", "maxsize", "created", "modified", "totalsent", "totalrecv")}
            fields -= {"max_receive_count", "dead_letter_queue", "retention", "paused"}
            received = [id for id, kept in queue.messages.items() if kept.rc]
            assert fields == {*queue.messages} | {f"{id}:{kind}" for id in received for kind in ("rc", "fr")}
            assert self.client.get_queue_policy(qname) == self.model.get_queue_policy(qname)
        for kind, kept in (("headers", self.model.headers), ("ends", self.model.released)):
            for qname in QUEUES:
                found = {id.decode() for id in self.redis.hkeys(f"rsmq:{qname}:{kind}")}
                assert found == {*kept[qname]}, (qname, kind)
        lasting = {key.decode() for key in self.redis.keys("*") if self.redis.pttl(key) == -1}
        of_queues = (f"rsmq:{qname}{end}" for qname in QUEUES for end in ("", ":Q", ":headers", ":ends"))
        assert not lasting - {"rsmq:QUEUES", *of_queues}


Clients.TestCase.settings = settings(
    max_examples=70,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
test_every_sequence_of_calls_does_what_the_model_says = Clients.TestCase
