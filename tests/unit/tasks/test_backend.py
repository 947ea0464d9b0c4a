"""Sending tasks: accepted values, the message in the queue, and its time."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from queueing.broker.task_queues import place
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.exceptions import EnqueueFailed, MessageTooLong, QueueUnavailable
from queueing.messages import Draft, sent_ms
from queueing.tasks import route
from queueing.tasks.backend import RSMQBackend
from queueing.tasks.compat import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch, signals
from queueing.testing import run_pending
from tests.support.clock import Clock
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy

from .app import tasks


def bodies(queues, queue="default"):
    return [json.loads(message.body) for message in queues.peek_messages(queue)]


def test_a_task_is_one_message_whose_id_is_that_of_its_result(queues):
    result = tasks.add.enqueue(1, b=2)
    [message] = queues.peek_messages("default")
    assert (message.id, message.state) == (result.id, "ready")
    assert json.loads(message.body) == {
        "django_task": 1, "task": "tests.unit.tasks.app.tasks.add", "args": [1], "kwargs": {"b": 2},
    }  # fmt: skip
    assert message.body.startswith('{"django_task":1,')
    assert result.enqueued_at.timestamp() * 1000 == pytest.approx(sent_ms(result.id), abs=0.01)
    assert (result.status, result.attempts, result.errors) == ("READY", 0, [])


def test_it_can_be_sent_and_asked_for_without_blocking(queues, backend):
    async def send_and_ask():
        result = await tasks.add.aenqueue(1)
        assert await tasks.add.aget_result(result.id) == result
        await result.arefresh()
        [other] = await backend().aenqueue_many(tasks.add, [([2], {})])
        return [result.id, other.id]

    sent = async_to_sync(send_and_ask)()
    assert [message.id for message in queues.peek_messages("default")] == sent


def test_a_result_equals_the_one_that_was_sent(queues):
    later = datetime.now(UTC) + timedelta(hours=1)
    task = tasks.add.using(priority=7, queue_name="mails", run_after=later)
    result = task.enqueue(1)
    assert task.get_result(result.id) == result
    assert result.task == task


@pytest.mark.parametrize("value", [datetime.now(UTC), object(), {1, 2}])
def test_arguments_are_as_strict_as_django_s(queues, value):
    with pytest.raises(TypeError, match="Unsupported type"):
        tasks.add.enqueue(value)
    assert queues.list_queues() == []


def test_the_error_about_an_argument_names_the_task_and_what_it_may_take(queues):
    with pytest.raises(TypeError) as refused:
        tasks.add.enqueue(datetime.now(UTC))
    [note] = refused.value.__notes__
    assert note.startswith("The arguments of tests.unit.tasks.app.tasks.add are stored as JSON. Pass texts,")


def test_the_error_about_a_queue_names_the_setting_and_its_queues():
    backend = RSMQBackend("mail", {"QUEUES": ["low", "high"], "OPTIONS": {}})
    with pytest.raises(InvalidTask) as refused:
        backend.validate_task(tasks.add)
    assert str(refused.value) == (
        'Queue \'default\' is not valid for backend. TASKS["mail"]["QUEUES"] has: high, low. '
        'Add the queue there, or let a task name any queue: TASKS["mail"]["QUEUES"] = [].'
    )


def test_a_number_that_json_does_not_know_is_refused(queues):
    with pytest.raises(ValueError, match="not JSON compliant"):
        tasks.add.enqueue(float("nan"))


@pytest.mark.parametrize("queue", ["a b", "q" * 200, "QUEUES", "mail-dead", "mail-low", ""])
def test_a_queue_that_rsmq_would_refuse_cannot_have_tasks(backend, queue):
    with pytest.raises(InvalidTask, match=r"Queue .* is |Queue .* ends in"):
        tasks.add.using(queue_name=queue)


def test_a_queue_that_was_deleted_is_made_again(queues):
    tasks.add.enqueue(1)
    queues.delete_queue("default")
    result = tasks.add.enqueue(2)
    assert [message.id for message in queues.peek_messages("default")] == [result.id]


def test_a_task_for_later_is_delayed_until_then(queues):
    later = datetime.now(UTC) + timedelta(seconds=90)
    result = tasks.add.using(run_after=later).enqueue(1)
    [message] = queues.peek_messages("default")
    assert (message.id, message.state) == (result.id, "delayed")
    assert message.due_ms == int(later.timestamp() * 1000)
    assert run_pending() == []
    result.refresh()
    assert result.status == "READY"
    assert [outcome.event for outcome in run_pending(delayed=True)] == ["done"]


def test_djangos_log_shows_an_enqueued_task_if_its_level_allows(queues, caplog):
    with caplog.at_level("DEBUG", signals.logger.name):
        result = tasks.add.enqueue(1)
    assert result.id in caplog.text
    assert tasks.add.enqueue(2).id not in caplog.text


def test_many_are_sent_in_a_batch(queues, backend):
    sent = []

    def enqueued(task_result, **_):
        sent.append(task_result.id)

    signals.task_enqueued.connect(enqueued)
    results = backend().enqueue_many(tasks.add, [([number], {"b": 1}) for number in range(2500)])
    assert [result.id for result in results] == sent
    assert len(set(sent)) == 2500
    assert queues.get_queue_attributes("default").msgs == 2500
    assert [body["args"] for body in bodies(queues)[:3]] == [[0], [1], [2]]


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_a_task_is_sent_at_the_commit_and_its_id_is_known_before(self, queues):
        with transaction.atomic():
            result = tasks.add.enqueue(1)
            assert result.enqueued_at
            assert queues.list_queues() == []
            with pytest.raises(TaskResultDoesNotExist):
                result.refresh()
        assert [message.id for message in queues.peek_messages("default")] == [result.id]
        result.refresh()
        assert tasks.add.get_result(result.id) == result

    def test_nothing_is_sent_after_a_rollback(self, queues):
        with transaction.atomic():
            tasks.add.enqueue(1)
            transaction.set_rollback(True)
        with transaction.atomic():
            with transaction.atomic():
                tasks.add.enqueue(2)
                transaction.set_rollback(True)
            kept = tasks.add.enqueue(3)
        assert [message.id for message in queues.peek_messages("default")] == [kept.id]

    def test_signals_are_sent_when_it_is_sent(self, queues):
        seen = []

        def enqueued(task_result, **_):
            seen.append((task_result.id, queues.get_queue_attributes("default").msgs))

        signals.task_enqueued.connect(enqueued)
        with transaction.atomic():
            result = tasks.add.enqueue(1)
            assert seen == []
        assert seen == [(result.id, 1)]

    def test_without_the_option_it_does_not_wait(self, queues, backend):
        backend(OPTIONS={"enqueue_on_commit": False})
        with transaction.atomic():
            tasks.add.enqueue(1)
            assert queues.get_queue_attributes("default").msgs == 1

    def test_a_send_that_fails_after_the_commit_raises_with_the_id(self, redis_away):
        def enqueue():
            with transaction.atomic():
                results.append(tasks.add.enqueue(1))

        results = []
        with pytest.raises(EnqueueFailed, match=r"tests\.unit\.tasks\.app\.tasks\.add") as raised:
            enqueue()
        assert raised.value.id == results[0].id
        assert isinstance(raised.value.__cause__, QueueUnavailable)

    def test_an_id_that_is_sent_again_is_recognised(self, queues, backend):
        with transaction.atomic():
            [result] = backend().enqueue_many(tasks.add, [([1], {})])
        queues.send_messages("default", [Draft(body="other", id=result.id)])
        assert [body["args"] for body in bodies(queues)] == [[1]]

    @pytest.mark.parametrize("priority", [0, -5])
    def test_a_message_that_is_too_long_is_refused_before_the_commit(self, queues, priority):
        task = tasks.add.using(priority=priority)
        with transaction.atomic():
            with pytest.raises(MessageTooLong, match="raise the limit: manage.py queues set default"):
                task.enqueue("x" * 70_000)
            kept = task.enqueue("x" * 60_000)
        assert [message.id for message in queues.peek_messages(place("default", priority)[0])] == [kept.id]

    def test_the_limit_is_that_of_the_queue(self, queues, monkeypatch):
        queues.create_queue("default", maxsize=2000)
        with transaction.atomic(), pytest.raises(MessageTooLong, match=r"2,\d\d\d characters"):
            tasks.add.enqueue("x" * 2000)
        queues.set_queue_attributes("default", maxsize=-1)
        monkeypatch.setattr(route, "KNOWN_SECONDS", -1)
        with transaction.atomic():
            tasks.add.using(priority=1).enqueue("x" * 100_000)
        assert len(queues.peek_messages("default")) == 1

    def test_many_of_which_one_is_too_long_are_refused_together(self, queues, backend):
        with transaction.atomic(), pytest.raises(MessageTooLong):
            backend().enqueue_many(tasks.add, [([1], {}), (["x" * 70_000], {})])
        assert queues.list_queues() == []

    def test_a_redis_that_hangs_is_asked_for_the_limit_once(self, queues, monkeypatch):
        clock, asked = Clock(), []

        def hang(queue):
            asked.append(queue)
            clock.sleep(5)
            raise QueueUnavailable

        clock.rules(monkeypatch, route)
        monkeypatch.setattr(queues, "get_queue_attributes", hang)
        with transaction.atomic():
            for _ in range(3):
                tasks.add.enqueue("a" * 2000)
        assert asked == ["default"]

    def test_a_loop_of_long_messages_asks_for_the_limit_once(self, client, redis_server):
        with CuttingProxy(redis_server.port) as proxy:
            use_client(connect(Config(URL=proxy.url)))
            tasks.add.enqueue(1)
            proxy.commands.clear()
            with transaction.atomic():
                for _ in range(10):
                    tasks.add.enqueue("x" * 2000)
                assert len(proxy.commands) <= 2  # the script may not be loaded yet
                transaction.set_rollback(True)
        use_client(None)

    def test_while_redis_is_away_a_long_message_waits_for_the_commit(self, redis_away):
        with pytest.raises(EnqueueFailed), transaction.atomic():
            assert tasks.add.enqueue("x" * 70_000).id

    def test_a_lost_reply_sends_nothing_twice(self, client, redis_server):
        with CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
            use_client(connect(Config(URL=proxy.url)))
            with transaction.atomic():
                result = tasks.add.enqueue(1)
        use_client(None)
        assert client.get_queue_attributes("default").totalsent == 1
        assert [message.id for message in client.peek_messages("default")] == [result.id]


def test_the_error_of_a_long_message_explains_how_to_raise_the_limit(queues):
    with pytest.raises(
        MessageTooLong,
        match=r"makes 70,\d\d\d characters, and .* takes 65,536.* queues set default --maxsize -1",
    ):
        tasks.add.enqueue("x" * 70_000)


@pytest.mark.parametrize("run_after", [timedelta(seconds=5), 5, "tomorrow"])
def test_a_time_that_is_not_a_datetime_is_refused(queues, run_after):
    with pytest.raises(InvalidTask, match="run_after is a datetime"):
        tasks.add.using(run_after=run_after).enqueue(1)


def in_itself():
    circle: list = []
    circle.append(circle)
    return circle


def nested(depth):
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [in_itself(), nested(100), nested(900), nested(50_000)], ids=range(4))
def test_arguments_that_no_worker_could_read_are_refused(queues, value):
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        tasks.add.enqueue(value)
    assert queues.list_queues() == []


def test_another_task_s_result_does_not_match(queues):
    result = tasks.add.enqueue(1)
    with pytest.raises(TaskResultMismatch):
        tasks.fail.get_result(result.id)


@pytest.mark.django_db
@pytest.mark.parametrize("id", ["123", 123, None, "x" * 32, "hohwid7gpjwA4JS2JZW8BcA33WCPMFPm"])
def test_an_unknown_id_has_no_result(queues, id):
    with pytest.raises(TaskResultDoesNotExist):
        tasks.add.get_result(id)


def test_an_ordinary_message_has_no_result(queues, backend):
    queues.create_queue("mails")
    id = queues.send_message("mails", "hello")
    with pytest.raises(TaskResultDoesNotExist):
        backend(QUEUES=["mails"]).get_result(id)


def test_no_result_is_shown_of_what_only_looks_like_a_task_of_the_project(queues, backend):
    queues.create_queue("mails")
    id = queues.send_message("mails", '{"django_task": 1, "task": "os.system", "args": ["id"]}')
    with pytest.raises(TaskResultDoesNotExist, match=r"no task os\.system"):
        backend(QUEUES=["mails"]).get_result(id)


class TestChecks:
    def ids(self, backend):
        return [message.id for message in backend.check()]

    def test_good_settings_have_no_errors(self, backend):
        good = {
            "max_attempts": 3,
            "backoff": 1.5,
            "timeout": 60,
            "result_ttl": 10,
            "enqueue_on_commit": False,
        }
        assert self.ids(backend(QUEUES=["default", "a_b-C9"], OPTIONS=good)) == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("max_retries", 3), ("max_attempts", 0), ("max_attempts", True), ("timeout", -1),
            ("timeout", "1"), ("enqueue_on_commit", "no"), ("backoff", -1), ("backoff", "no.such.function"),
            ("backoff", "os.sep"), ("modules", "shop.services"), ("result_ttl", 0),
        ],
    )  # fmt: skip
    def test_an_option_that_is_unknown_or_wrong_is_an_error(self, backend, name, value):
        found = backend(OPTIONS={name: value})
        [message] = found.check()
        assert (message.id, name in message.msg) == ("queueing.E010", True)
        assert message.is_serious()

    @pytest.mark.parametrize(("name", "closest"), [("max_attemps", "max_attempts"), ("TimeOut", "timeout")])
    def test_an_unknown_option_is_named_with_the_closest_one(self, backend, name, closest):
        [message] = backend(OPTIONS={name: 3}).check()
        assert f'["OPTIONS"]["{name}"] is unknown. Instead of {name}, {closest} may be meant.' in message.msg

    def test_an_option_that_is_close_to_none_is_named_with_all(self, backend):
        [message] = backend(OPTIONS={"xyz": 3}).check()
        assert message.msg.startswith(
            'TASKS["default"]["OPTIONS"]["xyz"] is unknown. Known are: max_attempts, '
        )

    def test_an_unknown_key_of_the_entry_is_a_warning_with_the_closest_one(self, backend):
        [message] = backend(OPTION={"timeout": 3}).check()
        assert message.id == "queueing.W005"
        assert message.msg == "TASKS[\"default\"] has the unknown key 'OPTION', which is not read."
        assert "Instead of OPTION, OPTIONS may be meant." in message.hint

    @pytest.mark.parametrize("queue", ["a b", "mail\n", "q" * 160, "QUEUES", "x-dead", "x-low", 7])
    def test_a_queue_that_rsmq_would_refuse_is_an_error(self, backend, queue):
        assert self.ids(backend(QUEUES=[queue])) == ["queueing.E011"]

    def test_a_text_in_place_of_a_list_is_an_error_and_names_one_queue(self, backend):
        found = backend(QUEUES="emails")
        assert self.ids(found) == ["queueing.E013"]
        assert found.queues == {"emails"}

    def test_manage_py_check_shows_them(self, backend):
        from django.core.checks import run_checks

        backend(QUEUES=["a b"])
        from queueing.tasks import compat  # noqa: F401

        assert "queueing.E011" in [message.id for message in run_checks()]


def test_making_a_backend_touches_neither_redis_nor_models(backend, redis_away):
    made = backend(QUEUES=["default"])
    assert tasks.add.using(priority=3).get_backend() is made
