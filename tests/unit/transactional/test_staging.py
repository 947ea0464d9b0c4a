"""Messages that are staged in a transaction: when they are sent, in which order, and by which process."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test import TestCase

import queueing
from queueing.broker.idempotency import base36
from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.composition import batch, step
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.messages import Draft
from queueing.models import StagedMessage
from queueing.policies import Policy, unique
from queueing.tasks.compat import signals, task_backends
from queueing.testing import run_pending
from queueing.transactional import backlog, sending, staging
from queueing.worker.relay import LOOK_SECONDS, Relay
from tests.unit.tasks.app import tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def staged(settings, shared_client: QueueClient):
    """Tasks and messages are staged in the default database."""
    settings.TASKS = {
        "default": {
            "BACKEND": "queueing.tasks_backend.RSMQBackend",
            "QUEUES": [],
            "OPTIONS": {"enqueue": "transaction"},
        }
    }
    settings.QUEUEING = {**settings.QUEUEING, "QUEUES": ["letters"]}
    staging._away_until.get()[0] = 0.0
    return shared_client


@pytest.fixture
def relay(shared_client: QueueClient) -> Relay:
    return Relay(shared_client, ["default"], name="relay")


def args(client: QueueClient, queue: str = "default") -> list:
    return [json.loads(message.body)["args"][0] for message in client.peek_messages(queue, count=1000)]


def texts(client: QueueClient, queue: str = "letters") -> list[str]:
    return [message.body for message in client.peek_messages(queue, count=1000)]


def send(text: str, **options) -> str:
    return queueing.send_message("letters", text, via="database", **options)


def late_send(client: QueueClient, rows: list[StagedMessage]) -> None:
    """Send as a process does that is killed before it has deleted the rows."""
    client.session.call(sending._call(client, rows))


def only_written(act) -> None:
    """Let ``act`` write its rows as a process does that dies after the commit."""
    with transaction.atomic():
        act()
        connection.run_on_commit = []


def turns(relay: Relay, count: int = 10) -> None:
    """Turn until the relay has looked twice and has nothing more to do."""
    looks = 0
    for _ in range(count):
        looks += relay.step() > 0
        if looks == 2:
            return


class TestCommits:
    def test_a_task_is_sent_at_the_commit_and_its_row_is_deleted(self, staged):
        with transaction.atomic():
            result = tasks.add.enqueue(1)
            assert staged.list_queues() == []
            assert StagedMessage.objects.get().message_id == result.id
        assert [message.id for message in staged.peek_messages("default")] == [result.id]
        assert not StagedMessage.objects.exists()
        assert [outcome.event for outcome in run_pending("default")] == ["done"]

    def test_after_a_rollback_there_is_neither_a_message_nor_a_row(self, staged, relay):
        with transaction.atomic():
            tasks.add.enqueue(1)
            send("a")
            transaction.set_rollback(True)
        turns(relay)
        assert not StagedMessage.objects.exists()
        assert staged.list_queues() == []

    def test_a_savepoint_that_is_rolled_back_takes_its_messages_along(self, staged):
        with transaction.atomic():
            tasks.add.enqueue(1)
            with transaction.atomic():
                tasks.add.enqueue(2)
                transaction.set_rollback(True)
            with transaction.atomic():
                tasks.add.enqueue(3)
        assert args(staged) == [1, 3]

    def test_a_savepoint_that_is_rolled_back_by_hand_does_too(self, staged):
        with transaction.atomic():
            tasks.add.enqueue(1)
            with connection.cursor() as cursor:
                cursor.execute("SAVEPOINT by_hand")
                tasks.add.enqueue(2)
                cursor.execute("ROLLBACK TO SAVEPOINT by_hand")
            tasks.add.enqueue(3)
        assert args(staged) == [1, 3]
        assert not StagedMessage.objects.exists()

    def test_outside_a_transaction_a_task_is_sent_before_the_call_returns(self, staged):
        result = tasks.add.enqueue(1)
        assert [message.id for message in staged.peek_messages("default")] == [result.id]
        assert not StagedMessage.objects.exists()

    def test_a_transaction_keeps_its_order_and_needs_one_exchange(self, staged, monkeypatch):
        exchanges = []
        call_each = staged.session.call_each

        def count(calls, **options):
            exchanges.append(calls)
            return call_each(calls, **options)

        monkeypatch.setattr(staged.session, "call_each", count)
        tasks.add.enqueue(0)
        exchanges.clear()
        with transaction.atomic():
            for number in range(1, 50):
                tasks.add.enqueue(number)
        assert len(exchanges) == 1
        assert args(staged) == list(range(50))

    def test_a_batch_is_staged_whole(self, staged):
        with transaction.atomic():
            task_backends["default"].enqueue_many(tasks.add, [([number], {}) for number in range(2500)])
            assert StagedMessage.objects.count() == 2500
            assert staged.list_queues() == []
        assert staged.get_queue_attributes("default").msgs == 2500
        assert args(staged)[:3] == [0, 1, 2]
        assert not StagedMessage.objects.exists()

    def test_django_s_signal_is_sent_after_the_commit_for_what_was_committed(self, staged):
        told = []

        def enqueued(task_result, **_):
            told.append(task_result.id)

        signals.task_enqueued.connect(enqueued)
        with transaction.atomic():
            result = tasks.add.enqueue(1)
            with transaction.atomic():
                tasks.add.enqueue(2)
                transaction.set_rollback(True)
            other = tasks.add.enqueue(3)
            assert told == []
        assert told == [result.id, other.id]

    def test_a_test_of_a_project_sends_at_the_end_of_its_capture(self, staged):
        with transaction.atomic():
            tasks.add.enqueue(1)
            with TestCase.captureOnCommitCallbacks(execute=True):
                tasks.add.enqueue(2)
            assert args(staged) == [2]

    def test_a_database_that_is_not_named_is_refused(self, settings):
        settings.TASKS = {}
        with pytest.raises(ImproperlyConfigured, match="RELAY_DATABASES"):
            send("a")


class TestMessages:
    def test_a_message_has_all_that_a_direct_one_has(self, staged):
        ids = [send("plain"), send("later", delay=60, headers={"a": "ä"})]
        plain, later = staged.peek_messages("letters")
        assert [plain.id, later.id] == ids
        assert (plain.state, later.state, later.headers) == ("ready", "delayed", {"a": "ä"})

    @pytest.mark.parametrize("text", ["", "a\x00b", "𝄞ä", "\udc80"])
    def test_any_text_that_a_queue_takes_can_be_staged(self, staged, text: str):
        send(text)
        assert texts(staged) == [text]

    def test_a_delay_counts_from_the_call(self, staged, relay):
        only_written(lambda: send("a", delay_ms=1))
        only_written(lambda: send("b", delay=3600))
        turns(relay)
        assert {message.body: message.state for message in staged.peek_messages("letters")} == {
            "a": "ready",
            "b": "delayed",
        }

    def test_a_deduplication_id_is_refused(self):
        with pytest.raises(QueueError, match="deduplication_id"):
            send("a", deduplication_id="once")

    def test_a_task_keeps_its_priority(self, staged, relay):
        only_written(lambda: tasks.add.using(priority=-5).enqueue(1))
        only_written(lambda: tasks.add.enqueue(2))
        only_written(lambda: tasks.add.using(priority=5).enqueue(3))
        turns(relay)
        assert args(staged) == [3, 2]
        assert args(staged, "default-low") == [1]


class TestRedisAway:
    def test_a_page_accepts_work_while_redis_is_away(self, redis_away, shared_client, relay):
        away = queueing.get_client()
        use_client(away)
        with transaction.atomic():
            tasks.add.enqueue(1)
            send("a")
        send("b")
        assert StagedMessage.objects.count() == 3
        use_client(shared_client)
        turns(relay)
        assert (args(shared_client), texts(shared_client)) == ([1], ["a", "b"])

    def test_the_relay_waits_and_keeps_the_rows(self, redis_away, staged):
        only_written(lambda: send("a"))
        relay = Relay(queueing.get_client(), ["default"], name="relay")
        turns(relay)
        assert StagedMessage.objects.count() == 1


def request(key: str, on_conflict: str = "replace") -> dict[str, str]:
    """The headers of a request for a unique job."""
    policy = Policy(unique="until_done", on_conflict=on_conflict, key=lambda _: key)
    return unique.headers(policy, "job", [""], {})


def test_a_request_that_replaces_does_not_overtake_an_earlier_one(staged, relay):
    only_written(lambda: send("version 1", headers=request("a")))
    send("version 2", headers=request("a"))
    send("another key", headers=request("b"))
    send("another conflict", headers=request("c", "reschedule"))
    assert texts(staged) == ["another key", "another conflict"]
    turns(relay)
    assert sorted(texts(staged)) == ["another conflict", "another key", "version 2"]
    assert not StagedMessage.objects.exists()
    send("version 3", headers=request("a"))
    assert sorted(texts(staged)) == ["another conflict", "another key", "version 3"]


def test_a_refused_request_holds_up_no_later_one(staged):
    only_written(lambda: send("version 1", headers=request("a")))
    StagedMessage.objects.update(is_refused=True)
    send("version 2", headers=request("a"))
    assert texts(staged) == ["version 2"]


def test_a_batch_in_a_transaction_is_refused_with_advice(staged):
    whole = batch([step(tasks.add, 1)])
    for refused in (whole, batch([], on_success=step(tasks.add, 2))):
        with transaction.atomic(), pytest.raises(QueueError, match="in a task that the transaction stages"):
            refused.enqueue()
    with transaction.atomic():
        transaction.on_commit(whole.enqueue)
    assert args(staged) == [1]


class TestRelay:
    def test_a_missing_table_is_reported_in_one_line_with_its_remedy(self, relay, caplog):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE queueing_stagedmessage RENAME TO set_aside")
        try:
            relay.step()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE set_aside RENAME TO queueing_stagedmessage")
        [record] = caplog.records
        assert record.getMessage() == (
            "relay: The database default has no table for staged messages: "
            'run "manage.py migrate queueing --database default".'
        )
        assert not record.exc_info

    def test_it_sends_what_a_second_look_finds_again(self, staged, relay):
        only_written(lambda: send("a"))
        assert relay.step() > 0
        assert staged.list_queues() == []
        assert relay.step() == 0
        assert relay.step() > 0
        assert texts(staged) == ["a"]
        assert not StagedMessage.objects.exists()

    def test_a_message_that_was_sent_and_has_run_is_not_sent_again(self, staged, relay):
        staged.create_queue("letters")
        only_written(lambda: send("a"))
        [row] = StagedMessage.objects.all()
        sending.send(staged, "default", [row])
        row.save(force_insert=True)
        assert staged.pop_message("letters").body == "a"
        turns(relay)
        assert texts(staged) == []
        assert not StagedMessage.objects.exists()

    def test_neither_is_one_among_others(self, staged, relay):
        staged.create_queue("letters")
        only_written(lambda: [send(text) for text in "abc"])
        _, second, _ = StagedMessage.objects.order_by("id")
        late_send(staged, [second])
        assert staged.pop_message("letters").body == "b"
        turns(relay)
        assert texts(staged) == ["a", "c"]
        assert not StagedMessage.objects.exists()

    def test_neither_is_one_whose_queue_was_deleted_after_it_had_run(self, staged, relay):
        only_written(lambda: queueing.send_message("other", "a", via="database"))
        staged.create_queue("other")
        [row] = StagedMessage.objects.all()
        sending.send(staged, "default", [row])
        row.save(force_insert=True)
        staged.delete_queue("other")
        turns(relay)
        assert not StagedMessage.objects.exists()

    def test_a_process_that_sends_after_the_relay_sends_nothing_twice(self, staged, relay):
        only_written(lambda: send("a"))
        rows = list(StagedMessage.objects.all())
        turns(relay)
        staged.pop_message("letters")
        sending.send(staged, "default", rows)
        assert texts(staged) == []

    def test_a_process_that_sends_one_of_many_after_the_relay_sends_nothing_twice(self, staged, relay):
        only_written(lambda: [send(text) for text in "abc"])
        rows = list(StagedMessage.objects.order_by("id"))
        turns(relay)
        staged.purge_queue("letters")
        for row in rows:
            late_send(staged, [row])
        assert texts(staged) == []

    def test_two_relays_send_each_message_once_and_in_order(self, staged, relay):
        other = Relay(staged, ["default"], name="other")
        for number in range(30):
            only_written(lambda number=number: send(str(number)))
        for one in (relay, other, relay, other, other, relay, relay):
            one.step()
        assert texts(staged) == [str(number) for number in range(30)]

    def test_only_one_relay_works_at_a_time(self, staged, relay):
        other = Relay(staged, ["default"], name="other")
        only_written(lambda: send("a"))
        assert other._lead(10_000)
        turns(relay)
        assert StagedMessage.objects.count() == 1
        other._lead(0)
        turns(relay)
        assert texts(staged) == ["a"]

    def test_it_asks_the_database_once_per_look_and_redis_never_if_there_is_nothing(self, relay, redis_away):
        relay.client = queueing.get_client()
        queries = []

        def count(execute, sql, *rest):
            if "queueing_stagedmessage" in sql:  # MariaDB also sets up each connection
                queries.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(count):
            assert [relay.step() for _ in range(3)] == [LOOK_SECONDS] * 3
        assert len(queries) == 3

    def test_it_ends_if_messages_are_no_longer_staged_and_none_is_left(self, relay, settings):
        settings.TASKS = {}
        relay.run()

    def test_redis_forgets_soon_what_the_relay_has_sent(self, staged, relay):
        only_written(lambda: send("a"))
        key = staged.keys.sender(StagedMessage.objects.get().sender)
        turns(relay)
        assert 0 < staged.redis.pttl(key) <= sending.FORGOTTEN_MS

    def test_a_large_transaction_leaves_its_senders_for_ten_minutes(self, staged, monkeypatch):
        monkeypatch.setattr(staging, "ROWS", 3)
        staging.stage("letters", [Draft(body=str(number)) for number in range(7)])
        senders = staged.redis.keys(staged.keys.sender("*"))
        assert texts(staged) == [*"0123456"]
        assert len(senders) >= 7
        assert {staged.redis.pttl(key) <= sending.FORGOTTEN_MS for key in senders} == {True}

    def test_a_sender_that_has_sent_more_since_is_not_forgotten(self, staged):
        only_written(lambda: send("a"))
        row = StagedMessage.objects.get()
        sending.send(staged, "default", [row])
        key, row.number = staged.keys.sender(row.sender), row.number - 1
        sending.acknowledge(staged, [row])
        assert staged.redis.pttl(key) > sending.FORGOTTEN_MS


class TestRefusals:
    def test_a_message_whose_queue_is_not_there_is_kept_with_the_reason(self, staged, relay):
        queueing.send_message("nowhere", "a", via="database")
        [row] = StagedMessage.objects.all()
        assert (row.is_refused, row.refusal) == (True, "Queue not found")
        turns(relay)
        assert StagedMessage.objects.filter(is_refused=True).count() == 1

    def test_one_that_is_too_long_now_does_not_hold_up_the_others_of_its_batch(self, staged, relay):
        staged.create_queue("default", maxsize=1024)
        backend = task_backends["default"]
        calls = [([text], {}) for text in ("a", "b" * 2000, "c")]
        route = backend._route_of(tasks.add)
        drafts = [route.draft(route.write(*call)) for call in calls]
        only_written(lambda: staging.stage("default", drafts, task_queue="default"))
        turns(relay)
        assert args(staged) == ["a", "c"]
        [row] = StagedMessage.objects.all()
        assert row.refusal == "Message too long"

    def test_one_that_a_dying_process_sends_after_its_refusal_is_not_sent_again(self, staged):
        with transaction.atomic():
            queueing.send_message("nowhere", "a", via="database")
            row = StagedMessage.objects.get()
        staged.create_queue("nowhere")
        late_send(staged, [row])
        assert staged.pop_message("nowhere").body == "a"

        assert backlog.retry(staged, "default", [row.pk]) == [row]

        assert (texts(staged, "nowhere"), StagedMessage.objects.count()) == ([], 0)

    def test_those_that_were_sent_together_are_not_sent_again_either(self, staged):
        with transaction.atomic():
            staging.stage("nowhere", [Draft(body="a"), Draft(body="b")])
            rows = list(StagedMessage.objects.all())
        staged.create_queue("nowhere")
        late_send(staged, rows)
        assert staged.pop_message("nowhere").body == "a"

        assert backlog.retry(staged, "default", [row.pk for row in rows]) == rows
        late_send(staged, rows)

        assert texts(staged, "nowhere") == ["b"]
        assert not StagedMessage.objects.exists()

    def test_one_of_two_that_was_sent_alone_is_not_sent_again(self, staged, relay):
        staged.create_queue("nowhere")
        only_written(lambda: staging.stage("nowhere", [Draft(body="a"), Draft(body="b")]))
        late_send(staged, [StagedMessage.objects.last()])
        assert staged.pop_message("nowhere").body == "b"

        turns(relay)

        assert texts(staged, "nowhere") == ["a"]
        assert not StagedMessage.objects.exists()

    def test_two_messages_that_are_refused_do_not_keep_the_next_from_being_sent(self, staged):
        queueing.send_message("nowhere", "a", via="database")
        send("b")
        assert texts(staged) == ["b"]


def test_an_unavailable_queue_is_an_outage_and_not_a_refusal(staged, relay, redis_away):
    only_written(lambda: send("a"))
    with pytest.raises(QueueUnavailable):
        sending.send(queueing.get_client(), "default", list(StagedMessage.objects.all()))
    assert not StagedMessage.objects.get().is_refused


def test_the_id_of_a_staged_message_has_the_time_of_the_call():
    assert staging.stage("letters", [Draft(body="a")])[0] > base36(1_700_000_000_000_000)
