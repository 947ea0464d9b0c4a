"""The last hour of many queues in one look, for small curves in a list."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .store import read_metrics
from .stored import History

if TYPE_CHECKING:
    from queueing.client import QueueClient


def outflow(
    client: "QueueClient", queues: Sequence[str], *, minutes: int = 60
) -> dict[str, list[int | None]]:
    """How many messages left each queue in each of the last whole minutes, whoever took them.

    ``None`` where no worker has looked. Raises ``QueueUnavailable``.
    """
    now_ms, kept = read_metrics(client.session, queues, "m", 1, minutes + 1, "now", "last", "since")
    this_minute = now_ms // 60_000 * 60
    starts = range(this_minute - minutes * 60, this_minute, 60)
    return {name: _outflow(History(of_queue, 60), starts) for name, of_queue in kept.items()}


def _outflow(history: History, starts: range) -> list[int | None]:
    seen = (history.between(start, start + 60) for start in starts)
    return [int(sums.get("left", 0)) if was_seen else None for sums, was_seen in seen]
