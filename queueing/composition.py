"""Chains and batches of Django tasks and of messages for handlers.

::

    from queueing.composition import batch, chain, step

    chain(step(fetch, url), step(resize, width=80), step("mails")).enqueue()

    members = [step(resize, id) for id in ids]
    batch(members, on_success=step(publish, album), on_failure=step(complain, album)).enqueue()

A step is a task with arguments, or the name of a queue with a body.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured

from . import get_client
from .broker import batches, rsmq_values
from .broker.batches import FollowUp
from .broker.idempotency import whole_id
from .client import drafts, sent_batches
from .client.sent_batches import Plan
from .exceptions import MessageNotString, QueueError
from .messages import BatchState, Draft
from .policies import limits
from .transactional.transactions import at_commit, has_begun, open_transactions

__all__ = ["Batch", "BatchState", "Chain", "Step", "batch", "cancel_batch", "chain", "get_batch",
           "retry_batch", "step"]  # fmt: skip

#: The error for a batch in a transaction if the backend stages tasks in the database.
NOT_STAGED = (
    "A batch cannot be staged in a transaction. Enqueue it in a task that the transaction stages, "
    "or after the commit: transaction.on_commit(whole.enqueue)."
)
#: How deep batches may be nested.
MAX_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One task or message of a chain or batch, made by ``step``."""

    target: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_task(self) -> bool:
        return not isinstance(self.target, str)

    @property
    def title(self) -> str:
        return str(getattr(self.target, "module_path", self.target))


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps that run one after the other, made by ``chain``."""

    steps: tuple[Step, ...]

    def enqueue(self) -> list[str]:
        """Send the first step. Returns the ids of all steps.

        In a transaction, a chain that begins with a task is sent like this task: by default at the commit,
        otherwise as the options ``enqueue`` and ``enqueue_on_commit`` of the task's backend require. Raises
        the errors of ``Task.enqueue`` and ``send_message``. If sending at the commit fails, the commit raises
        ``EnqueueFailed``.
        """
        messages = _messages(self.steps)
        get_client().at(message.queue for message in messages)
        first, options = _linked(messages), _task_options(self.steps[0])
        if getattr(options, "enqueue", None):
            from .transactional.staging import stage

            stage(first.queue, [first], task_queue=first.task_queue)
        else:
            _at_commit(options, first.id, self.steps[0], partial(_send_chain, messages, first))
        return [message.id for message in messages]

    async def aenqueue(self) -> list[str]:
        """``enqueue`` as a coroutine function."""
        return await sync_to_async(self.enqueue, thread_sensitive=True)()


@dataclass(frozen=True, slots=True)
class Batch:
    """Members that run side by side, and the callbacks that follow their end, made by ``batch``."""

    members: "tuple[Step | Chain | Batch, ...]"
    on_success: Step | Chain | None = None
    on_failure: Step | Chain | None = None

    def enqueue(self) -> str:
        """Send all members. Returns the id of the batch.

        In a transaction, a batch whose first step is a task is sent at the commit, or now if the option
        ``enqueue_on_commit`` of the task's backend is false. The first step of an empty batch is a callback.
        If the process dies before it has sent all members, the batch is cancelled a minute later, and
        ``on_failure`` is sent.

        Raises the errors of ``Chain.enqueue``. Raises ``QueueError`` if batches are nested more than 10 deep.
        A transaction cannot stage a batch, so in a transaction it also raises ``QueueError`` if that backend
        has the option ``"enqueue": "transaction"``.
        """
        plans = _plans(self)
        get_client().at(sent_batches.queues_of(plans))
        first = next(_steps(self), None)
        options = _task_options(first) if first else None
        if getattr(options, "enqueue", None) and has_begun():
            raise QueueError(NOT_STAGED)
        _at_commit(options, plans[0].id, first, lambda: sent_batches.send(get_client(), plans))
        return plans[0].id

    async def aenqueue(self) -> str:
        """``enqueue`` as a coroutine function."""
        return await sync_to_async(self.enqueue, thread_sensitive=True)()


def step(target: Any, /, *args: Any, **kwargs: Any) -> Step:
    """Make a step of a chain or batch: a task with its arguments, or a queue with the body of a message.

    ``step(resize.using(priority=5), 7, width=80)`` is a task of an ``RSMQBackend``. ``step("mails", "text")``
    is a message for the handler of the queue ``mails``. If the body is left out, it is the result of the
    previous step as JSON. Raises ``TypeError`` for a queue with more than one body, and for anything else.
    """
    if not isinstance(target, str) and not hasattr(target, "get_backend"):
        raise TypeError(f"A step is a task with its arguments, or a queue with a body, not {target!r}.")
    if isinstance(target, str) and (kwargs or len(args) > 1):
        raise TypeError("A step of a queue has one body.")
    return Step(target, args, kwargs)


def chain(*steps: Step) -> Chain:
    """Make a chain: steps that run one after the other. A step starts when the previous one is done.

    The value that a task returns is the first argument of the next task. The handler of a queue returns
    nothing, so the step after it gets only its own arguments. If a step is dead or cancelled, the chain
    stops. The chain continues if the dead step is redriven and succeeds.
    """
    if not steps or not all(isinstance(one, Step) for one in steps):
        raise TypeError("A chain has one or more steps: chain(step(…), step(…)).")
    return Chain(steps)


def batch(
    members: "Iterable[Step | Chain | Batch]",
    *,
    on_success: Step | Chain | None = None,
    on_failure: Step | Chain | None = None,
) -> Batch:
    """Make a batch: steps, chains and batches that run side by side, with a callback at their end.

    When all members are done, ``on_success`` is sent. When all members have ended and some are dead or
    cancelled, ``on_failure`` is sent. Only one of these two callbacks is sent, and only once. Without an
    ``on_failure``, ``on_success`` is still sent later if the dead members are redriven and succeed. The first
    argument of a callback is the id of the batch.
    """
    members = tuple(members)
    if not all(isinstance(one, Step | Chain | Batch) for one in members):
        raise TypeError("The members of a batch are steps, chains and batches.")
    if not all(isinstance(one, Step | Chain | None) for one in (on_success, on_failure)):
        raise TypeError("on_success and on_failure are steps or chains: step(task, …).")
    return Batch(members, on_success, on_failure)


# --- batches that were sent -------------------------------------------------------------------


def get_batch(id: str) -> BatchState:
    """The state of a batch. Raises ``BatchNotFound`` and ``QueueUnavailable``."""
    return batches.state_of(sent_batches.part_of(get_client(), id).session, id)


def cancel_batch(id: str) -> None:
    """Cancel a batch and its nested batches: members that have not started do not run.

    In a member that runs, ``context.is_cancelled`` becomes true. A waiting member ends as cancelled when a
    worker claims it. When all members have ended, ``on_failure`` is sent, or ``on_success`` if all of them
    are done despite the cancellation. Raises ``BatchNotFound``, and ``BatchClosed`` if the batch has ended.
    """
    batches.cancel(sent_batches.part_of(get_client(), id).session, id)


def retry_batch(id: str) -> int:
    """Redrive the dead members of a batch and of its nested batches. Returns the number of redriven messages.

    Nested batches that were cancelled are left out. Raises ``BatchNotFound``, and ``BatchClosed`` if the
    batch itself, or one that contains it, was cancelled.
    """
    return sent_batches.retry(get_client(), id)


# --- messages of steps ------------------------------------------------------------------------


def _messages(steps: Iterable[Step], *given: Any) -> list[FollowUp]:
    """Make the messages of a chain's steps. The first step gets ``given`` as its first arguments."""
    pairs = pairwise((None, *steps))
    return [_message(one, before, () if before else given) for before, one in pairs if one]


