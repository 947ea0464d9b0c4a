"""A program in Node enqueues a task by its documented body, and a worker runs it."""

import json
from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .bridge import NodeSide


@pytest.fixture
def backend(settings, shared_client: QueueClient):
    """The client as the worker creates it."""
    from queueing.tasks.compat import task_backends

    settings.TASKS = {
        "default": {"BACKEND": "queueing.tasks_backend.RSMQBackend", "QUEUES": ["default", "mails"]}
    }
    return task_backends["default"]


@pytest.mark.django_db
def test_a_worker_runs_a_task_that_node_enqueued(
    node: NodeSide, client: QueueClient, backend, worker: Callable[..., WorkerProcess]
):
    from tests.unit.tasks.app import tasks

    node.call("createQueue", qname="default")
    body = json.dumps(
        {"django_task": 1, "task": "tests.unit.tasks.app.tasks.add", "args": [40], "kwargs": {"b": 2}}
    )
    id = node.call("sendMessage", qname="default", message=body)
    result = tasks.add.get_result(id)
    assert (str(result.status), result.args, result.kwargs) == ("READY", [40], {"b": 2})
    with worker("default", env={"DJANGO_SETTINGS_MODULE": "tests.unit.tasks.settings"}) as process:
        # The message leaves the queue when the task ends. The result is in the database of the worker.
        eventually(lambda: client.get_queue_attributes("default").msgs == 0, of=process)
    assert client.queue_figures(["default"])[0].dead == 0


def test_a_node_reader_receives_the_message_with_the_highest_priority_first(node: NodeSide, backend):
    from tests.unit.tasks.app import tasks

    plain = tasks.note.enqueue("plain")
    urgent = tasks.note.using(priority=50).enqueue("urgent")
    received = [node.call("receiveMessage", qname="default") for _ in range(2)]
    assert [message["id"] for message in received] == [urgent.id, plain.id]
    assert json.loads(received[0]["message"])["args"] == ["urgent"]


def test_an_urgent_message_that_timed_out_in_node_is_first_again(
    node: NodeSide, client: QueueClient, backend
):
    from tests.unit.tasks.app import tasks

    plain = tasks.note.enqueue("plain")
    urgent = tasks.note.using(priority=50).enqueue("urgent")
    assert node.call("receiveMessage", qname="default", vt=0)["id"] == urgent.id
    assert [message.id for message in client.peek_messages("default")] == [plain.id, urgent.id]
    client.sweep_queue("default")
    received = [node.call("receiveMessage", qname="default") for _ in range(2)]
    assert [message["id"] for message in received] == [urgent.id, plain.id]
