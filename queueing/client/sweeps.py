"""The sweeper: what no message owns any more is deleted, and what policies say is carried out.

It works in bounded steps, and two at once do no harm. Workers run it now and then for the queues they
take; ``manage.py queues sweep`` runs it for all.
"""

from collections.abc import Iterator
from contextlib import suppress

from redis import exceptions as driver

from .. import decode, refusals, validation
from ..exceptions import QueueError, QueueNotFound
from ..messages import Swept
from ..subscription import AWAY
from .base import ClientBase

#: Entries per step.
STEP = 200
#: Keys that one sweep of lost queues looks at per step.
SCAN_STEP = 1000
SCAN_REFUSED = "Redis refuses SCAN to its user, so what deleted queues left is not tidied up"
#: The last part of each key that we keep beside a queue.
KINDS_BESIDE = {"ends", "headers", "leases", "metrics", "progress", "waking"}


class Sweeps(ClientBase):
    """What tidies up."""

    def sweep_queue(self, qname: str) -> Swept:
        """Sweep one queue; nothing where it is not there.

        Drops ids without a body, fields without a message, what has outlived the queue's retention, and
        moves what its redrive policy calls worn out to the dead letters.
        """
        return sum(self.sweep_steps(qname), Swept())

    def sweep_steps(self, qname: str) -> Iterator[Swept]:
        """The same, one bounded step at each turn of the iterator."""
        qname = validation.qname(qname)
        with suppress(QueueNotFound):
            yield from self._sweep_schedule(qname)
        for which in ("attributes", "ends", "headers"):
            yield from self._sweep_fields(qname, which)

    def sweep_lost_queues(self) -> int:
        """Delete what we keep beside queues that another program has deleted: how many keys and lanes."""
        deleted = 0
        for name in set(self._names_beside()):
            deleted += self.scripts.run("sweep_lost_queue", self._all_keys(name))
        return deleted

    def _sweep_schedule(self, qname: str) -> Iterator[Swept]:
        passed = 0
        while True:
            looked, *counts = self._run_burying(
                "sweep_schedule", self._lane_keys, qname, STEP, passed, repeatable=True
            )
            yield Swept(*counts)
            passed += looked - sum(counts)
            if looked < STEP:
                return

    def _sweep_fields(self, qname: str, which: str) -> Iterator[Swept]:
        cursor = b"0"
        while True:
            cursor, orphans = self.scripts.run("sweep_fields", self._queue_keys(qname), which, cursor, STEP)
            yield Swept(orphans=orphans)
            if cursor == b"0":
                return

    def _names_beside(self) -> Iterator[str]:
        """The queues beside which there is a key of ours."""
        try:
            prefix = f"{self.keys.ns}:"
            for key in self.redis.scan_iter(match=f"{_literal(prefix)}*:*", count=SCAN_STEP):
                text = decode.text(key) if isinstance(key, bytes) else key
                name, _, kind = text.removeprefix(prefix).rpartition(":")
                if kind in KINDS_BESIDE and validation.QNAME.fullmatch(name):
                    yield name
        except driver.NoPermissionError as error:
            raise QueueError(f"{SCAN_REFUSED} ({error})") from error
        except AWAY as error:
            raise refusals.unanswered(error) from error


def _literal(text: str) -> str:
    """``text`` in a pattern of Redis, where brackets and the like have a meaning."""
    return "".join(f"\\{character}" if character in "*?[]\\^" else character for character in text)
