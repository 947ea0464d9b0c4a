"""Unique messages: which request is sent, and which an earlier message takes."""

from dataclasses import replace
from random import Random

import pytest

from queueing.broker.leases import abandon
from queueing.client import QueueClient, drafts
from queueing.messages import Draft
from queueing.policies import Policy
from queueing.policies.unique import HEADER, headers, shown_key
from tests.support.waiting import eventually
from tests.unit.conftest import Hand, ended

ACTS = ["ask"] * 4 + ["claim"] * 4 + ["done"] * 2 + ["retrying", "released", "dead", "kill", "remove"]


@pytest.fixture
def ask(any_client: QueueClient, hand):
    """``ask("until_done")`` sends a request for the key ``k`` to the queue ``work``. Returns its id."""
    hand()

    def send(until="until_done", on_conflict="reschedule", body="one", key="k", **more) -> str:
        named = request(until, on_conflict, body, key)
        return any_client.send_message("work", body, headers=named, **more)

    return send


def request(until: str, on_conflict: str, body: str = "", key: str = "k") -> dict[str, str]:
    return headers(Policy(unique=until, on_conflict=on_conflict, key=lambda _: key), "job", [body], {})


def bodies(client: QueueClient) -> list[tuple[str, str]]:
    return [(message.body, message.state) for message in client.peek_messages("work")]


def fields(client: QueueClient) -> int:
    return client.redis.hlen("rsmq:work:unique")


@pytest.mark.parametrize("until", ["until_started", "until_done"])
@pytest.mark.parametrize("on_conflict", ["skip", "reschedule"])
def test_a_request_for_a_job_that_waits_gets_its_id(any_client, ask, until, on_conflict):
    first = ask(until, on_conflict)
    assert ask(until, on_conflict, "two") == first
    assert bodies(any_client) == [("one", "ready")]
    assert any_client.get_queue_attributes("work").totalsent == 1


def test_other_keys_and_plain_messages_are_sent(any_client, ask):
    assert len({ask(), ask(key="other"), any_client.send_message("work", "one")}) == 3


@pytest.mark.parametrize("until", ["until_started", "until_done"])
def test_a_replacing_request_gives_a_job_that_waits_its_body_and_keeps_its_place(any_client, ask, until):
    first = ask(until, "replace")
    any_client.send_message("work", "next")
    assert ask(until, "replace", "two") == first
    assert bodies(any_client) == [("two", "ready"), ("next", "ready")]
    assert any_client.get_queue_attributes("work").totalsent == 2


def test_a_replacing_request_with_a_delay_puts_the_job_off(any_client, ask):
    first = ask("until_done", "replace", delay=10)
    ask("until_done", "replace", "two", delay_ms=60_000)
    message = any_client.peek_message("work", first)
    assert message.due_ms - message.sent > 59_000


def test_a_request_for_a_job_that_runs_is_sent_if_the_key_holds_until_the_start(any_client, ask, hand):
    first = ask("until_started")
    hand().claim()
    second = ask("until_started", body="two")
    assert second != first
    assert bodies(any_client) == [("two", "ready"), ("one", "running")]
    assert ask("until_started", body="three") == second


def test_a_skipped_request_for_a_job_that_runs_gets_its_id(any_client, ask, hand):
    first = ask("until_done", "skip")
    hand().claim()
    assert ask("until_done", "skip", "two") == first
    assert bodies(any_client) == [("one", "running")]


@pytest.mark.parametrize("on_conflict", ["reschedule", "replace"])
@pytest.mark.parametrize("end", ["done", "dead", "cancelled"])
def test_one_more_run_follows_a_request_for_a_job_that_runs(any_client, ask, hand, end, on_conflict):
    ask("until_done", on_conflict)
    a = hand()
    [delivery] = a.claim().deliveries
    second = ask("until_done", on_conflict, "two")
    assert second != delivery.message.id
    assert ask("until_done", on_conflict, "three") == second
    assert a.claim().deliveries == []
    a.settle(ended(delivery, end))
    [following] = a.claim().deliveries
    assert (following.message.id, following.message.rc) == (second, 1)
    assert following.message.body == ("three" if on_conflict == "replace" else "two")
    a.settle(ended(following, "done"))
    assert bodies(any_client) == []
    assert fields(any_client) == 0
    assert ask() not in (delivery.message.id, second)


def test_a_request_after_the_end_is_sent(any_client, ask, hand):
    first = ask()
    a = hand()
    a.settle(*(ended(delivery, "done") for delivery in a.claim().deliveries))
    assert fields(any_client) == 0
    assert ask() != first


@pytest.mark.parametrize("word", ["retrying", "released"])
def test_a_job_that_waits_for_its_next_attempt_takes_requests(any_client, ask, hand, word):
    first = ask()
    a = hand()
    [delivery] = a.claim().deliveries
    a.settle(ended(delivery, word, delay_ms=60_000))
    assert ask() == first


