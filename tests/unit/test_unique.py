"""``@policy(unique=…)``: handlers, tasks and schedules send requests that are merged."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

import queueing
from queueing import handlers, periodic
from queueing.composition import batch, chain, get_batch, step
from queueing.handlers import handler, policy
from queueing.messages import Draft
from queueing.models import StagedMessage
from queueing.policies import unique
from queueing.tasks.compat import task, task_backends
from queueing.testing import fake_queues, run_pending

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def queues(settings):
    settings.TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend", "QUEUES": []}}
    with fake_queues() as client:
        client.create_queue("rebuilds")
        yield client


def bodies(client, queue="rebuilds") -> list[str]:
    return [message.body for message in client.peek_messages(queue)]


def args(client) -> list:
    return [json.loads(body)["args"] for body in bodies(client, "default")]


@pytest.fixture
def rebuild():
    @policy(unique="until_done", key=lambda body: json.loads(body)["shop"], on_conflict="replace")
    @handler("rebuilds")
    def rebuild(message):
        ran.append(message.body)

    ran = []
    return ran


@policy(unique="until_done")
@task
def refresh(shop, full=False):
    runs.append(shop)
    if again:
        request = again.pop()
        sent.append(refresh.enqueue(*request))


@task
def plain(shop): ...


runs, again, sent = [], [], []


@pytest.fixture(autouse=True)
def _no_runs():
    for notes in runs, again, sent:
        notes.clear()


# --- handlers -------------------------------------------------------------------------------------


def test_every_way_to_send_to_a_unique_handler_is_merged(queues, rebuild):
    first = queueing.send_message("rebuilds", '{"shop": 1, "by": "a"}')
    assert queues.send_message("rebuilds", '{"shop": 1, "by": "b"}', headers={"a": "b"}) == first
    assert queues.send_messages("rebuilds", ['{"shop": 1, "by": "c"}', '{"shop": 2}'])[0] == first
    assert bodies(queues) == ['{"shop": 1, "by": "c"}', '{"shop": 2}']
    run_pending()
    assert rebuild == ['{"shop": 1, "by": "c"}', '{"shop": 2}']
    assert queueing.send_message("rebuilds", '{"shop": 1}') != first


def test_a_handler_without_a_policy_of_its_own_is_not_unique(queues):
    handler("rebuilds")(lambda message: None)
    assert queueing.send_message("rebuilds", "x") != queueing.send_message("rebuilds", "x")


def test_a_key_that_cannot_be_made_is_an_error_of_the_sender(queues, rebuild):
    with pytest.raises(ValueError, match="Expecting value"):
        queueing.send_message("rebuilds", "not JSON")
    assert bodies(queues) == []


def test_the_first_send_of_a_process_imports_the_handlers(queues, rebuild, monkeypatch, caplog):
    calls = []

    def discover(name):
        calls.append(name)
        raise ImportError("no such library in this process")

    monkeypatch.setattr(handlers, "_is_discovered", False)
    monkeypatch.setattr(handlers, "autodiscover_modules", discover)
    for _ in range(2):
        queueing.send_message("rebuilds", '{"shop": 1}')
    assert calls == ["handlers"]
    assert "not all handlers can be imported here" in caplog.text
    assert len(bodies(queues)) == 1


@pytest.mark.parametrize(
    "wrong", [{"unique": "always"}, {"on_conflict": "drop"}, {"unique": "until_done", "key": "shop"}]
)
def test_a_wrong_policy_is_an_error_at_import(wrong):
    with pytest.raises(ImproperlyConfigured, match=f"{list(wrong)[-1]} must be"):
        policy(**wrong)


@pytest.mark.parametrize("wrong", [{"on_conflict": "skip"}, {"key": str}, {"key": str, "max_attempts": 3}])
def test_an_option_that_would_have_no_effect_is_an_error_at_import(wrong):
    with pytest.raises(ImproperlyConfigured, match=f"^{next(iter(wrong))} has an effect only with unique"):
        policy(**wrong)


def test_a_member_of_a_batch_is_always_sent(queues, rebuild):
    queueing.send_message("rebuilds", '{"shop": 1}')
    id = batch([step("rebuilds", '{"shop": 1}'), step("rebuilds", '{"shop": 1}')]).enqueue()
    assert len(bodies(queues)) == 3
    run_pending()
    assert get_batch(id).done == 2


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("request_it", "one", "queue"),
    [
        (
            lambda: queueing.send_message("rebuilds", '{"shop": 1}'),
            step("rebuilds", '{"shop": 1}'),
            "rebuilds",
        ),
        (lambda: refresh.enqueue(1).id, step(refresh, 1), "default"),
    ],
    ids=["handler", "task"],
)
def test_a_step_of_a_chain_is_always_sent(queues, rebuild, request_it, one, queue, count):
    first = request_it()
    ids = chain(*[one] * count).enqueue()
    assert [message.id for message in queues.peek_messages(queue)] == [first, ids[0]]
    assert request_it() == first
    assert len(run_pending()) == 1 + count


# --- tasks ----------------------------------------------------------------------------------------


def test_a_task_that_waits_takes_the_request_and_its_result_is_the_same(queues):
    first, second = refresh.enqueue(1), refresh.enqueue(shop=1)
    assert second.id == first.id
    assert refresh.enqueue(2).id != first.id
    assert args(queues) == [[1], [2]]


def test_a_task_that_asks_for_itself_while_it_runs_runs_once_more(queues):
    first = refresh.enqueue(1)
    again[:] = [(1,)]
    run_pending()
    assert runs == [1, 1]
    assert sent[0].id != first.id
    sent[0].refresh()
    assert sent[0].is_finished
    assert queues.redis.hlen("rsmq:default:unique") == 0


def test_many_tasks_in_one_batch_are_merged(queues):
    results = task_backends["default"].enqueue_many(refresh, [([n % 2], {}) for n in range(6)])
    assert len({result.id for result in results}) == 2
    assert args(queues) == [[0], [1]]


def test_after_the_commit_a_result_has_the_id_of_the_task_that_waits(queues):
    first = refresh.enqueue(1)
    with transaction.atomic():
        second = refresh.enqueue(1)
        assert second.id != first.id
    assert second.id == first.id
    assert args(queues) == [[1]]


def test_a_message_that_only_another_program_could_send_does_not_stop_a_handler(queues, rebuild):
    queues.send_messages("rebuilds", [Draft(body="x", headers={unique.HEADER: "until_done"})])
    run_pending()
    assert rebuild == ["x"]


def test_tasks_in_the_queue_of_a_unique_handler_have_their_own_policy(queues, rebuild):
    assert len({plain.using(queue_name="rebuilds").enqueue(1).id for _ in range(2)}) == 2
    assert len({refresh.using(queue_name="rebuilds").enqueue(1).id for _ in range(2)}) == 1


# --- schedules and staged messages ------------------------------------------------------------------


@pytest.mark.parametrize("missed", ["once", "all"])
def test_a_tick_is_merged_with_the_job_of_an_earlier_one(queues, missed):
    @periodic.periodic(seconds=60, missed=missed)
    @policy(unique="until_done")
    @handler("rebuilds")
    def rebuild_all(message): ...

    schedule = next(s for s in periodic.schedules() if s.name.endswith("rebuild_all"))
    from queueing.scheduling import store

    now_ms = queues.now_ms()
    timing = schedule.timing
    store.name_schedules(queues.session, [timing], born_ms=None)
    first = queueing.send_message("rebuilds", "")
    known = next(s for s in store.schedules(queues.session) if s.name == schedule.name)
    drafts = [schedule.draft(now_ms), schedule.draft(now_ms - 1)]
    ticked = store.tick(queues.session, timing, known.settled_ms, known.settled_ms + 1, drafts)
    assert (ticked.word, ticked.id) == ("sent", first)
    assert bodies(queues) == [""]


def test_staged_messages_are_merged_when_they_are_sent(queues, rebuild, settings):
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}
    first = queueing.send_message("rebuilds", '{"shop": 1}')
    queueing.send_message("rebuilds", '{"shop": 1, "by": "database"}', via="database")
    assert not StagedMessage.objects.exists()
    assert [(m.id, m.body) for m in queues.peek_messages("rebuilds")] == [
        (first, '{"shop": 1, "by": "database"}')
    ]
