"""The outbox of a namespace: the outcomes that wait in Redis for the database.

With several partitions, their outboxes are treated as one.
"""

from queueing.broker import outbox
from queueing.broker.outbox import Stats
from queueing.client import QueueClient


def stats(client: QueueClient) -> Stats:
    """The figures of the outbox. With several partitions, these are their sums, and the highest age."""
    found = [outbox.stats(part.session) for part in client.parts]
    if len(found) == 1:
        return found[0]
    return Stats(
        entries=sum(one.entries for one in found),
        size_bytes=sum(one.size_bytes for one in found),
        lost=sum(one.lost for one in found),
        acknowledged=sum(min(one.lost, one.acknowledged) for one in found),
        oldest_ms=max((one.oldest_ms for one in found), default=0),
    )


def acknowledge(client: QueueClient, lost: int | None = None) -> int:
    """Acknowledge outcomes that were lost, which ends the alert about them.

    ``lost`` is the number of losses that the user has seen: later ones still give an alert. Without ``lost``,
    or with several partitions, all are acknowledged. Returns how many this call acknowledged for the first
    time.
    """
    if lost is not None and not client.routing:
        return outbox.acknowledge(client.session, lost)
    return sum(outbox.acknowledge(part.session, outbox.stats(part.session).lost) for part in client.parts)
