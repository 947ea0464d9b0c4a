"""Samples the figures of the queues for the charts: once a minute, by one of the workers."""

from collections.abc import Sequence

from queueing.broker import rsmq_values
from queueing.broker.keys import is_dead_letter_queue
from queueing.client import QueueClient
from queueing.monitoring.store import sample_queues

#: The most queues of one sample, so that the number of queues does not matter to Redis: the worker's own
#: first, then the others by name.
MAX_QUEUES = 100


class Sampler:
    """Samples queues, also those that only other programs use. ``step`` is one turn."""

    def __init__(self, client: QueueClient, queues: Sequence[str]) -> None:
        self.client, self.queues = client, queues

    def step(self, names: Sequence[str]) -> None:
        """Sample these queues and those of this worker. Raises ``QueueError``.

        Dead-letter queues are left out: the figures of their sources contain the dead letters.
        """
        others = sorted(name for name in names if _is_sampled(name))
        chosen = list(dict.fromkeys([*self.queues, *others]))
        sample_queues(self.client.session, chosen[:MAX_QUEUES])


def _is_sampled(name: str) -> bool:
    return bool(rsmq_values.QNAME.fullmatch(name)) and not is_dead_letter_queue(name)