def test_the_following_run_waits_for_all_attempts_of_the_job_before_it(any_client, ask, hand):
    ask()
    a = hand()
    [delivery] = a.claim().deliveries
    second = ask(body="two")
    a.settle(ended(delivery, "retrying", delay_ms=0))
    [again] = a.claim().deliveries
    assert again.message.id == delivery.message.id
    a.settle(ended(again, "done"))
    assert [d.message.id for d in a.claim().deliveries] == [second]


def test_a_key_does_not_outlive_a_job_that_left_the_queue_in_any_way(any_client, ask, hand):
    any_client.create_queue("other")
    ways = [
        lambda id: any_client.delete_message("work", id),
        lambda id: any_client.cancel_message("work", id),
        lambda id: any_client.purge_queue("work"),
        lambda id: any_client.move_messages("work", "other"),
        lambda id: any_client.pop_message("work"),
        lambda id: any_client.redis.hdel("rsmq:work:Q", id) and any_client.redis.zrem("rsmq:work", id),
    ]
    ids = []
    for leave in ways:
        ids.append(ask())
        leave(ids[-1])
    ids.append(ask())
    assert len(set(ids)) == len(ways) + 1
    any_client.delete_queue("work")
    assert any_client.redis.exists("rsmq:work:unique") == 0
    any_client.create_queue("work")
    assert ask() not in ids


def test_the_following_run_starts_when_the_lease_of_a_job_that_vanished_ends(any_client, ask, hand):
    first = ask()
    a = hand()
    a.claim()
    second = ask(body="two")
    due_ms = any_client.peek_message("work", second).due_ms
    assert due_ms == any_client.peek_message("work", first).due_ms
    any_client.delete_message("work", first)
    pretend_due(any_client, second)
    assert [d.message.id for d in hand("b").claim().deliveries] == [second]


def test_the_following_run_sleeps_on_while_the_lease_is_extended(any_client, ask, hand):
    first = ask()
    hand().claim()
    second = ask(body="two")
    pretend_due(any_client, second)
    assert hand("b").claim().deliveries == []
    assert any_client.receive_message("work") is None
    assert any_client.peek_message("work", second).due_ms == any_client.peek_message("work", first).due_ms


def pretend_due(client: QueueClient, id: str) -> None:
    for key in "rsmq:work", "rsmq:work:waking":
        client.redis.zadd(key, {id: client.now_ms() - 1})


def test_a_killed_job_runs_again_and_takes_requests_with_its_lease_ended(any_client, ask, hand, conf):
    first = ask()
    hand().claim()
    second = ask(body="two")
    abandon(any_client.session, conf, "work", "a", started=[first], reason="killed")
    b = hand("b")
    [again] = b.claim().deliveries
    assert again.message.id == first
    assert ask() == second
    b.settle(ended(again, "done"))
    assert [d.message.id for d in b.claim().deliveries] == [second]


def test_a_job_that_dies_of_its_crashes_lets_the_following_run_start(any_client, ask, hand, conf):
    first = ask()
    for crash in range(3):
        assert [d.message.id for d in hand().claim().deliveries] == [first]
        second = ask(body="two")
        abandon(any_client.session, conf, "work", "a", started=[first], reason=f"killed {crash}")
    assert [d.message.id for d in hand().claim().deliveries] == [second]


def test_without_the_run_that_was_to_follow_the_running_job_keeps_its_key(any_client, ask, hand):
    first = ask()
    a = hand()
    [delivery] = a.claim().deliveries
    for leave in (any_client.cancel_message, any_client.delete_message):
        leave("work", ask(body="two"))
        assert ask("until_done", "skip") == first
    any_client.sweep_queue("work")
    assert ask("until_done", "skip") == first
    a.settle(ended(delivery, "done"))
    any_client.sweep_queue("work")
    assert fields(any_client) == 0


def test_a_delay_of_the_following_run_is_kept(any_client, ask, hand):
    ask()
    a = hand()
    [delivery] = a.claim().deliveries
    second = ask(body="two", delay=60)
    a.settle(ended(delivery, "done"))
    message = any_client.peek_message("work", second)
    assert message.state == "delayed"
    assert 59_000 < message.due_ms - message.sent < 61_000


@pytest.mark.parametrize("delay", [0, 60])
def test_a_replacing_request_does_not_start_the_following_run_early(any_client, ask, hand, delay):
    ask("until_done", "replace")
    a = hand()
    [delivery] = a.claim().deliveries
    second = ask("until_done", "replace", body="two")
    assert ask("until_done", "replace", body="three", delay=delay) == second
    assert hand("b").claim().deliveries == []
    a.settle(ended(delivery, "done"))
    assert bodies(any_client) == [("three", "delayed" if delay else "ready")]


