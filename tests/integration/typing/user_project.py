"""A project's code as a user writes it, with every public name. It is checked, and never run."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

import queueing
from queueing import signals
from queueing.client import QueueClient
from queueing.context import Context
from queueing.exceptions import QueueError, QueueFull, QueueUnavailable
from queueing.handlers import handler, policy
from queueing.logging import TextFormatter, struck
from queueing.messages import Draft, Message, MessageState, PeekedMessage, QueueAttributes, QueueFigures
from queueing.periodic import periodic
from queueing.resilience import bounded_view, database_guard, within
from queueing.tasks import TaskContext, TaskResult, TaskResultStatus, progress, task
from queueing.tasks import policy as task_policy
from queueing.tasks_backend import RSMQBackend
from queueing.testing import fake_queues, run_pending

urlpatterns = [path("", include("queueing.urls"))]
formatter = TextFormatter("%(message)s")


@policy(max_attempts=3, timeout=60)
@handler("emails")
def send_email(message: Message) -> None:
    print(f"An e-mail to {message.body}, sent at {message.sent}, received {message.rc} times")  # noqa: T201


@periodic("0 3 * * *", time_zone="Europe/Berlin", body="all")
@handler("reports")
@policy(backoff=lambda error, attempt: 60.0 * attempt)
async def write_report(message: Message, context: Context) -> None:
    context.progress(0.5, "half of it")
    context.log(queue=context.queue, attempt=context.attempt, text=message.body)


@task_policy(max_attempts=3, timeout=60)
@task
def resize(picture_id: int, *, small: bool = False) -> str:
    progress(0.5, "half of it")
    return f"picture {picture_id} is small: {small}"


@periodic(seconds=30, args=[7])
@task(takes_context=True)
def count(context: "TaskContext[Any, Any]", number: int) -> int:
    return context.attempt + number


@periodic(timedelta(hours=1), missed="skip")
@task
async def tidy() -> None: ...


def enqueue() -> str:
    result: TaskResult[Any, str] = resize.using(priority=10).enqueue(7, small=True)
    result.refresh()
    backend = resize.get_backend()
    assert isinstance(backend, RSMQBackend)
    results = backend.enqueue_many(resize, [((number,), {"small": True}) for number in range(10)])
    done = [one for one in results if one.status == TaskResultStatus.SUCCESSFUL]
    later = count.using(run_after=datetime.now(UTC)).enqueue(1)
    return result.return_value if done and later.id else resize.call(7)


def send() -> list[str]:
    first: str = queueing.send_message("emails", "ada@example.com", delay=60)
    client: QueueClient = queueing.get_client()
    ids = client.send_messages("emails", ["a", Draft(body="b", delay_ms=1500, headers={"tenant": "a"})])
    created: list[str] = queueing.create_queues()
    state: MessageState | None = queueing.message_state("emails", first)
    listed: list[MessageState] = queueing.recent_messages("emails", "reports", limit=5)
    return [*ids, *created, *(one.id for one in listed), state.state if state else ""]


def receive(client: QueueClient) -> Iterator[str]:
    client.create_queue("letters", vt=30, delay=0, maxsize=65536)
    message: Message | None = client.receive_message("letters", vt=10)
    popped: Message | None = client.pop_message("letters")
    for one in client.receive_messages("letters", 100, wait_seconds=20):
        yield one.body
    if message and client.change_message_visibility("letters", message.id, 30):
        client.delete_message("letters", message.id)
    attributes: QueueAttributes = client.get_queue_attributes("letters")
    figures: list[QueueFigures] = client.queue_figures(["letters"])
    peeked: list[PeekedMessage] = client.peek_messages("letters", count=10)
    yield f"{popped} {attributes.msgs} {figures[0].ready} {peeked[0].state}"
    client.set_redrive_policy("letters", max_receive_count=5)
    client.pause_queue("letters")
    client.delete_queue("letters")


def outside_of_django() -> QueueClient:
    return QueueClient(redis.Redis(), ns="rsmq")


@bounded_view
def page(request: HttpRequest, queue: str) -> HttpResponse:
    try:
        with database_guard(), within(0.5):
            return HttpResponse(", ".join(send()))
    except QueueFull:
        return HttpResponse("later", status=503)
    except (QueueUnavailable, QueueError) as error:
        return HttpResponse(struck(f"{queue}: {error.name}: {error}"), status=503)


def on_finished(sender: object, outcome: object, **kwargs: Any) -> None: ...


signals.job_finished.connect(on_finished)
signals.child_started.connect(on_finished)
response: HttpResponse = page(HttpRequest(), queue="emails")


def test_a_new_picture_is_resized() -> None:
    with fake_queues() as client:
        client.create_queue("emails")
        result = resize.enqueue(7)
        outcomes = run_pending("emails", delayed=True)
        assert [outcome.event for outcome in outcomes] == ["done"]
        assert result.return_value == "picture 7 is small: False"


SETTINGS: Mapping[str, object] = {"QUEUEING": {"URL": "redis://127.0.0.1:6379/0"}}
