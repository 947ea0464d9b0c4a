"""The sweeper: what no message owns any more is deleted, and what policies say is carried out.

It works in bounded steps, and two at once do no harm. Workers run it now and then for the queues they
take; ``manage.py queues sweep`` runs it for all.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress

from redis import exceptions as driver

from .. import decode, refusals, validation
from ..exceptions import QueueError, QueueNotFound
from ..messages import Swept
from ..subscription import AWAY
from .base import ClientBase

logger = logging.getLogger("queueing")

#: Entries per step.
STEP = 200
#: Keys that one sweep of lost queues looks at per step.
SCAN_STEP = 1000
SCAN_REFUSED = "Redis refuses SCAN to its user, so what deleted queues left is not tidied up"
#: What is added to the name of a key that is set aside.
ASIDE = ":unreadable"
#: The last part of each key that we keep beside a queue.
KINDS_BESIDE = {"ends", "headers", "leases", "metrics", "progress", "waking"}


class Sweeps(ClientBase):
    """What tidies up."""

    def sweep_queue(self, qname: str) -> Swept:
        """Sweep one queue; nothing where it is not there.

        Drops ids without a body, fields without a message, what has outlived the queue's retention, and
        moves what its redrive policy calls worn out to the dead letters. Mends what another program has
        spoilt: keys of another type, due times that are no times, leases without end.
        """
        return sum(self.sweep_steps(qname), Swept())

    def sweep_steps(self, qname: str) -> Iterator[Swept]:
        """The same, one bounded step at each turn of the iterator."""
        qname = validation.qname(qname)
        yield Swept(mended=len(self.mend_keys(qname)))
        with suppress(QueueNotFound):
            yield from self._sweep_schedule(qname)
        for which in ("attributes", "ends", "headers"):
            yield from self._sweep_fields(qname, which)

    def mend_keys(self, qname: str = "") -> list[str]:
        """Set aside the keys of ours that are of another type than they should be: their names.

        Those of the namespace, and those beside this queue. A key ``x`` is kept as ``x:unreadable``.
        """
        keys, dead = self.keys, self.dead_letter_queue(qname)
        hashes = (keys.ends(qname), keys.headers(qname), keys.headers(dead), keys.progress(qname))
        beside = {
            **dict.fromkeys([*hashes, keys.metrics(qname)], "hash"),
            **dict.fromkeys([keys.leases(qname), keys.waking(qname)], "zset"),
        }
        types = {
            **(beside if qname else {}),
            **dict.fromkeys([keys.held(), keys.outbox_stats(), keys.unrecorded()], "hash"),
            **dict.fromkeys([keys.workers(), keys.quiet_workers(), keys.schedules()], "hash"),
            **dict.fromkeys([keys.task_queues(), keys.queues()], "set"),
            **dict.fromkeys([keys.recorder(), keys.sampled()], "string"),
            keys.outbox(): "stream",
        }
        pairs = [name for key in types for name in (key, key + ASIDE)]
        mended = [decode.text(key) for key in self.scripts.run("mend", pairs, *types.values())]
        for key in mended:
            logger.warning("%s was not a %s; it is kept as %s", key, types[key], key + ASIDE)
        if keys.queues() in mended:
            self._list_again()
        return mended

    def _list_again(self) -> None:
        """Put the queues that exist back into the index of all queues."""
        for key in self._scan("*:Q"):
            name = key.removeprefix(f"{self.keys.ns}:").removesuffix(":Q")
            if validation.QNAME.fullmatch(name):
                self.scripts.run("list_again", [self.keys.attributes(name), self.keys.queues()], name)

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
            phantoms, expired, buried, mended = counts
            yield Swept(phantoms, expired, buried, mended=mended)
            passed += looked - phantoms - expired - buried
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
        for key in self._scan("*:*"):
            name, _, kind = key.removeprefix(f"{self.keys.ns}:").rpartition(":")
            if kind in KINDS_BESIDE and validation.QNAME.fullmatch(name):
                yield name

    def _scan(self, pattern: str) -> Iterator[str]:
        """The keys of this namespace that match."""
        try:
            prefix = _literal(f"{self.keys.ns}:")
            for key in self.redis.scan_iter(match=prefix + pattern, count=SCAN_STEP):
                yield decode.text(key) if isinstance(key, bytes) else key
        except driver.NoPermissionError as error:
            raise QueueError(f"{SCAN_REFUSED} ({error})") from error
        except AWAY as error:
            raise refusals.unanswered(error) from error


def _literal(text: str) -> str:
    """``text`` in a pattern of Redis, where brackets and the like have a meaning."""
    return "".join(f"\\{character}" if character in "*?[]\\^" else character for character in text)
