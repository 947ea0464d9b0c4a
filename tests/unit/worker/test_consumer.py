"""A child without its process: consumer and crew, turned by the test."""

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from queueing import handlers
from queueing.broker import outbox
from queueing.broker.leases import abandon
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from queueing.handlers import handler, policy
from queueing.worker import consumer as consuming
from queueing.worker import polling as looking
from tests.support.clock import Clock
from tests.support.waiting import eventually
from tests.unit.worker.parts import Child


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_handlers", {})


@pytest.fixture
def child(client: QueueClient) -> Iterator[Callable[..., Child]]:
    made: list[Child] = []

    def make(*queues: str, **options: Any) -> Child:
        for queue in queues:
            client.create_queue(queue)
        made.append(Child(client, *queues, **options))
        return made[-1]

    yield make
    for one in made:
        one.finish()


@pytest.fixture
def ran() -> list[str]:
    """The bodies that the handlers below have run."""
    return []


def noting(ran: list[str], queue: str) -> None:
    handler(queue)(lambda message: ran.append(message.body))


def words(client: QueueClient) -> list[str]:
    return [outcome.event for outcome in outbox.newest(client.session, count=1000)]


@pytest.fixture
def without_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine can stop a thread for so long that the child gives back what waits behind it."""
    monkeypatch.setattr(consuming, "STUCK_SECONDS", 60.0)


@pytest.mark.usefixtures("without_stalls")
def test_everything_is_run_once_in_order(child, client, ran):
    noting(ran, "q")
    one = child("q")
    bodies = [str(number) for number in range(1000)]
    client.send_messages("q", bodies)
    one.turn_until(lambda: len(words(client)) == 1000)
    assert ran == bodies
    assert set(words(client)) == {"done"}
    assert client.get_queue_attributes("q").msgs == 0
    assert one.slot.held == 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_claims_less_often_while_the_history_is_behind(child, client, ran, clock):
    noting(ran, "q")
    one = child("q", clock=clock.monotonic)
    stats, full = client.keys.outbox_stats(), Config().OUTBOX_MAX * 3 // 4

    def send(body: str) -> None:
        client.send_message("q", body)
        one.consumer.wake()

    def settles(count: int) -> None:
        one.turn_until(lambda: len(words(client)) == count)

    client.redis.hset(stats, mapping={"bytes": full, "recorded": client.now_ms()})
    send("first")
    settles(1)
    send("second")
    pause_seconds = consuming.FULL_SECONDS / 2  # as it is half way from half full to full
    assert one.turn(10) == pytest.approx(pause_seconds, abs=0.01)
    assert ran == ["first"]
    clock.sleep(pause_seconds + 0.01)
    client.redis.hset(stats, "recorded", client.now_ms() - 60_000)
    settles(2)
    send("third")
    one.turn_until(lambda: ran == ["first", "second", "third"])
    assert clock.passed_seconds < 2 * pause_seconds, "nobody empties it: the queue goes on"


def test_one_that_is_woken_for_the_last_of_many_queues_claims_of_that_one_alone(child, client, ran):
    queues = [f"q{number}" for number in range(20)]
    for queue in queues:
        noting(ran, queue)
    one = child(*queues)
    one.turn_until(lambda: one.consumer.standby.is_entered)

    def calls() -> int:
        return client.redis.info("commandstats")["cmdstat_evalsha"]["calls"]

    client.send_message(queues[-1], "x")
    before = calls()
    one.turn_until(lambda: ran == ["x"])
    assert calls() - before <= 2, "its claim, and maybe its settle"


def in_one_turn_each(ran: list[str]) -> list[str]:
    """The queues of the bodies that ran, each run of the same queue once."""
    names = [body.split()[0] for body in ran]
    return [name for name, before in zip(names, [None, *names], strict=False) if name != before]


@pytest.mark.usefixtures("without_stalls")
def test_queues_of_any_length_are_served_by_turns(child, client, ran):
    lengths = {"short": 3, "long": 300, "middle": 30}
    for queue in lengths:
        noting(ran, queue)
    one = child(*lengths)
    for queue, length in lengths.items():
        client.send_messages(queue, [f"{queue} {n}" for n in range(length)])
    one.turn_until(lambda: len(ran) == sum(lengths.values()))
    assert in_one_turn_each(ran)[:3] == ["short", "long", "middle"]


@pytest.mark.usefixtures("without_stalls")
def test_a_queue_with_weight_four_has_four_batches_for_each_of_the_others(child, client, ran):
    claimed = []
    for queue in ("mail", "urgent"):
        noting(ran, queue)
    one = child("mail", "urgent", weights={"urgent": 4})
    put = one.pool.put
    one.pool.put = lambda batch: put(batch) or claimed.extend({delivery.queue for delivery in batch})
    for queue, batches in {"mail": 1, "urgent": 4}.items():
        for _ in range(batches):
            client.send_messages(queue, ["x"] * 1000)
    one.turn_until(lambda: len(claimed) >= 10)
    assert claimed[:10] == ["mail", *["urgent"] * 4] * 2


def test_a_message_of_a_queue_that_was_empty_does_not_wait_for_a_backlog(child, client, ran):
    for queue in ("quiet", "backlog"):
        noting(ran, queue)
    one = child("backlog", "quiet")
    client.send_messages("backlog", ["backlog"] * 20_000)
    one.turn_until(lambda: len(ran) > 100)
    client.send_message("quiet", "quiet")
    one.turn_until(lambda: "quiet" in ran)
    [figures] = client.queue_figures(["backlog"])
    assert figures.ready > 1000
    client.purge_queue("backlog")


@pytest.mark.usefixtures("without_stalls")
@pytest.mark.parametrize("queues", [("first", "second"), ("second", "first")])
def test_a_strict_worker_prefers_the_first_queue(child, client, ran, queues):
    first, second = queues
    for queue in queues:
        noting(ran, queue)
    one = child(first, second, strict=True)
    client.send_messages(second, [f"{second} {n}" for n in range(500)])
    one.turn_until(lambda: len(ran) >= 10)
    client.send_messages(first, [f"{first} {n}" for n in range(50)])
    one.turn_until(lambda: len(ran) == 550)
    assert in_one_turn_each(ran) == [second, first, second]


@pytest.mark.usefixtures("without_stalls")
def test_a_queue_for_low_priorities_is_served_when_the_others_are_empty(child, client, ran):
    for queue in ("q-low", "q", "other"):
        noting(ran, queue)
    one = child("q-low", "q", "other")
    for queue in ("q-low", "q", "other"):
        client.send_messages(queue, [f"{queue} {n}" for n in range(100)])
    one.turn_until(lambda: len(ran) == 300)
    assert {body.split()[0] for body in ran[-100:]} == {"q-low"}


@pytest.mark.usefixtures("without_stalls")
def test_the_first_queue_is_preferred(child, client, ran):
    noting(ran, "first")
    noting(ran, "second")
    one = child("first", "second", strict=True)
    client.send_messages("second", [f"second {n}" for n in range(50)])
    client.send_messages("first", [f"first {n}" for n in range(50)])
    one.turn_until(lambda: len(ran) == 100)
    assert [body.split()[0] for body in ran[:50]] == ["first"] * 50


def test_messages_behind_a_long_job_are_given_back_once(child, client, ran, clock):
    goes_on = threading.Event()

    @handler("q")
    def work(message):
        ran.append(message.body)
        if message.body == "long":
            goes_on.wait(60)

    one = child("q", clock=clock.monotonic)
    client.send_messages("q", [str(number) for number in range(200)] + ["long"] + ["behind"] * 100)
    one.turn_until(lambda: "long" in ran)
    for _ in range(6):
        clock.sleep(consuming.STUCK_SECONDS + 0.01)
        one.turn(5)
    released = words(client).count("released")
    [figures] = client.queue_figures(["q"])
    assert (figures.running, figures.ready) == (1, 100)
    assert 0 < released <= 100
    goes_on.set()
    one.turn_until(lambda: len(ran) == 301)
    assert words(client).count("released") == released


def test_a_child_that_runs_a_message_twice_settles_both_runs_as_what_they_are(child, client, ran):
    goes_on = threading.Event()

    @handler("q")
    def work(message):
        ran.append(message.rc)
        goes_on.wait(60)

    one = child("q", threads=2)
    id = client.send_message("q", "a")
    one.turn_until(lambda: ran == [1])
    client.change_message_visibility("q", id, 0)
    one.turn_until(lambda: ran == [1, 2])
    goes_on.set()
    eventually(lambda: not list(one.slot.running()))
    one.turn_until(lambda: one.consumer.is_drained)
    ends = {outcome.rc: outcome.event for outcome in outbox.newest(client.session, count=10)}
    assert ends[1] in ("lease lost", "gone")
    assert ends[2] == "done"
    assert client.get_queue_attributes("q").msgs == 0


def test_a_retry_in_the_second_queue_does_not_wait_for_the_poll(child, client, ran, monkeypatch):
    monkeypatch.setattr(looking, "POLL_SECONDS", 600.0)

    @handler("second")
    @policy(max_attempts=2, backoff=0.3)
    def fail(message):
        ran.append(message.body)
        raise ValueError

    noting(ran, "first")
    one = child("first", "second", threads=2)
    client.send_message("second", "again")
    one.turn_until(lambda: ran == ["again", "again"])


def test_one_broken_queue_stops_no_other(child, client, ran, caplog):
    noting(ran, "broken")
    noting(ran, "sound")
    one = child("broken", "sound")
    client.redis.delete("rsmq:broken")
    client.redis.set("rsmq:broken", "not a schedule")
    client.send_messages("sound", ["a", "b"])
    one.turn_until(lambda: len(ran) == 2)
    one.turn(25)
    assert len([record for record in caplog.records if "holds a string" in record.message]) == 1
    client.redis.delete("rsmq:broken")


def test_a_broken_queue_is_logged_once_until_it_works_again(child, client, ran, caplog, monkeypatch):
    monkeypatch.setattr("queueing.worker.polling.BROKEN_SECONDS", 0.05)
    monkeypatch.setattr("queueing.worker.polling.POLL_SECONDS", 0.05)
    noting(ran, "q")
    one = child("q")
    for times in (1, 2):
        client.redis.set("rsmq:q", "not a schedule")
        looks = scripts_run(client) + 10
        one.turn_until(lambda looks=looks: scripts_run(client) >= looks)
        errors = [r for r in caplog.records if "holds a string" in r.message and r.levelno >= logging.ERROR]
        assert len(errors) == times
        client.redis.delete("rsmq:q")
        client.send_message("q", "text")
        one.turn_until(lambda times=times: len(ran) == times)


def scripts_run(client: QueueClient) -> int:
    return client.redis.info("commandstats")["cmdstat_evalsha"]["calls"]


def test_a_queue_that_is_missing_is_created(child, client, ran):
    noting(ran, "q")
    one = child("q")
    client.delete_queue("q")
    one.turn_until(lambda: "q" in client.list_queues())
    client.send_message("q", "a")
    one.turn_until(lambda: ran == ["a"])


def test_large_messages_are_all_found_in_a_burst(child, client, ran):
    noting(ran, "q")
    one = child("q")
    client.set_queue_attributes("q", maxsize=-1)
    client.send_messages("q", ["x" * 600_000] * 6)
    one.turn_until(lambda: one.consumer.found_all)
    assert len(ran) == 6


def test_messages_that_crashed_once_are_all_found_in_a_burst(child, client, ran):
    from tests.unit.conftest import Hand

    noting(ran, "q")
    one = child("q")
    ids = client.send_messages("q", ["a", "b", "c", "d"])
    other = Hand(client, Config(LEASE=30), "dead")
    other.lease = type(other.lease)(client, Config(LEASE=30), "dead", "q")
    other.claim(4)
    abandon(client.session, Config(), "q", "dead", started=ids, reason="killed")
    one.turn_until(lambda: one.consumer.found_all)
    assert sorted(ran) == ["a", "b", "c", "d"]


def test_worn_out_messages_hide_none_behind_them_in_a_burst(child, client, ran):
    noting(ran, "q")
    one = child("q")
    client.set_redrive_policy("q", 1)
    client.send_messages("q", ["worn out"] * 700)
    client.receive_messages("q", 700, vt=0)
    client.send_message("q", "fresh")
    one.turn_until(lambda: one.consumer.found_all)
    assert ran == ["fresh"]
    assert client.get_queue_attributes("q-dead").msgs == 700


def test_a_suspect_does_not_wait_behind_nor_hold_up_a_long_job(child, client, ran):
    goes_on = threading.Event()

    @handler("q")
    def work(message):
        ran.append(message.body)
        if message.body == "long":
            goes_on.wait(60)

    one = child("q", threads=2)
    client.send_message("q", "long")
    one.turn_until(lambda: ran == ["long"])
    suspect = client.send_message("q", "suspect")
    client.redis.hset("rsmq:q:Q", f"{suspect}:rc", 2)
    client.redis.hset("rsmq:q:ends", suspect, "0 2 0")
    client.send_message("q", "other")
    one.turn_until(lambda: "other" in ran)
    assert ran == ["long", "other"]
    goes_on.set()
    one.turn_until(lambda: "suspect" in ran)


def test_messages_of_a_claim_are_marked_as_held_before_its_reply(child, client, ran):
    noting(ran, "q")
    one = child("q")
    seen = []
    call_each = client.session.call_each
    client.session.call_each = lambda calls: seen.append(one.slot.held) or call_each(calls)
    one.consumer.step(one.clock())
    assert seen == [1]
    assert one.slot.held == 0


def test_a_busy_child_does_not_listen(child, client, ran):
    goes_on = threading.Event()

    @handler("q")
    def work(message):
        goes_on.wait(60)

    one = child("q")
    one.turn_until(lambda: one.listener.is_listening)
    client.send_message("q", "a")
    one.turn_until(partial(lambda c: not c.listener.is_listening, one))
    assert client.redis.pubsub_numsub("rsmq:rt:q")[0][1] == 0
    goes_on.set()
    one.turn_until(lambda: one.listener.is_listening)


def test_a_message_that_a_handler_sends_to_another_queue_is_found_in_a_burst(child, client, ran):
    @handler("first")
    def pass_on(message):
        client.send_message("second", message.body)

    noting(ran, "second")
    one = child("first", "second", burst=True)
    client.send_messages("first", ["a", "b", "c"])
    one.turn_until(lambda: one.consumer.found_all)
    assert sorted(ran) == ["a", "b", "c"]


def test_ends_that_another_program_has_spoilt_are_none(child, client, ran):
    noting(ran, "q")
    one = child("q")
    id = client.send_message("q", "a")
    client.redis.hset("rsmq:q:Q", f"{id}:rc", 2)
    client.redis.hset("rsmq:q:ends", id, "spoilt")
    one.turn_until(lambda: ran == ["a"])


def test_all_messages_that_ran_and_may_not_run_again_are_remembered_while_redis_is_away(
    child, client, monkeypatch
):
    policy(max_attempts=1)(handler("q")(lambda message: None))
    one = child("q")
    for _ in range(50):
        one.consumer.prefetch.ran(0)
    ids = client.send_messages("q", ["x"] * looking.MAX_IN_HAND)
    one.turn(1)
    assert one.consumer.taken == len(ids)

    def is_away(*args, **options):
        raise QueueUnavailable("Redis does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(client.session, "call_each", is_away)
        one.turn_until(lambda: not one.pool.unfinished)
        assert sorted(one.slot.ran()) == sorted(ids)
    one.turn_until(lambda: one.consumer.is_drained)
    assert one.slot.ran() == []


def test_a_child_claims_no_more_messages_than_it_can_remember(child, client, ran):
    noting(ran, "q")
    one = child("q", threads=4)
    client.send_messages("q", list("abc"))
    others = [f"unsettled {number}" for number in range(one.slot.ran_room - 2)]
    for id in others:
        one.slot.add_ran(id, may_run_again=False)
    one.turn(1)
    assert one.consumer.taken == 2
    one.turn_until(lambda: len(ran) == 2)
    one.slot.add_ran("one more", may_run_again=False)
    one.slot.add_ran("and another one", may_run_again=False)
    one.turn(5)
    assert (one.consumer.taken, one.slot.ran_room) == (2, 0)
    one.slot.settled(others)
    one.turn_until(lambda: len(ran) == 3)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ("[" * 10_000, "nested more than 100 deep"),
        ("p5 " + '{"a":' * 10_000, "nested more than 100 deep"),
        ("x", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"tenant": 5}', "a value of it is not a text"),
        ("x" * 1_000_001, "it has 1000001 bytes, and 1000000 are the most"),
    ],
)
def test_a_message_with_unreadable_headers_is_dead_with_the_reason(child, client, ran, headers, reason):
    noting(ran, "q")
    one = child("q")
    id = client.send_message("q", "spoilt", headers={"tenant": "a"})
    client.redis.hset("rsmq:q:headers", id, headers)
    client.send_message("q", "healthy")
    one.turn_until(lambda: sorted(words(client)) == ["dead", "done"])
    [dead] = [outcome for outcome in outbox.newest(client.session, count=10) if outcome.event == "dead"]
    assert dead.error.startswith("UnreadableMessage: its headers cannot be read: ")
    assert reason in dead.error
    assert ran == ["healthy"]
    assert client.peek_message("q-dead", id).body == "spoilt"
