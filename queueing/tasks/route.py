"""The route of a task: its queue and options, and the messages for calls of the task."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from queueing.broker import task_queues
from queueing.broker.rsmq_values import MAX_SIZE, MIN_SIZE, utf16_units
from queueing.broker.task_body import BodyWriter
from queueing.client import QueueClient
from queueing.client.default import asend_tasks, send_tasks, shared_async_client, shared_client
from queueing.exceptions import MessageTooLong, QueueError, QueueNotFound
from queueing.messages import Draft
from queueing.policies import limits, policy_of, unique

from .compat import Task, TaskResult

#: The ``maxsize`` of a queue is cached for this long, so that a loop of many sends rarely reads it.
KNOWN_SECONDS = 1.0


class Route:
    """The queue and options of a valid task, computed once for many sends."""

    __slots__ = (
        "_due_ms", "_is_plain", "_known", "_known_until", "_policy", "_priority", "queue", "task", "write",
    )  # fmt: skip

    def __init__(self, task: Task) -> None:
        self.task = task
        self.queue, self._priority = task_queues.place(task.queue_name, task.priority)
        self._due_ms = None if task.run_after is None else max(0, int(task.run_after.timestamp() * 1000))
        self._policy = policy_of(task.func)
        has_headers = self._policy.unique or self._policy.limit
        self._is_plain = not (self._priority or has_headers) and self._due_ms is None
        self._known, self._known_until = -1, 0.0
        run_after = None if task.run_after is None else task.run_after.isoformat()
        #: Makes the body of a message from args and kwargs (see ``BodyWriter.write``).
        self.write = BodyWriter(task.module_path, task.priority, run_after).write

    def messages(self, sent: Sequence[TaskResult], bodies: Sequence[str]) -> list[str | Draft]:
        """The messages for ``bodies``. Each body belongs to the result at the same position in ``sent``.

        A message without options is returned as a ``str``, its body.
        """
        if self._is_plain:
            return list(bodies)
        return [self.draft(body, of=result) for result, body in zip(sent, bodies, strict=True)]

    def draft(self, body: str, id: str | None = None, *, of: TaskResult | None = None) -> Draft:
        """The message for one body, with all options of the task. ``id`` is its id, if that is already fixed.

        The keys for limits and uniqueness depend on the arguments in the result ``of``. Without ``of``, the
        message has no such keys.
        """
        headers = self._headers(of) if of else {}
        return Draft(body=body, due_ms=self._due_ms, priority=self._priority, headers=headers, id=id)

    def _headers(self, of: TaskResult) -> dict[str, str]:
        policy, name, headers = self._policy, self.task.module_path, {}
        if policy.unique:
            function = partial(self.task.func, None) if self.task.takes_context else self.task.func
            headers.update(unique.headers(policy, name, of.args, of.kwargs, function))
        headers.update(limits.of_call(policy, name, of.args, of.kwargs))
        return headers

    def send(self, messages: Sequence[str | Draft]) -> list[str]:
        """Send messages now. Returns their ids. Raises the errors of ``send_messages``."""
        client = shared_client().at((self.queue,))
        try:
            if id := self._sent_alone(client, messages):
                return [id]
            return send_tasks(client, self.task.queue_name, self.queue, messages)
        except MessageTooLong as error:
            raise MessageTooLong(self._too_long(max(map(_length, messages)))) from error

    def _sent_alone(self, client: QueueClient, messages: Sequence[str | Draft]) -> str | None:
        """Send a message without options, faster than ``send_tasks`` can. Returns the id of the message.

        Nothing is sent, and ``None`` is returned, if there are several messages, if the message has options,
        or if the queue is missing or is not known to have tasks. ``send_tasks`` must then send the messages.
        """
        if len(messages) != 1 or not isinstance(message := messages[0], str):
            return None
        if not task_queues.is_noted(client.session, self.queue):
            return None
        try:
            return client.send_message(self.queue, message)
        except QueueNotFound:
            return None

    async def asend(self, messages: Sequence[str | Draft]) -> list[str]:
        """``send`` as a coroutine function. It uses a thread only after an error."""
        try:
            return await asend_tasks(shared_async_client(), self.task.queue_name, self.queue, messages)
        except MessageTooLong as error:
            text = await asyncio.to_thread(self._too_long, max(map(_length, messages)))
            raise MessageTooLong(text) from error

    def refuse_long(self, bodies: Sequence[str]) -> None:
        """Raise ``MessageTooLong`` if the queue would refuse one of the bodies now.

        If Redis does not answer, nothing is raised, because the send happens later.
        """
        length = max(map(_length, bodies), default=0)
        if length > MIN_SIZE and 0 <= self._limit() < length:
            raise MessageTooLong(self._too_long(length))

    def _limit(self) -> int:
        """The ``maxsize`` of the queue, -1 if it is unlimited or unknown.

        It is cached for ``KNOWN_SECONDS``.
        """
        if time.monotonic() > self._known_until:
            try:
                self._known = shared_client().get_queue_attributes(self.queue).maxsize
            except QueueNotFound:
                self._known = MAX_SIZE
            except QueueError:
                self._known = -1
            # From the answer on, because a Redis that hangs answers after the time-out.
            self._known_until = time.monotonic() + KNOWN_SECONDS
        return self._known

    def _too_long(self, length: int) -> str:
        limit = self._limit()
        taken = f"{limit:,}" if limit > 0 else "fewer"
        return (
            f"Message too long: {self.task.module_path} with its arguments makes {length:,} characters, and "
            f"the queue {self.queue} takes {taken}. Send a key of what is stored elsewhere, or raise the "
            f"limit: manage.py queues set {self.queue} --maxsize -1"
        )


def _length(message: str | Draft) -> int:
    return utf16_units(message if isinstance(message, str) else message.body)
