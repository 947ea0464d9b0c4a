"""Sends follow-up messages: the next steps of chains, and the callbacks of batches.

The process that has settled a message sends the follow-ups. If it is killed first, the keeper sends them
(the process of a worker that extends leases). A Lua script ensures that each follow-up is sent only once.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import replace

from queueing.broker import batches
from queueing.broker.session import checked
from queueing.broker.task_body import is_task
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.messages import Draft
from queueing.policies import limits
from queueing.policies.above import above

from . import drafts
from .default import ensuring
from .queue_client import QueueClient

logger = logging.getLogger("queueing")


def send(client: QueueClient, texts: Iterable[bytes]) -> int:
    """Send follow-up messages, which are given as JSON. Returns how many were sent.

    A message that cannot be sent does not delay the others, and stays in Redis for a later try. Raises
    ``QueueUnavailable``.
    """
    sent = 0
    for text in texts:
        try:
            sent += _send(client, batches.read_follow_up(json.loads(text)))
        except QueueUnavailable:
            raise
        except (QueueError, ValueError) as error:
            logger.error("a message of a chain or batch is not sent yet: %s", error)
    return sent


def send_soon(client: QueueClient, texts: Iterable[bytes]) -> None:
    """Send follow-up messages. If Redis does not answer, the keeper of a worker sends them later."""
    try:
        send(client, texts)
    except QueueUnavailable as error:
        logger.debug("messages of chains and batches wait: %s", error)


def send_due(client: QueueClient, cursor: bytes = b"0") -> tuple[int, bytes]:
    cursor, *texts = batches.due_follow_ups(client.session, cursor)
    return send(client, texts), cursor


def _limited(draft: Draft, queue: str) -> Draft:
    """Add the header for a limit to a follow-up message, unless it has one.

    The header is not made earlier, because the key of the limit may depend on the result of the previous
    step.
    """
    if limits.HEADER in draft.headers:
        return draft
    try:
        of_task = is_task(draft.body)
        added = above.limit_of_task(draft.body) if of_task else limits.of_handler(queue, draft.body)
    except Exception as error:
        # The chain continues without the limit. If the body is wrong, the run of the step reports it.
        logger.error("the key of a step in %s fails: %s", queue, error)
        return draft
    return replace(draft, headers={**added, **draft.headers})


def _send(client: QueueClient, message: batches.FollowUp) -> int:
    draft = _limited(message, message.queue)
    call = drafts.put(
        "follow_up", client.keys, message.queue, [draft],
        tails=[message.id], key=client.keys.follow_ups(), own=(message.id, ""),
    )  # fmt: skip

    [sent] = ensuring(
        client,
        lambda: checked(client.session.call(call, replicas=client.durable)),
        message.queue,
        task_queue=message.task_queue,
        any_name=True,  # The queue existed when the chain or batch was sent.
    )
    return int(sent)