def test_a_batch_merges_its_own_requests(any_client, ask):
    asked = [("a", "replace"), ("b", "skip"), ("a", "replace"), ("b", "skip"), ("a", "replace")]
    batch = [
        Draft(body=str(number), headers=request("until_done", conflict, key=key), priority=0 if number else 3)
        for number, (key, conflict) in enumerate(asked)
    ]
    ids = any_client.send_messages("work", ["plain", *batch])
    assert ids[1] == ids[3] == ids[5]
    assert ids[2] == ids[4]
    assert bodies(any_client) == [("4", "ready"), ("plain", "ready"), ("1", "ready")]
    assert any_client.get_queue_attributes("work").totalsent == 3


def test_a_thousand_requests_fit_into_one_step(any_client, ask, hand):
    named = [Draft(body=str(n), headers=request("until_done", "reschedule", key=str(n))) for n in range(1000)]
    first = any_client.send_messages("work", named)
    a = hand()
    deliveries = a.claim(1000).deliveries
    following = any_client.send_messages("work", named)
    assert not set(first) & set(following)
    assert any_client.send_messages("work", named) == following
    a.settle(*(ended(delivery, "done") for delivery in deliveries))
    assert {d.message.id for d in a.claim(1000).deliveries} == set(following)


def test_a_priority_survives_the_wait_for_the_running_job(any_client, ask, hand):
    named = Draft(body="two", headers=request("until_done", "reschedule"), priority=5)
    any_client.send_messages("work", [named])
    a = hand()
    [delivery] = a.claim().deliveries
    [second] = any_client.send_messages("work", [named])
    any_client.send_message("work", "plain")
    a.settle(ended(delivery, "done"))
    assert [d.message.id for d in a.claim(1).deliveries] == [second]


@pytest.mark.parametrize("on_conflict", ["reschedule", "skip", "replace"])
def test_an_event_that_an_earlier_job_has_taken_is_not_sent_again_after_its_end(
    any_client, ask, hand, on_conflict
):
    earlier = ask(on_conflict=on_conflict)
    event = {"deduplication_id": "an event", "on_conflict": on_conflict}
    assert ask(**event) == earlier
    [delivery] = hand().claim().deliveries
    hand().settle(ended(delivery, "done"))
    assert ask(**event) == earlier
    assert bodies(any_client) == []
    assert ask(on_conflict=on_conflict) != earlier


def test_a_repeated_call_gets_the_reply_of_the_first_one(any_client, ask, hand):
    first = ask()
    sending = any_client._senders.next_call(2)
    messages = [Draft(body="x", headers=request("until_done", "replace")), Draft(body="plain")]
    call = drafts.put(
        "send", any_client.keys, "work", messages, tails=sending.tails,
        key=any_client.keys.sender(sending.token), own=(sending.number, sending.REMEMBERED_MS),
    )  # fmt: skip
    reply = any_client.session.call(call)
    assert reply[2:] == [1, first.encode()]
    a = hand()
    a.settle(*(ended(delivery, "done") for delivery in a.claim().deliveries))
    any_client.delete_queue("work")
    assert any_client.session.call(call) == reply


def test_the_header_shows_the_key_to_people():
    named = request("until_done", "skip")
    assert shown_key(named) == 'job "k"'
    assert named[HEADER].startswith("until_done skip ")
    assert shown_key({}) == shown_key({HEADER: "until_done"}) == ""


def test_an_argument_makes_the_same_key_with_and_without_its_name():
    def job(shop, full=False): ...

    policy = Policy(unique="until_done")
    named = headers(policy, "job", [], {"shop": 1}, job)
    assert named == headers(policy, "job", [1], {}, job)
    assert named != headers(policy, "job", [2], {}, job)
    assert named != headers(policy, "other", [1], {}, job)


def test_a_follower_checks_every_ten_seconds_whether_another_program_has_deleted_the_job(
    any_client, ask, hand
):
    ask()
    any_client.receive_message("work", vt=3600)
    follower = any_client.peek_message("work", ask(body="two"))
    assert 9_000 < follower.due_ms - follower.sent < 11_000