def _message(one: Step, before: Step | None, given: tuple[Any, ...]) -> FollowUp:
    takes_result = before is not None and before.is_task
    if not (one.is_task or one.args or given):
        if not takes_result:
            raise QueueError(f"The message for {one.target} needs a body: no result comes before it.")
        given = ("",)
    elif one.args and not one.is_task:
        takes_result = False
    # A later step gets its limit when it is sent, because the limit key may depend on the previous result.
    task_queue, queue, draft = _draft(one, given, is_first=before is None)
    return FollowUp(
        id=whole_id(), queue=queue, body=draft.body, task_queue=task_queue, takes_result=takes_result,
        due_ms=draft.due_ms, priority=draft.priority, headers=_limit_in(draft.headers),
    )  # fmt: skip


def _limit_in(headers: Mapping[str, str]) -> dict[str, str]:
    """Return only the header for a limit from ``headers``, as a dict, which is empty without a limit.

    The header for a unique job is left out. It could merge the message of a step with another message, and
    then the chain or batch would wait for ever for its end.
    """
    return {limits.HEADER: headers[limits.HEADER]} if limits.HEADER in headers else {}


def _draft(one: Step, given: tuple[Any, ...] = (), *, is_first: bool = True) -> tuple[str, str, Draft]:
    """Return the queue of a step's task, the queue to which the message is sent, and the message.

    The first value is ``""`` if the step is not a task. The queues differ if the task has a priority below 0.
    If ``is_first`` is false, the result of the previous step is not among the arguments yet.
    """
    if one.is_task:
        arguments = one.target, [*given, *one.args], one.kwargs
        return one.target.queue_name, *_backend(one).draft(*arguments, is_whole=is_first)
    body = (*one.args, *given, None)[0]
    if not isinstance(body, str):
        raise MessageNotString
    return "", rsmq_values.qname(one.target), Draft(body=body)


