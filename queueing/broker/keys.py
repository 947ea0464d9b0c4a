"""Every Redis key, as a function, with its Redis type.

The first group is RSMQ's and fixed by it. The rest is ours: an RSMQ queue name holds no ``:``, so
``{ns}:{queue}:<anything but Q>`` and ``{ns}::<name>`` can never be a key of an RSMQ program.
"""

#: The Redis type of a key that belongs to one queue, by the part behind the queue's name.
QUEUE_TYPES = {
    "Q": "hash",
    "ends": "hash",
    "leases": "zset",
    "headers": "hash",
    "progress": "hash",
    "metrics": "hash",
    "waking": "zset",
}
#: The same of a key of the namespace, by the part behind the empty segment.
NAMESPACE_TYPES = {
    "held": "hash",
    "outbox": "stream",
    "outbox:stats": "hash",
    "unrecorded": "hash",
    "task_queues": "set",
    "recorder": "string",
    "owner": "string",
    "never": "hash",
    "workers": "hash",
    "workers:quiet": "hash",
    "sampled": "string",
    "schedules": "hash",
}
#: Beginnings of keys that hold a string each.
STRINGS = ("sender:", "hits:")


class Keys:
    """The key names of one namespace (``rsmq`` unless told otherwise)."""

    def __init__(self, ns: str) -> None:
        self.ns = ns

    # --- all of them --------------------------------------------------------------------------

    def of_namespace(self) -> list[str]:
        """The keys that do not belong to one queue and have a fixed name."""
        return [self.queues(), *(f"{self.ns}::{name}" for name in NAMESPACE_TYPES)]

    def all_of_queue(self, queue: str) -> list[str]:
        """The keys of one queue."""
        return [self.schedule(queue), *(f"{self.ns}:{queue}:{part}" for part in QUEUE_TYPES)]

    def beside(self, queue: str) -> list[str]:
        """Those of them that no RSMQ program knows."""
        return [f"{self.ns}:{queue}:{part}" for part in QUEUE_TYPES if part != "Q"]

    def type_of(self, key: str) -> str:
        """The Redis type that a key of this namespace should have, empty if any is right."""
        rest = key.removeprefix(f"{self.ns}:")
        if rest.startswith(":"):
            own = rest[1:]
            return "string" if own.startswith(STRINGS) else NAMESPACE_TYPES.get(own, "")
        if rest == "QUEUES":
            return "set"
        if ":once:" in rest:
            return "string"
        # The name of a foreign program's queue may have colons.
        return QUEUE_TYPES.get(rest.rpartition(":")[2], "zset") if ":" in rest else "zset"

    # --- RSMQ's own ---------------------------------------------------------------------------

    def queues(self) -> str:
        """SET of queue names: an index for listing, not the authority on existence."""
        return f"{self.ns}:QUEUES"

    def attributes(self, queue: str) -> str:
        """HASH of attributes, counters and every body with its ``:rc`` and ``:fr``."""
        return f"{self.ns}:{queue}:Q"

    def schedule(self, queue: str) -> str:
        """ZSET: message id -> the ms epoch at which it may next be received."""
        return f"{self.ns}:{queue}"

    def channel(self, queue: str) -> str:
        """PUB/SUB channel: the queue's ZCARD after each send."""
        return f"{self.ns}:rt:{queue}"

    # --- ours, beside a queue -----------------------------------------------------------------

    def ends(self, queue: str) -> str:
        """HASH: message id -> "failed crashed released", only for ids that were delivered before.

        Behind these, while a worker has it: the ms epoch at which it was claimed.
        """
        return f"{self.ns}:{queue}:ends"

    def leases(self, queue: str) -> str:
        """ZSET: lane -> the ms epoch at which its lease ends (see ``held``)."""
        return f"{self.ns}:{queue}:leases"

    def headers(self, queue: str) -> str:
        """HASH: message id -> JSON of the headers, only for messages that have some.

        That of a message with a priority (1 to 100) begins with ``p<priority>`` and a blank.
        """
        return f"{self.ns}:{queue}:headers"

    def progress(self, queue: str) -> str:
        """HASH: message id -> "<rc> <fraction> <note>" of a run that has told how far it is."""
        return f"{self.ns}:{queue}:progress"

    def metrics(self, queue: str) -> str:
        """HASH of what was counted and seen by the minute and longer (see ``lua/lib/metrics.lua``)."""
        return f"{self.ns}:{queue}:metrics"

    def waking(self, queue: str) -> str:
        """ZSET: id of a message with a priority that is not due yet -> the ms epoch at which it is."""
        return f"{self.ns}:{queue}:waking"

    def deduplication(self, queue: str, deduplication_id: str) -> str:
        """STRING with a TTL: the id of the message that was sent with this deduplication id."""
        return f"{self.ns}:{queue}:once:{deduplication_id}"

    def of_queue(self, queue: str, dead: str) -> list[str]:
        """The keys of a queue and of its dead-letter queue, in the order of ``lua/lib/queue.lua``."""
        return [
            self.attributes(queue),
            self.schedule(queue),
            self.ends(queue),
            self.headers(queue),
            self.attributes(dead),
            self.schedule(dead),
            self.headers(dead),
            self.queues(),
        ]

    def of_waking(self, queue: str, dead: str) -> list[str]:
        """The same, and the messages with a priority that are not due yet."""
        return [*self.of_queue(queue, dead), self.waking(queue)]

    def of_lanes(self, queue: str, dead: str) -> list[str]:
        """The keys of a queue, and of what workers hold of it."""
        return [*self.of_queue(queue, dead), self.leases(queue), self.held()]

    def of_sample(self, queue: str, dead: str) -> list[str]:
        """The same, and what is kept of its past."""
        return [*self.of_lanes(queue, dead), self.metrics(queue)]

    def of_whole_queue(self, queue: str, dead: str) -> list[str]:
        """The same, and all other keys beside a queue."""
        return [*self.of_sample(queue, dead), self.progress(queue), self.waking(queue)]

    def of_room(self, queue: str, dead: str) -> list[str]:
        """The keys of ``lua/lib/room.lua``, in its order."""
        return [
            *self.of_lanes(queue, dead),
            self.outbox(),
            self.outbox_stats(),
            self.progress(queue),
            self.metrics(queue),
            self.unrecorded(),
            self.waking(queue),
        ]

    # --- ours, per namespace ------------------------------------------------------------------

    def never(self) -> str:
        """A key that is never there: a write to it proves that Redis takes writes."""
        return f"{self.ns}::never"

    def held(self) -> str:
        """HASH: lane (``<child> <queue>``) -> JSON of what that child holds of that queue."""
        return f"{self.ns}::held"

    def sender(self, token: str) -> str:
        """STRING with a TTL: "<last number> <first µs>" of one sender, to recognise its repeats."""
        return f"{self.ns}::sender:{token}"

    def outbox(self) -> str:
        """STREAM of outcomes on their way to the database, one entry per batch."""
        return f"{self.ns}::outbox"

    def outbox_stats(self) -> str:
        """HASH: ``bytes`` that wait in the outbox; ``lost`` outcomes, and how many are ``acknowledged``."""
        return f"{self.ns}::outbox:stats"

    def unrecorded(self) -> str:
        """HASH: id of a task's message -> the outbox entries with its outcomes, until they are recorded."""
        return f"{self.ns}::unrecorded"

    def task_queues(self) -> str:
        """SET of the names of queues to which tasks were sent."""
        return f"{self.ns}::task_queues"

    def recorder(self) -> str:
        """STRING with a TTL: the recorder that drains the outbox now."""
        return f"{self.ns}::recorder"

    def owner(self) -> str:
        """STRING: identity of the database into which the outbox is recorded."""
        return f"{self.ns}::owner"

    def workers(self) -> str:
        """HASH: worker name, "#" and six digits of its life -> "<ms of last heartbeat> <JSON>"."""
        return f"{self.ns}::workers"

    def quiet_workers(self) -> str:
        """HASH: the same field -> token of the life in which it was told to claim nothing."""
        return f"{self.ns}::workers:quiet"

    def sampled(self) -> str:
        """STRING with a TTL: the minute in which somebody has noted how the queues stand."""
        return f"{self.ns}::sampled"

    def schedules(self) -> str:
        """HASH: name of a schedule -> JSON of what is known of it (``lua/lib/schedules.lua``)."""
        return f"{self.ns}::schedules"

    def hits(self, counted: str) -> str:
        """STRING with a TTL: how often something happened in the current window."""
        return f"{self.ns}::hits:{counted}"


def dead_letter_queue(queue: str) -> str:
    """The name of the ordinary queue that keeps the dead letters of ``queue``."""
    return f"{queue}-dead"


def low_priority_queue(queue: str) -> str:
    """The name of the sibling of a queue of tasks for those with a priority below 0.

    RSMQ's layout can put a message before others, but none behind those that are sent later.
    """
    return f"{queue}-low"


def is_dead_letter_queue(queue: str) -> bool:
    """Whether ``queue`` keeps the dead letters of another."""
    return queue.endswith("-dead")