def test_random_requests_ends_and_kills_lose_no_request_and_overlap_no_runs(client, conf):
    """Random requests, claims, ends, kills and removals, with the promises checked after each."""
    client.create_queue("work")
    random, conf = Random(20261129), replace(conf, LEASE=600)
    hands = [Hand(client, conf, name) for name in "abc"]
    held: dict[str, list] = {name: [] for name in "abc"}
    #: The requests for which a run must still begin: body of the request -> the message that took it.
    wanted: dict[int, str] = {}
    for number in range(1500):
        act, a = random.choice(ACTS), random.choice(hands)
        running = {d.message.id for of_hand in held.values() for d in of_hand}
        if act == "ask":
            on_conflict = random.choice(["reschedule", "replace"])
            named = request("until_done", on_conflict)
            delay_ms = random.choice([None, None, 30])
            id = client.send_message("work", str(number), headers=named, delay_ms=delay_ms)
            assert id not in running
            wanted[number] = id
        elif act == "claim":
            claimed = a.claim().deliveries
            held[a.child] += claimed
            started = {d.message.id for d in claimed}
            wanted = {number: id for number, id in wanted.items() if id not in started}
        elif act == "kill" and held[a.child]:
            ids = [d.message.id for d in held[a.child]]
            abandon(client.session, conf, "work", a.child, started=ids, reason="killed")
            held[a.child] = []
        elif act in ("done", "retrying", "dead", "released") and held[a.child]:
            a.settle(*(ended(d, act, delay_ms=0) for d in held[a.child]))
            held[a.child] = []
        elif act == "remove":
            waiting = [m.id for m in client.peek_messages("work") if m.state != "running"]
            if waiting:
                removed = random.choice(waiting)
                client.cancel_message("work", removed)
                wanted = {number: id for number, id in wanted.items() if id != removed}
        assert sum(map(len, held.values())) <= 1, "no two run together"
        there = {m.id for m in client.peek_messages("work")}
        assert set(wanted.values()) <= there, "what is wanted is there"
        assert len(there) <= 2, "one runs or is retried, one waits"
    for a in hands:
        if held[a.child]:
            a.settle(*(ended(d, "done") for d in held[a.child]))
    while client.get_queue_attributes("work").msgs:
        for d in (claimed := hands[0].claim().deliveries):
            wanted = {number: id for number, id in wanted.items() if id != d.message.id}
        if claimed:
            hands[0].settle(*(ended(d, "done") for d in claimed))
    assert wanted == {}
    client.sweep_queue("work")
    assert fields(client) == 0


@pytest.mark.parametrize("way", ["claim", "receive", "pop"])
def test_no_follower_starts_however_many_come_due_together(any_client, hand, way):
    keys = [str(number) for number in range(1_200)]
    jobs = [Draft(body=key, headers=request("until_done", "reschedule", key=key)) for key in keys]
    any_client.send_messages("work", jobs)
    worker = hand()
    running = [one for _ in range(2) for one in worker.claim(1_000).deliveries]
    any_client.send_messages("work", jobs)
    worker.settle(*[ended(one, "retrying", delay_ms=600_000) for one in running])
    waiting = [id for id, _ in any_client.redis.zscan_iter("rsmq:work:waking", count=1_000)]
    assert len(waiting) == len(running) == len(keys)
    for key in "rsmq:work", "rsmq:work:waking":
        any_client.redis.zadd(key, dict.fromkeys(waiting, any_client.now_ms() - 1))
    last = any_client.send_message("work", "another job")
    take = {
        "claim": lambda: [one.message.id for one in worker.claim(100).deliveries],
        "receive": lambda: [one.id for one in any_client.receive_messages("work", 100)],
        "pop": lambda: [any_client.pop_message("work").id],
    }
    assert take[way]() == [last]
    assert any_client.queue_figures(["work"])[0].ready == 0


@pytest.mark.parametrize("leave", ["cancel_message", "delete_message"])
def test_the_follower_of_a_job_that_has_left_the_queue_wakes_a_worker(any_client, ask, hand, leave):
    first = ask()
    worker = hand()
    [delivery] = worker.claim().deliveries
    second = ask(body="two")
    worker.settle(ended(delivery, "retrying", delay_ms=60_000))
    with any_client.redis.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(any_client.keys.channel("work"))
        assert getattr(any_client, leave)("work", first) in ("cancelled", 1)
        eventually(lambda: heard.get_message(timeout=1))
    assert [one.message.id for one in worker.claim().deliveries] == [second]


@pytest.mark.parametrize("way", ["retrying", "released", "abandoned", "given back"])
def test_a_message_that_a_reader_let_time_out_and_that_waits_again_is_held_by_nobody(
    any_client, ask, hand, conf, way
):
    first = ask("until_started")
    any_client.receive_message("work", vt=0)
    a = hand("a")
    if way == "given back":
        any_client.release_message("work", any_client.receive_message("work"))
    else:
        [delivery] = a.claim().deliveries
        if way == "abandoned":
            abandon(any_client.session, conf, "work", "a", started=[first], reason="it died")
        else:
            a.settle(ended(delivery, way, delay_ms=60_000))
    assert ask("until_started") == first
    assert any_client.cancel_message("work", first) == "cancelled"
    assert fields(any_client) == 0
