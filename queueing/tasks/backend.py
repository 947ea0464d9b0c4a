"""The backend for Django's tasks: ``TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend"}}``.

``enqueue`` sends one RSMQ message, whose id is the id of the result. A worker (``manage.py runworker``) runs
the task. If ``enqueue`` is called in a transaction of any database, the message is sent at the commit. With
the option ``"enqueue": "transaction"``, the transaction also stores the message as a row, which is deleted
when the message is sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage, Error, Warning

from queueing import get_client
from queueing.broker import task_body
from queueing.broker.idempotency import whole_id
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue, low_priority_queue
from queueing.broker.outcomes import State
from queueing.broker.pubsub import AsyncWakeUp
from queueing.broker.rsmq_values import QNAME, RESERVED_NAME
from queueing.exceptions import QueueNotFound
from queueing.messages import Draft
from queueing.signals import emit
from queueing.transactional.transactions import at_commit, has_open_transaction, open_transactions

from . import options, ready, registry, waiting
from .compat import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResult,
    has_own_receivers,
    is_enqueue_heard,
    signals,
)
from .results import TaskLookup
from .route import Route

#: The longest name of a queue for tasks. It leaves room for the suffixes of the low-priority queue and of the
#: dead-letter queue that belongs to the low-priority queue.
MAX_NAME = 160 - len(dead_letter_queue(low_priority_queue("")))

#: The keys that an entry of ``TASKS`` may have.
ENTRY = ("BACKEND", "QUEUES", "OPTIONS")
#: Positional and keyword arguments of one call.
Arguments = tuple[Sequence[Any], Mapping[str, Any]]


class RSMQBackend(BaseTaskBackend):
    """The backend for Django's tasks. Django makes one instance for each entry of ``TASKS`` that names it.

    Its constructor uses neither Redis nor models, because ``@task`` calls it at import.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.task_options = options.read(self.options)
        # Django makes a set of QUEUES. From a text it would make a set of letters.
        self._given_queues = params.get("QUEUES")
        self._unknown = [name for name in params if name not in ENTRY]
        if isinstance(self._given_queues, str):
            self.queues = {self._given_queues}
        #: The route of the task that was sent last.
        self._route: Route | None = None

    # --- sending ------------------------------------------------------------------------------

    def validate_task(self, task: Task) -> None:
        """Apply Django's rules, and RSMQ's rules for the name of the queue. Raises ``InvalidTask``."""
        if not isinstance(task.run_after, datetime | None):
            raise InvalidTask(f"run_after is a datetime, not {type(task.run_after).__name__}.")
        if self.queues and task.queue_name not in self.queues:
            setting, names = f'TASKS["{self.alias}"]["QUEUES"]', ", ".join(sorted(self.queues))
            raise InvalidTask(
                f"Queue '{task.queue_name}' is not valid for backend. {setting} has: {names}. "
                f"Add the queue there, or let a task name any queue: {setting} = []."
            )
        super().validate_task(task)
        if task.queue_name not in self.queues and (problem := _problem_of_name(task.queue_name)):
            raise InvalidTask(f"Queue {task.queue_name!r} {problem}")
        registry.declare(task)

    def enqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Send a task. In a transaction it is sent at the commit (see the option ``enqueue_on_commit``).

        Raises ``InvalidTask`` and the errors of ``QueueClient.send_message``. Raises ``TypeError`` or
        ``ValueError`` for arguments that JSON cannot represent. A message that is too long for its queue is
        refused by this call, even in a transaction. If sending at the commit fails, the commit raises
        ``EnqueueFailed`` with the id.
        """
        [result] = self.enqueue_many(task, [(args, kwargs)])
        return result

    def enqueue_many(self, task: Task, calls: Iterable[Arguments]) -> list[TaskResult]:
        """Send a task several times in one step: once for each pair of args and kwargs in ``calls``.

        Returns the results in the same order. Raises the errors of ``enqueue``.
        """
        route = self._route_of(task)
        sent = [ready.new_result(task, self.alias, *call) for call in calls]
        self._enqueue(route, sent)
        return sent

    async def aenqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """``enqueue`` as a coroutine function. It uses a thread in the same cases as ``aenqueue_many``."""
        [result] = await self.aenqueue_many(task, [(args, kwargs)])
        return result

    async def aenqueue_many(self, task: Task, calls: Iterable[Arguments]) -> list[TaskResult]:
        """``enqueue_many`` as a coroutine function.

        It uses a thread only if the option ``enqueue`` is set, if the project has receivers for the signal
        ``task_enqueued``, or after ``MessageTooLong``. With the option ``enqueue_on_commit``, it also uses a
        thread while any thread of the process has an open transaction.
        """
        given = self.task_options
        if given.enqueue or (given.enqueue_on_commit and has_open_transaction()):
            # Async code runs its database calls in one thread (``thread_sensitive``). Only that thread has
            # the open transaction.
            return await sync_to_async(self.enqueue_many, thread_sensitive=True)(task, calls)
        route = self._route_of(task)
        sent = [ready.new_result(task, self.alias, *call) for call in calls]
        bodies = [route.write(result.args, result.kwargs) for result in sent]
        for result, id in zip(sent, await route.asend(route.messages(sent, bodies)), strict=True):
            ready.identify(result, id)
        if has_own_receivers():
            await sync_to_async(self._emit_enqueued, thread_sensitive=True)(sent)
        else:
            self._emit_enqueued(sent)
        return sent

    # --- results and cancellation -------------------------------------------------------------

    def get_result(self, result_id: str) -> TaskResult:
        """The result of a task at this moment.

        Raises ``TaskResultDoesNotExist``, ``QueueUnavailable``, ``DatabaseError``.
        """
        return self.lookup().result(result_id)

    def wait_result(self, result_id: str, *, timeout: float | None = None) -> TaskResult:
        """Wait until a task has ended, and return its result.

        ``timeout`` is in seconds, ``None`` for no limit. Pub/sub wakes the caller when the task ends. Raises
        ``TimeoutError``, and the errors of ``get_result``. ``TaskResultDoesNotExist`` is also raised for a
        task whose transaction is still open.
        """
        patience, client = waiting.Patience(result_id, timeout), get_client()
        if client.routing:
            client = client.at([self.get_result(result_id).task.queue_name])
        with client.wakeups.of(client.keys.ended(result_id)) as wakeup:
            while not (result := self.get_result(result_id)).is_finished:
                wakeup.wait(patience.seconds())
        return result

    async def await_result(self, result_id: str, *, timeout: float | None = None) -> TaskResult:
        """``wait_result`` as a coroutine function. It holds no thread while it waits."""
        patience, client = waiting.Patience(result_id, timeout), get_client()
        if client.routing:
            client = client.at([(await self.aget_result(result_id)).task.queue_name])
        wakeup = AsyncWakeUp()
        with client.wakeups.ringing(client.keys.ended(result_id), wakeup):
            while not (result := await self.aget_result(result_id)).is_finished:
                await wakeup.wait(patience.seconds())
        return result

    def cancel(self, result_id: str, *, reason: str = "") -> bool:
        """Cancel a task that has not started, so that it never runs. Returns whether it was cancelled.

        Returns ``False`` if the task runs, has ended or is unknown. If the open transaction of this thread
        has stored the task (the option ``enqueue``), the task is cancelled by deleting its row.
        """
        take_back = partial(get_client().cancel_message, reason=reason or State.CANCELLED)
        return self._word(result_id, take_back) == State.CANCELLED

    def stop(self, result_id: str, *, reason: str = "", force: bool = False) -> bool:
        """Cancel a task that waits. If it runs, ask its worker to stop it (see ``QueueClient.stop_message``).

        Returns whether the task was cancelled or asked to stop, ``False`` if it has ended or is unknown. The
        result of a stopped task has the status failed and the error ``TaskCancelled``.
        """
        stop = partial(get_client().stop_message, reason=reason, force=force)
        return self._word(result_id, stop) in (State.CANCELLED, State.RUNNING)

    async def astop(self, result_id: str, *, reason: str = "", force: bool = False) -> bool:
        """``stop`` as a coroutine function."""
        return await sync_to_async(self.stop, thread_sensitive=True)(result_id, reason=reason, force=force)

    def _word(self, result_id: str, act: Callable[[str, str], str]) -> str:
        where = self.lookup().sent(result_id)
        if where is None:
            return State.CANCELLED
        if not where.queue or not task_body.is_task(where.body):
            return ""
        with suppress(QueueNotFound):
            return act(where.queue, result_id)
        return ""

    async def acancel(self, result_id: str, *, reason: str = "") -> bool:
        """``cancel`` as a coroutine function."""
        return await sync_to_async(self.cancel, thread_sensitive=True)(result_id, reason=reason)

    def draft(
        self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], *, is_whole: bool = True
    ) -> tuple[str, Draft]:
        """The queue and the message of a task, without sending it. Raises the errors of ``enqueue``.

        ``is_whole=False`` means that an argument is still missing, such as the result of the previous step.
        The message then has no key for limits or uniqueness, because the key depends on the arguments.
        """
        route = self._route_of(task)
        result = ready.new_result(task, self.alias, args, kwargs)
        body = route.write(result.args, result.kwargs)
        return route.queue, route.draft(body, of=result if is_whole else None)

    # --- for the worker and the checks --------------------------------------------------------

    def lookup(self) -> TaskLookup:
        return TaskLookup(self.alias, sorted(self.queues), self.task_options)

    def check(self, **kwargs: Any) -> Iterator[CheckMessage]:  # type: ignore[override]  # as Django's own
        where = f'TASKS["{self.alias}"]'
        for name, problem in options.problems(self.options):
            yield Error(f'{where}["OPTIONS"]["{name}"] {problem}', id="queueing.E010")
        for name in self._unknown:
            text = f"{where} has the unknown key {name!r}, which is not read."
            hint = f"{options.meant(name, ENTRY)} Known are: {', '.join(ENTRY)}.".strip()
            yield Warning(text, hint=hint, id="queueing.W005")
        if isinstance(self._given_queues, str):
            hint = f"Write [{self._given_queues!r}]."
            yield Error(
                f'{where}["QUEUES"] must be a list of names, not a text.', hint=hint, id="queueing.E013"
            )
        for queue in sorted(self.queues, key=str):
            if problem := _problem_of_name(queue):
                yield Error(f'{where}["QUEUES"]: {queue!r} {problem}', id="queueing.E011")

    # --- inside -------------------------------------------------------------------------------

    def _enqueue(self, route: Route, sent: list[TaskResult]) -> None:
        bodies = [route.write(result.args, result.kwargs) for result in sent]
        if self.task_options.enqueue:
            # ``staging`` imports models, and this module is imported before models can be imported.
            from queueing.transactional.staging import stage

            drafts, then = self._drafts(route, sent, bodies), partial(self._emit_enqueued, sent)
            stage(route.queue, drafts, task_queue=route.task.queue_name, then=then)
        elif self.task_options.enqueue_on_commit and (aliases := open_transactions()):
            send = partial(self._send, route, sent, self._drafts(route, sent, bodies))
            at_commit(aliases, send, sent[0].id, route.task.module_path)
        else:
            self._send(route, sent, route.messages(sent, bodies))

    def _send(self, route: Route, sent: list[TaskResult], messages: Sequence[str | Draft]) -> None:
        # A unique task may be merged with an earlier one, and then has the id of that one.
        for result, id in zip(sent, route.send(messages), strict=True):
            ready.identify(result, id)
        self._emit_enqueued(sent)

    def _route_of(self, task: Task) -> Route:
        route = self._route
        if route is None or route.task is not task:
            self.validate_task(task)
            self._route = route = Route(task)
        return route

    def _drafts(self, route: Route, sent: list[TaskResult], bodies: list[str]) -> list[Draft]:
        """Make the messages to send after the commit. Each gets a new id, which is also set in its result.

        Raises ``MessageTooLong``.
        """
        # At the commit, an error would be too late: the changes of the transaction stay.
        route.refuse_long(bodies)
        for result in sent:
            ready.identify(result, whole_id())
        return [route.draft(body, result.id, of=result) for body, result in zip(bodies, sent, strict=True)]

    def _emit_enqueued(self, sent: list[TaskResult]) -> None:
        for result in sent if is_enqueue_heard() else ():
            emit(signals.task_enqueued, type(self), task_result=result)


def _problem_of_name(queue: Any) -> str:
    """The reason why a queue for tasks cannot have this name, as the end of a sentence.

    Returns ``""`` if it can.
    """
    if not isinstance(queue, str) or not QNAME.fullmatch(queue) or queue == RESERVED_NAME:
        return "is not a queue name: use letters, digits, - and _."
    if len(queue) > MAX_NAME:
        return f"is too long: a queue of tasks has at most {MAX_NAME} characters."
    if is_dead_letter_queue(queue) or queue.endswith(low_priority_queue("")):
        return "ends in -dead or -low, which the package adds to names of queues itself."
    return ""
