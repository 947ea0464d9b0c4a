"""Limits of tasks: every message of a limited task has its limit and its key."""

import pytest

from queueing.policies.above import above
from queueing.tasks import worker_integration
from queueing.testing import run_pending

from .app import tasks

pytestmark = pytest.mark.django_db

PATH = "tests.unit.tasks.app.tasks"


@pytest.fixture(autouse=True)
def _sent_immediately(backend):
    backend(OPTIONS={"enqueue_on_commit": False})


def headers_in(client, queue="default"):
    return [message.headers.get("queueing-limit") for message in client.peek_messages(queue)]


def test_the_key_is_made_of_the_arguments(queues, backend):
    tasks.call_api.enqueue("ada", path="/a")
    tasks.call_api.enqueue(customer="bob")
    tasks.rebuild.enqueue()
    tasks.add.enqueue(1)
    assert headers_in(queues) == [
        f'2 12000000 {PATH}.call_api "ada"',
        f'2 12000000 {PATH}.call_api "bob"',
        f"1 0 {PATH}.rebuild",
        None,
    ]


def test_a_batch_and_a_task_of_a_transaction_have_the_limit(
    queues, backend, django_capture_on_commit_callbacks
):
    tasks.call_api.get_backend().enqueue_many(tasks.call_api, [(["ada"], {}), (["bob"], {})])
    backend(OPTIONS={"enqueue_on_commit": True})
    with django_capture_on_commit_callbacks(execute=True):
        tasks.rebuild.enqueue()
    assert [text.split(" ", 2)[2] for text in headers_in(queues)] == [
        f'{PATH}.call_api "ada"',
        f'{PATH}.call_api "bob"',
        f"{PATH}.rebuild",
    ]


def test_a_low_priority_shares_the_limit(queues):
    tasks.rebuild.using(priority=-5).enqueue()
    assert headers_in(queues, "default-low") == [f"1 0 {PATH}.rebuild"]


def test_a_test_runs_tasks_with_a_limit_of_concurrency_one_after_the_other(queues):
    for _ in range(5):
        tasks.rebuild.enqueue()
    assert [outcome.event for outcome in run_pending()] == ["done"] * 5


def test_a_test_runs_what_waits_for_a_rate_if_it_asks_for_delayed_ones(queues):
    for _ in range(4):
        tasks.call_api.enqueue("ada")
    assert len(run_pending()) < 4
    outcomes = run_pending(delayed=True)
    assert [outcome.event for outcome in outcomes] == ["done"] * len(outcomes)
    assert queues.peek_messages("default") == []


def test_a_task_that_the_console_sends_again_has_its_limit(queues):
    worker_integration.register_schedules()
    for send in (lambda: tasks.call_api.enqueue("ada"), tasks.rebuild.enqueue, lambda: tasks.add.enqueue(1)):
        send()
    messages = queues.peek_messages("default")
    assert [above.limit_of_task(message.body) for message in messages] == [
        dict(message.headers) for message in messages
    ]
    assert above.limit_of_task("no task") == {}
    # Arguments for which its key cannot be made: the run fails with them, too.
    wrong = messages[0].body.replace('["ada"]', "[]")
    assert wrong != messages[0].body
    assert above.limit_of_task(wrong) == {}
