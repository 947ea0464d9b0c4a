"""Invariants that hold after any fault, checked against the data of handlers, Redis and database.

The handlers' ledger shows which runs there were. The append-only file of Redis shows which messages there
were and how each delivery ended. Redis shows which messages and keys are left.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

from queueing.broker.outcomes import Outcome
from queueing.client import QueueClient
from queueing.monitoring.store import totals

from .chronicle import KEYS, Chronicle
from .ledger import Ledger

#: Outcomes that settle a receipt. A refused settle (``lease lost``, ``gone``) settles nothing.
ENDS = {"done", "dead", "cancelled"}
SETTLED = ENDS | {"retrying", "released", "abandoned"}
#: Fields of a queue that do not belong to a message.
OF_THE_QUEUE = {
    *("vt", "delay", "maxsize", "created", "modified", "totalsent", "totalrecv"),
    *("paused", "max_receive_count", "dead_letter_queue", "retention"),
}
#: Hashes with a field for some messages of a queue, and the other keys of a queue.
BY_MESSAGE = (KEYS.ends, KEYS.headers, KEYS.progress)
BESIDE = (KEYS.attributes, KEYS.schedule, KEYS.leases, KEYS.metrics, KEYS.waking, KEYS.unique, KEYS.line)
#: Keys that remain when all queues are drained. Other remaining keys expire.
PERMANENT = {
    *(KEYS.queues(), KEYS.held(), KEYS.outbox(), KEYS.outbox_stats(), KEYS.owner(), KEYS.unrecorded()),
    *(KEYS.workers(), KEYS.quiet_workers(), KEYS.schedules(), KEYS.format()),
    *KEYS.of_idle(),
    *KEYS.of_batches(),
    *(KEYS.slots(), KEYS.rates(), KEYS.waits()),
}
#: The number of examples in an error.
SHOWN = 5


class Remembers(Protocol):
    """A database with the history of a worker."""

    def last_outcomes(self) -> dict[tuple[str, str], tuple[int, str]]: ...


class Invariants:
    """The checker of all fault tests. Report facts that only the test knows, then call ``check``."""

    def __init__(self, client: QueueClient, ledger: Ledger, chronicle: Chronicle) -> None:
        self.client, self.ledger, self.chronicle = client, ledger, chronicle
        self._acknowledged: dict[str, set[str]] = defaultdict(set)
        self._excused: set[str] = set()
        self._receipts_elsewhere: set[tuple[str, int]] = set()
        self.is_off = ""

    # --- what only the test knows -------------------------------------------------------------

    def sent(self, queue: str, ids: Iterable[str]) -> None:
        """Report acknowledged sends."""
        self._acknowledged[queue].update(ids)

    def taken_elsewhere(self, id: str, rc: int) -> None:
        """Report that another program received this message, and deleted it or may have deleted it."""
        self._excused.add(id)
        self._receipts_elsewhere.add((id, rc))

    def removed(self, ids: Iterable[str]) -> None:
        """Report messages that the test deleted or purged, or that Redis was made to lose."""
        self._excused.update(ids)

    def do_not_hold(self, reason: str) -> None:
        """Switch the checker off: the test removes the data that it needs, and has its own checks."""
        self.is_off = reason

    # --- the check ----------------------------------------------------------------------------

    def check(
        self, *, faults: int | None = None, drained: Iterable[str] = (), diary: Remembers | None = None
    ) -> None:
        """Fail with a list of all violations.

        ``faults`` is the maximal number of faults that may have cost a run. In ``drained`` queues the
        counters are checked, too. The rows of a ``diary`` must match Redis.
        """
        self._outcomes = self.chronicle.outcomes()
        self._scheduled = self.chronicle.scheduled()
        self._ends = {(o.queue, o.id): o for o in self._outcomes if o.event in ENDS}
        problems = [
            *self._lost(),
            *self._settled_twice(),
            *self._run_without_reason(faults),
            *self._done_without_run(),
            *self._without_owner(),
        ]
        for queue in drained:
            problems += self._miscounted(queue)
        if diary is not None:
            problems += self._misremembered(diary)
        assert not problems, "\n".join(problems)

    def _lost(self) -> Iterator[str]:
        """Every acknowledged send ends in done, dead or still queued. An ended message is not queued."""
        queues = set(self._acknowledged) | {o.queue for o in self._outcomes}
        for queue in queues:
            sent = self._acknowledged[queue] | self._scheduled[queue]
            ended = {id for of, id in self._ends if of == queue}
            queued = self._queued(queue)
            yield from _each(f"{queue}: lost", sent - ended - queued - self._excused)
            yield from _each(f"{queue}: ended and still queued", ended & queued)
            yield from _each(
                f"{queue}: acknowledged, never queued", self._acknowledged[queue] - self._scheduled[queue]
            )

    def _settled_twice(self) -> Iterator[str]:
        """A receipt has at most one settled outcome, a message at most one end, and no outcome follows that
        end.
        """
        settled = Counter((o.queue, o.id, o.rc) for o in self._outcomes if o.event in SETTLED)
        ends = Counter((o.queue, o.id) for o in self._outcomes if o.event in ENDS)
        yield from _each("settled twice", (key for key, count in settled.items() if count > 1))
        yield from _each("ended twice", (key for key, count in ends.items() if count > 1))
        after = ((o.queue, o.id, o.rc, o.event) for o in self._outcomes if self._is_after_its_end(o))
        yield from _each("settled after its end", after)

    def _is_after_its_end(self, outcome: Outcome) -> bool:
        end = self._ends.get((outcome.queue, outcome.id))
        return end is not None and outcome.event in SETTLED and outcome.rc > end.rc

    def _run_without_reason(self, faults: int | None) -> Iterator[str]:
        """Runs of one message <= 1 + its retries + faults that touched it, each with an outcome."""
        told: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for outcome in self._outcomes:
            told[outcome.id][outcome.rc].add(outcome.event)
        started: dict[str, list[int]] = defaultdict(list)
        for entry in self.ledger.entries("start"):
            started[entry.message_id].append(entry.rc)
        for id, receipts in started.items():
            if len(receipts) != len(set(receipts)):
                yield f"{id}: one receipt ran twice: {receipts}"
            untold = [rc for rc in sorted(receipts)[:-1] if rc not in told[id]]
            if untold and id not in self._excused:
                yield f"{id}: ran again, and nothing tells why: {receipts}, told {dict(told[id])}"
            retries = sum("retrying" in told[id][rc] for rc in receipts)
            if faults is not None and len(receipts) > 1 + retries + faults:
                yield f"{id}: {len(receipts)} runs, {retries} retries, {faults} faults"

    def _done_without_run(self) -> Iterator[str]:
        """A message that is done has run to its end, according to the handlers' ledger."""
        ended = {(entry.message_id, entry.rc) for entry in self.ledger.entries("end")}
        done = {(o.id, o.rc) for o in self._outcomes if o.event == "done"}
        yield from _each("done, but never ran to its end", done - ended)

    def _miscounted(self, queue: str) -> Iterator[str]:
        """The counters of a drained queue match all sends and receives."""
        attributes = self.client.get_queue_attributes(queue)
        if attributes.msgs:
            yield f"{queue}: {attributes.msgs} messages are left"
        if attributes.totalsent != len(self._scheduled[queue]):
            yield f"{queue}: totalsent {attributes.totalsent}, there were {len(self._scheduled[queue])}"
        last: dict[str, int] = defaultdict(int)
        receipts = {(o.id, o.rc) for o in self._outcomes if o.queue == queue}
        for id, rc in receipts | self._receipts_elsewhere:
            if id in self._scheduled[queue]:
                last[id] = max(last[id], rc)
        ended = sum(last.values())
        # If another program deleted a message, its last delivery may have no outcome.
        unsure = len(self._excused & self._scheduled[queue])
        if not ended <= attributes.totalrecv <= ended + unsure:
            yield f"{queue}: totalrecv {attributes.totalrecv}, {ended} deliveries have ended"
        words = Counter(o.event for o in self._outcomes if o.queue == queue)
        counted = totals(self.client, [queue])[queue].words
        if words != Counter({word: count for word, count in counted.items() if count}):
            yield f"{queue}: counted {dict(counted)}, there were {dict(words)}"
        if self._running(queue):
            yield f"{queue}: drained, and still held: {self._running(queue)}"

    def _misremembered(self, diary: Remembers) -> Iterator[str]:
        """The database has the last outcome of each message that was in Redis."""
        last: dict[tuple[str, str], tuple[int, str]] = {}
        for o in self._outcomes:
            if (o.queue, o.id) not in last or o.rc > last[o.queue, o.id][0]:
                last[o.queue, o.id] = (o.rc, o.event)
        kept = diary.last_outcomes()
        yield from _each("not remembered", last.keys() - kept.keys())
        yield from _each("remembered, never written", kept.keys() - last.keys())
        for key in last.keys() & kept.keys():
            if last[key] != kept[key]:
                yield f"{key}: remembered as {kept[key]}, was {last[key]}"

    # --- what is left in Redis ----------------------------------------------------------------

    def _without_owner(self) -> Iterator[str]:
        """Every key and every field of a hash has an owner."""
        redis = self.client.redis
        queues = {name.decode() for name in redis.smembers(KEYS.queues())}
        allowed = set(PERMANENT)
        for queue in queues:
            allowed |= {key(queue) for key in (*BY_MESSAGE, *BESIDE)}
            yield from self._fields_without_owner(queue)
        for key in redis.scan_iter(match="rsmq:*", count=1000):
            if key.decode() not in allowed and redis.ttl(key) == -1:
                yield f"nobody owns the key {key.decode()}"
        yield from self._lanes_without_lease(queues)
        yield from self._slots_without_lane()

    def _fields_without_owner(self, queue: str) -> Iterator[str]:
        redis, messages = self.client.redis, self._queued_bytes(queue)
        fields = set(redis.hkeys(KEYS.attributes(queue)))
        owners = {field.removesuffix(b":rc").removesuffix(b":fr") for field in fields}
        of_queue = {name.encode() for name in OF_THE_QUEUE}
        yield from _each(f"{queue}: fields without a message", owners - messages - of_queue)
        yield from _each(f"{queue}: messages without a body", messages - fields)
        for key in (of(queue) for of in BY_MESSAGE):
            yield from _each(f"{key}: fields without a message", set(redis.hkeys(key)) - messages)
        ids = {
            value if field.startswith(b"k:") else field
            for field, value in redis.hgetall(KEYS.unique(queue)).items()
        }
        yield from _each(f"{KEYS.unique(queue)}: no such message", ids - messages)
        waking = set(redis.zrange(KEYS.waking(queue), 0, -1))
        yield from _each(f"{KEYS.waking(queue)}: no such message", waking - messages)

    def _lanes_without_lease(self, queues: set[str]) -> Iterator[str]:
        """Each held lane has a lease, because the messages of a dead child are given back when its lease
        ends.
        """
        leased = {lane for queue in queues for lane in self.client.redis.zrange(KEYS.leases(queue), 0, -1)}
        held = set(self.client.redis.hkeys(KEYS.held()))
        yield from _each("held without a lease", held - leased)
        yield from _each("a lease on nothing", leased - held)

    def _slots_without_lane(self) -> Iterator[str]:
        """Each slot of a limit belongs to a message that a lane holds, and the reverse."""
        lanes = [json.loads(text) for text in self.client.redis.hvals(KEYS.held())]
        held = {slot for lane in lanes for slots in lane.get("slots", {}).values() for slot in slots}
        kept = {slot.decode() for slot in self.client.redis.zrange(KEYS.slots(), 0, -1)}
        yield from _each("slots without a message", kept - held)
        yield from _each("messages without their slots", held - kept)
        stray = [id for lane in lanes for id in lane.get("slots", {}) if id not in lane["held"]]
        yield from _each("slots of messages that the lane does not hold", stray)

    def _queued(self, queue: str) -> set[str]:
        return {id.decode() for id in self._queued_bytes(queue)}

    def _queued_bytes(self, queue: str) -> set[bytes]:
        return set(self.client.redis.zrange(KEYS.schedule(queue), 0, -1))

    def _running(self, queue: str) -> int:
        figures = self.client.queue_figures([queue])
        return figures[0].running if figures else 0


def _each(what: str, found: Iterable[object]) -> Iterator[str]:
    """One line for all problems of a kind, nothing if there are none."""
    every = list(found)
    if every:
        yield f"{what}: {len(every)}, such as {every[:SHOWN]}"