def _linked(messages: list[FollowUp], batch_id: str = "") -> FollowUp:
    """Return the first message of a chain, with the other messages in its headers.

    If the chain is a member of a batch, ``batch_id`` is in the headers, too. Raises ``QueueError`` if the
    headers are too long.
    """
    headers = dict(messages[0].headers)
    if batch_id:
        headers[batches.BATCH] = batch_id
    if len(messages) > 1:
        headers[batches.CHAIN] = json.dumps([message.fields() for message in messages[1:]])
    drafts.json_of(headers)
    return replace(messages[0], headers=headers)


def _backend(one: Step) -> Any:
    backend = one.target.get_backend()
    if not hasattr(backend, "draft"):
        raise ImproperlyConfigured(f"{one.title} is a task of another backend: chains need RSMQBackend.")
    return backend


def _task_options(one: Step) -> Any:
    return _backend(one).task_options if one.is_task else None


def _steps(one: "Step | Chain | Batch") -> Iterator[Step]:
    if isinstance(one, Step):
        yield one
    else:
        callbacks = () if isinstance(one, Chain) else filter(None, (one.on_success, one.on_failure))
        for part in (*(one.steps if isinstance(one, Chain) else one.members), *callbacks):
            yield from _steps(part)


def _at_commit(options: Any, id: str, first: Step | None, send: Callable[[], None]) -> None:
    """Call ``send`` at the commit if a transaction is open and ``options`` require this, otherwise now.

    ``options`` are those of the backend of the step ``first``, or ``None`` if it is not a task. ``id`` is for
    the error ``EnqueueFailed``.
    """
    aliases = open_transactions() if getattr(options, "enqueue_on_commit", False) else []
    if aliases:
        at_commit(aliases, send, id, first.title if first else "")
    else:
        send()


def _send_chain(messages: list[FollowUp], first: FollowUp) -> None:
    client = get_client()
    sent_batches.ensure_queues(client, _queues(messages))
    client.send_messages(first.queue, [first])


def _plans(whole: Batch, *, parent: str = "", depth: int = 1) -> list[Plan]:
    """Make all messages of a batch before any is sent, so that an invalid argument sends nothing.

    The plan of the batch is followed by those of its nested batches.
    """
    if depth > MAX_DEPTH:
        raise QueueError(f"Batches may be nested {MAX_DEPTH} deep.")
    plan, inner = Plan(whole_id(), len(whole.members)), []
    headers = {batches.BATCH: plan.id}
    for member in whole.members:
        if isinstance(member, Batch):
            inner += _plans(member, parent=plan.id, depth=depth + 1)
            continue
        if isinstance(member, Step):
            # A batch may have many members, so this makes few objects for each.
            task_queue, queue, draft = _draft(member)
            own_headers = {**_limit_in(draft.headers), **headers} if draft.headers else headers
            draft = replace(draft, headers=own_headers)
            plan.queues.add((task_queue, queue))
        else:
            messages = _messages(_steps(member))
            draft = first = _linked(messages, plan.id)
            queue = first.queue
            plan.queues |= _queues(messages)
        plan.drafts.setdefault(queue, []).append(draft)
    title = next(_steps(whole), None)
    queues = sorted({queue for _, queue in plan.queues})
    plan.record = json.dumps({"title": title.title if title else "", "parent": parent, "queues": queues})
    plan.on_success = _callback(whole.on_success, plan)
    plan.on_failure = _callback(whole.on_failure, plan)
    return [plan, *inner]


def _callback(callback: Step | Chain | None, plan: Plan) -> str:
    """Return the message of a callback as JSON, ``""`` for none. Its queues are added to ``plan``."""
    if callback is None:
        return ""
    messages = _messages(_steps(callback), plan.id)
    plan.queues |= _queues(messages)
    return json.dumps(_linked(messages).fields())


def _queues(messages: list[FollowUp]) -> set[tuple[str, str]]:
    return {(message.task_queue, message.queue) for message in messages}
