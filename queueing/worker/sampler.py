"""Notes how the queues of a namespace stand, for the charts, once a minute and by one worker of all."""

from collections.abc import Sequence

from queueing.broker import rsmq_values
from queueing.broker.keys import is_dead_letter_queue
from queueing.client import QueueClient
from queueing.monitoring.store import sample_queues

#: Queues that are looked at in a minute, so that neither Redis nor its memory is at the mercy of whoever
#: makes queues: the worker's own, then the others by name.
MAX_QUEUES = 100


class Sampler:
    """Samples queues, also those that only other programs use. ``step`` is one turn."""

    def __init__(self, client: QueueClient, queues: Sequence[str]) -> None:
        self.client, self.queues = client, queues

    def step(self, names: Sequence[str]) -> None:
        """Note how these queues, and those of this worker, stand now. Raises ``QueueError``.

        Dead-letter queues are passed over: what lies there is told by the queues it comes from.
        """
        others = sorted(name for name in names if _is_sampled(name))
        chosen = list(dict.fromkeys([*self.queues, *others]))
        sample_queues(self.client.session, chosen[:MAX_QUEUES])


def _is_sampled(name: str) -> bool:
    return bool(rsmq_values.QNAME.fullmatch(name)) and not is_dead_letter_queue(name)
