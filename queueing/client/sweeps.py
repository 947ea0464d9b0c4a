"""The sweeper: what no message owns any more is deleted, and what policies say is carried out.

It works in bounded steps, and two at once do no harm. Workers run it now and then for the queues they
take; ``manage.py queues sweep`` runs it for all.
"""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

from queueing.broker import decode, rsmq_values
from queueing.exceptions import QueueNotFound
from queueing.messages import Swept

from .queues import Queues

logger = logging.getLogger("queueing")

#: Entries per step.
STEP = 200
#: The end of the name of a key that is set aside.
ASIDE = ":unreadable"
#: The last part of each key that we keep beside a queue.
KINDS_BESIDE = {"ends", "headers", "leases", "metrics", "progress", "waking"}


class Sweeps(Queues):
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
        qname = rsmq_values.qname(qname)
        yield Swept(mended=len(self.mend_keys(qname)))
        with suppress(QueueNotFound):
            yield from self._sweep_schedule(qname)
        for which in ("attributes", "ends", "headers"):
            yield from self._sweep_fields(qname, which)

    def mend_keys(self, qname: str = "") -> dict[str, str]:
        """Set aside the keys of this package that have another type than they should: old name -> new name.

        Those of the namespace, and those beside this queue. A key ``x`` is kept as ``x:unreadable``.
        """
        keys = self.keys.of_namespace()
        if qname:
            keys += [*self.keys.beside(qname), self.keys.headers(self.dead_letter_queue(qname))]
        mended = self._set_aside(keys)
        if self.keys.queues() in mended:
            self._list_again()
        return mended

    def mend_queue(self, qname: str) -> dict[str, str]:
        """The same with the keys that RSMQ gave the queue: only a person may decide that.

        After the schedule was lost, each message is due at its place of sending, and one that a worker holds
        within a minute. After the attributes were lost, the queue is gone.
        """
        schedule = self.keys.schedule(qname)
        mended = self._set_aside([schedule, self.keys.attributes(qname)])
        cursor = b"0" if schedule in mended else b""
        while cursor:
            cursor, _ = self.scripts.run("reschedule", self._lane_keys(qname), cursor, STEP)
            cursor = b"" if cursor == b"0" else cursor
        return mended

    def _set_aside(self, keys: Sequence[str]) -> dict[str, str]:
        """Rename the keys that have another type than they should: old name -> new name."""
        # A name that is taken already, because this is not the first time, gets a longer one.
        longer = f"{ASIDE}-{secrets.token_hex(4)}"
        names = [name for key in keys for name in (key, key + ASIDE, key + longer)]
        found = self.scripts.run("mend", names, *map(self.keys.type_of, keys))
        texts = list(map(decode.text, found))
        mended = dict(zip(texts[::2], texts[1::2], strict=True))
        for key, place in mended.items():
            logger.warning("%s was not a %s; it is kept as %s", key, self.keys.type_of(key), place)
        return mended

    def _list_again(self) -> None:
        """Put the queues that exist back into the index of all queues."""
        for name in self.find_queues():
            if rsmq_values.QNAME.fullmatch(name):
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
        for rest in self._scan("*:*"):
            name, _, kind = rest.rpartition(":")
            if kind in KINDS_BESIDE and rsmq_values.QNAME.fullmatch(name):
                yield name
