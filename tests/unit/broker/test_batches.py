"""Batches in Redis: each script counts a member once, and a batch takes little memory."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from queueing.broker import batches
from queueing.broker.keys import Keys
from queueing.broker.leases import QueueLease
from queueing.broker.scripts import FOLDER
from queueing.client import QueueClient, sent_batches
from queueing.client.sent_batches import Plan
from queueing.conf import Config
from queueing.exceptions import BatchClosed, SpoiltKey
from queueing.messages import Draft
from queueing.policies import limits, unique
from tests.unit.conftest import Hand, ended

KEYS = Keys("rsmq")
#: The name of a header of this package.
HEADER = re.compile(r"\bqueueing-[a-z-]+")
FOLLOWING = {name: json.dumps({"id": letter * 32, "queue": "back", "body": name})
             for name, letter in (("on_success", "s"), ("on_failure", "f"))}  # fmt: skip


def send(client: QueueClient, count: int, **more) -> Plan:
    """Send a batch of ``count`` messages to ``work``, whose callbacks go to ``back``."""
    plan = Plan("b" * 32, count, json.dumps({"queues": ["work"]}), **FOLLOWING, **more)
    plan.drafts["work"] = [Draft(body=str(n), headers={batches.BATCH: plan.id}) for n in range(count)]
    sent_batches.send(client, [plan])
    return plan


def bodies(client: QueueClient) -> list[str]:
    """The callbacks that were sent."""
    if "back" not in client.list_queues():
        return []
    return [message.body for message in client.peek_messages("back")]


def counts(client: QueueClient) -> tuple[int, int, int, int]:
    [state] = batches.find(client.session, ["b" * 32])
    return state.waiting, state.done, state.failed, state.cancelled


def test_a_repeated_settle_counts_a_member_once(any_client: QueueClient, hand: Callable[..., Hand]):
    send(any_client, 2)
    first = hand()
    [delivery] = first.claim(1).deliveries
    call = first.lease.settle([ended(delivery, "done")])
    for _ in range(3):
        first.run(call)
    assert counts(any_client) == (1, 1, 0, 0)


def test_a_refused_settle_counts_nothing(any_client: QueueClient, hand: Callable[..., Hand]):
    send(any_client, 1)
    first, second = hand("a"), hand("b")
    [delivery] = first.claim().deliveries
    any_client.change_visibilities("work", [delivery.message.id], 0)
    [again] = second.claim().deliveries
    assert first.settle(ended(delivery, "done")) == {delivery.message.id: "lease lost"}
    assert counts(any_client) == (1, 0, 0, 0)
    second.settle(ended(again, "done"))
    assert counts(any_client) == (0, 1, 0, 0)


def test_retries_and_releases_do_not_end_a_member(any_client: QueueClient, hand: Callable[..., Hand]):
    send(any_client, 2)
    one = hand()
    first, second = one.claim().deliveries
    one.settle(ended(first, "retrying"), ended(second, "released"))
    assert counts(any_client) == (2, 0, 0, 0)


def test_the_third_crash_of_a_member_ends_it_as_failed(any_client: QueueClient, hand: Callable[..., Hand]):
    from queueing.broker.leases import abandon

    send(any_client, 1)
    conf = Config(LEASE=2)
    for number in range(conf.MAX_CRASHES):
        child = hand(f"child{number}")
        [delivery] = child.claim().deliveries
        abandon(
            any_client.session, conf, "work", child.child, started=[delivery.message.id], reason="it died"
        )
    assert counts(any_client) == (0, 0, 1, 0)
    assert any_client.redis.hkeys(KEYS.follow_ups()) == [b"f" * 32]


def test_a_member_that_is_worn_out_or_purged_ends(any_client: QueueClient, hand: Callable[..., Hand]):
    hand()
    send(any_client, 2)
    any_client.set_redrive_policy("work", 1)
    [message] = any_client.receive_messages("work", 1, vt=0)
    assert any_client.receive_messages("work", 2, vt=100)
    assert counts(any_client) == (1, 0, 1, 0)
    assert any_client.peek_message("work-dead", message.id)
    any_client.purge_queue("work")
    assert counts(any_client) == (0, 0, 1, 1)


def test_a_seal_that_is_repeated_sends_one_callback(any_client: QueueClient, hand: Callable[..., Hand]):
    plan = Plan("b" * 32, 0, "{}", **FOLLOWING)
    hand()
    sent_batches.send(any_client, [plan])
    assert batches.seal_batch(any_client.session, plan.id, 0) == (True, [])
    assert bodies(any_client) == ["on_success"]


def test_members_that_end_before_the_last_one_is_sent_do_not_end_the_batch(
    any_client: QueueClient, hand: Callable[..., Hand]
):
    one = hand()
    plan = Plan("b" * 32, 2, "{}", **FOLLOWING)
    batches.open_batch(any_client.session, plan.id, plan.record, *FOLLOWING.values())
    any_client.send_messages("work", [Draft(body="x", headers={batches.BATCH: plan.id})] * 2)
    one.settle(*(ended(delivery, "done") for delivery in one.claim().deliveries))
    assert any_client.redis.hlen(KEYS.follow_ups()) == 0
    batches.seal_batch(any_client.session, plan.id, 2)
    assert any_client.redis.hlen(KEYS.follow_ups()) == 1


def test_a_batch_that_was_closed_cannot_be_sealed(any_client: QueueClient, hand: Callable[..., Hand]):
    hand()
    batches.open_batch(any_client.session, "b" * 32, "{}", *FOLLOWING.values())
    any_client.redis.zadd(KEYS.opening_batches(), {"b" * 32: 1})
    assert len(batches.due_follow_ups(any_client.session)[1:]) == 1
    with pytest.raises(BatchClosed):
        send(any_client, 1)
    assert not batches.seal_batch(any_client.session, "b" * 32, 1)[0]
    assert batches.is_recalled(any_client.session, "b" * 32)
    assert any_client.redis.hkeys(KEYS.follow_ups()) == [b"f" * 32]


@pytest.mark.parametrize("names", [("other", "work"), ("work", "other")])
def test_a_retry_returns_each_member_to_its_queue_if_queues_share_their_dead_letters(
    any_client: QueueClient, conf: Config, names: tuple[str, str]
):
    plan = Plan("b" * 32, 2, json.dumps({"queues": names}), **FOLLOWING)
    for queue in names:
        any_client.create_queue(queue)
        any_client.set_redrive_policy(queue, 100, "shared")
        plan.drafts[queue] = [Draft(body=queue, headers={batches.BATCH: plan.id})]
    sent_batches.send(any_client, [plan])

    leases = {queue: QueueLease(any_client.session, conf, "a", queue) for queue in names}

    def settle(queue: str, event: str) -> None:
        lease = leases[queue]
        [reply] = any_client.session.call_each([lease.claim(5, suspects="take")])
        [delivery] = lease.read_claim(reply).deliveries
        assert delivery.message.body == queue
        lease.in_hand.clear()
        any_client.session.call_each([lease.settle([replace(ended(delivery, event), queue=queue)])])

    for _ in range(2):
        for queue in names:
            settle(queue, "dead")
        assert len(any_client.peek_messages("shared")) == 2
        assert sent_batches.retry(any_client, plan.id) == 2
    for queue in names:
        settle(queue, "done")
    assert counts(any_client) == (0, 2, 0, 0)


def test_a_retry_finds_a_member_that_died_in_the_queue_to_which_it_was_moved(
    any_client: QueueClient, conf: Config
):
    any_client.create_queue("work")
    any_client.create_queue("other")
    plan = send(any_client, 2)
    assert any_client.move_messages("work", "other", count=1) == 1
    for queue, times in ("work", 1), ("other", 2):
        lease = QueueLease(any_client.session, conf, "a", queue)
        for time in range(times):
            [reply] = any_client.session.call_each([lease.claim(5, suspects="take")])
            [delivery] = lease.read_claim(reply).deliveries
            lease.in_hand.clear()
            event = "done" if time or queue == "work" else "dead"
            any_client.session.call_each([lease.settle([replace(ended(delivery, event), queue=queue)])])
            if event == "dead":
                assert sent_batches.retry(any_client, plan.id) == 1
    assert counts(any_client) == (0, 2, 0, 0)


def test_old_batches_that_have_not_ended_keep_no_others(any_client: QueueClient):
    old = [f"{number:032}" for number in range(40)]
    for id in [*old, "e" * 32]:
        batches.open_batch(any_client.session, id, "{}", "", "")
    batches.seal_batch(any_client.session, "e" * 32, 0)
    ages = {**dict.fromkeys(old, 20), "e" * 32: 8}
    order = {id: any_client.now_ms() - days * 86_400_000 for id, days in ages.items()}
    any_client.redis.zadd(KEYS.batch_order(), order)
    batches.open_batch(any_client.session, "n" * 32, "{}", "", "")
    assert batches.find(any_client.session, ["e" * 32]) == []
    assert len(batches.find(any_client.session, old)) == len(old)


def test_old_batches_are_forgotten_with_their_failed_members(
    any_client: QueueClient, hand: Callable[..., Hand]
):
    one = hand()
    send(any_client, 2)
    one.settle(*(ended(delivery, "dead") for delivery in one.claim().deliveries))
    assert any_client.redis.zcard(KEYS.failed_members()) == 2
    any_client.redis.zadd(KEYS.batch_order(), {"b" * 32: 1})
    batches.open_batch(any_client.session, "c" * 32, "{}", "", "")
    assert batches.find(any_client.session, ["b" * 32]) == []
    assert any_client.redis.zcard(KEYS.failed_members()) == 0
    assert {key[:1] for key in any_client.redis.hkeys(KEYS.batches())} == {b"c"}


def test_a_spoilt_key_stops_a_settle_before_it_changes_anything(
    any_client: QueueClient, hand: Callable[..., Hand]
):
    one = hand()
    send(any_client, 1)
    [delivery] = one.claim().deliveries
    any_client.redis.delete(KEYS.batches())
    any_client.redis.set(KEYS.batches(), "spoilt")
    reply = one.run(one.lease.settle([ended(delivery, "done")]))
    assert isinstance(reply, SpoiltKey)
    assert any_client.get_queue_attributes("work").msgs == 1


@pytest.mark.parametrize(
    "headers", [{"a": f'"{batches.BATCH}": "{"b" * 32}"'}, {batches.BATCH: "unknown"}, {batches.BATCH: ""}]
)
def test_headers_that_name_no_known_batch_count_nothing(
    any_client: QueueClient, hand: Callable[..., Hand], headers
):
    one = hand()
    send(any_client, 1)
    any_client.purge_queue("work")
    any_client.send_messages("work", [Draft(body="x", headers=headers)])
    one.settle(*(ended(delivery, "done") for delivery in one.claim().deliveries))
    assert counts(any_client) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    "text", ["", "7", "{}", '[{"id": "short", "queue": "q"}]', '[{"id": "' + "x" * 32 + '"}]', "[7]", '["a"]']
)
def test_a_chain_that_another_program_has_spoilt_has_no_next_step(text: str):
    assert batches.next_step({batches.CHAIN: text}, "1") is None


def test_a_batch_of_many_takes_no_memory_for_members_that_are_done(
    client: QueueClient, figure: Callable[[str], None]
):
    count, dead = 20_000, 200
    client.create_queue("work")

    def used() -> int:
        return int(client.redis.info("memory")["used_memory"])

    before = used()
    client.send_messages("work", [str(number) for number in range(count)])
    plain = used() - before
    client.purge_queue("work")
    before = used()
    send(client, count)
    waiting = used() - before
    one = Hand(client, Config(LEASE=600), "a")
    while deliveries := one.claim(500).deliveries:
        words = ["dead" if int(each.message.body) < dead else "done" for each in deliveries]
        one.settle(*map(ended, deliveries, words))
        one.lease.in_hand.clear()
    figure(f"a waiting member of a batch: {(waiting - plain) / count:.0f} bytes more than a message")
    assert (waiting - plain) / count < 250
    assert counts(client) == (0, count - dead, dead, 0)
    assert bodies(client) == []
    assert client.redis.hlen(KEYS.batches()) < 12
    assert client.redis.hlen(KEYS.headers("work")) == 0
    assert client.redis.memory_usage(KEYS.batches()) < 2000
    assert client.redis.memory_usage(KEYS.failed_members()) / dead < 250


def test_the_scripts_name_headers_as_python_does():
    found = {name for path in FOLDER.rglob("*.lua") for name in HEADER.findall(path.read_text())}
    assert found == {limits.HEADER, unique.HEADER}
