"""The name and type of every Redis key.

RSMQ defines the first group of keys. The other keys belong to this package. RSMQ's queue names contain no
``:``, so keys such as ``{ns}:{queue}:<anything but Q>`` and ``{ns}::<name>`` never collide with those of
RSMQ.
"""

#: The number of the layout of all keys below. It grows when an older release could not work with the keys of
#: this one.
FORMAT = 1
#: Redis types of the keys of one queue, by the part after the queue's name.
QUEUE_TYPES = {
    "Q": "hash",
    "ends": "hash",
    "leases": "zset",
    "headers": "hash",
    "progress": "hash",
    "metrics": "hash",
    "waking": "zset",
    "unique": "hash",
    "line": "zset",
}
#: Redis types of the keys of a namespace, by the part after ``::``.
NAMESPACE_TYPES = {
    "held": "hash",
    "outbox": "stream",
    "outbox:stats": "hash",
    "unrecorded": "hash",
    "task_queues": "set",
    "recorder": "string",
    "relay": "string",
    "owner": "string",
    "served": "hash",
    "idle": "zset",
    "hints": "zset",
    "never": "hash",
    "format": "string",
    "workers": "hash",
    "workers:quiet": "hash",
    "sampled": "string",
    "schedules": "hash",
    "batches": "hash",
    "batches:order": "zset",
    "batches:failed": "zset",
    "batches:opening": "zset",
    "follow_ups": "hash",
    "slots": "zset",
    "rates": "zset",
    "waits": "zset",
}
#: Prefixes of the keys of a namespace that are strings.
STRINGS = ("sender:", "hits:")


class Keys:
    """The key names of the namespace ``ns``."""

    def __init__(self, ns: str) -> None:
        self.ns = ns

    # --- lists of keys ------------------------------------------------------------------------

    def of_namespace(self) -> list[str]:
        """The keys with a fixed name, which do not belong to one queue."""
        return [self.queues(), *(f"{self.ns}::{name}" for name in NAMESPACE_TYPES)]

    def all_of_queue(self, queue: str) -> list[str]:
        """All keys of one queue."""
        return [self.schedule(queue), *(f"{self.ns}:{queue}:{part}" for part in QUEUE_TYPES)]

    def beside(self, queue: str) -> list[str]:
        """The keys of one queue that RSMQ does not have."""
        return [f"{self.ns}:{queue}:{part}" for part in QUEUE_TYPES if part != "Q"]

    def type_of(self, key: str) -> str:
        """The Redis type that a key of this namespace must have, ``""`` if any type is allowed."""
        rest = key.removeprefix(f"{self.ns}:")
        if rest.startswith(":"):
            own = rest[1:]
            return "string" if own.startswith(STRINGS) else NAMESPACE_TYPES.get(own, "")
        if rest == "QUEUES":
            return "set"
        if ":once:" in rest:
            return "string"
        # The queue name of another program may contain colons.
        return QUEUE_TYPES.get(rest.rpartition(":")[2], "zset") if ":" in rest else "zset"

    # --- RSMQ's own ---------------------------------------------------------------------------

    def queues(self) -> str:
        """SET of queue names: an index for lists. A queue exists if it has attributes."""
        return f"{self.ns}:QUEUES"

    def attributes(self, queue: str) -> str:
        """HASH of attributes, counters and, for each message, its body, ``:rc`` and ``:fr``."""
        return f"{self.ns}:{queue}:Q"

    def schedule(self, queue: str) -> str:
        """ZSET: message id -> ms since 1970 from which it may be received."""
        return f"{self.ns}:{queue}"

    def channel(self, queue: str) -> str:
        """PUB/SUB channel: receives the number of messages (ZCARD) after each send."""
        return f"{self.ns}:rt:{queue}"

    def ended(self, id: str) -> str:
        """PUB/SUB channel: receives an empty message after each delivery of a task has ended."""
        return f"{self.ns}:rt:{id}"

    def channel_of_child(self, child: str) -> str:
        """PUB/SUB channel of one child: the queue for which an idle child is woken."""
        return f"{self.ns}:rt::{child}"

    # --- beyond RSMQ, per queue ---------------------------------------------------------------

    def ends(self, queue: str) -> str:
        """HASH: message id -> "failed crashed released", only for messages that were delivered before.

        While a worker holds the message, the ms since 1970 of its claim follow as a fourth number.
        """
        return f"{self.ns}:{queue}:ends"

    def leases(self, queue: str) -> str:
        """ZSET: lane -> ms since 1970 at which its lease ends (see ``held``)."""
        return f"{self.ns}:{queue}:leases"

    def headers(self, queue: str) -> str:
        """HASH: message id -> JSON of the headers, only for messages with headers or a priority.

        For a message with a priority (1 to 100) the value begins with ``p<priority>`` and a space.
        """
        return f"{self.ns}:{queue}:headers"

    def progress(self, queue: str) -> str:
        """HASH: message id -> "<rc> <fraction> <note>", the progress that its present run has reported."""
        return f"{self.ns}:{queue}:progress"

    def metrics(self, queue: str) -> str:
        """HASH of counters and samples, per minute and per longer spans (see ``lua/lib/metrics.lua``)."""
        return f"{self.ns}:{queue}:metrics"

    def waking(self, queue: str) -> str:
        """ZSET: id of a message with a priority that is not due yet -> ms since 1970 at which it is due."""
        return f"{self.ns}:{queue}:waking"

    def line(self, queue: str) -> str:
        """ZSET: key, priority and id of each message that waits for a limit (see ``lua/lib/limits.lua``)."""
        return f"{self.ns}:{queue}:line"

    def deduplication(self, queue: str, deduplication_id: str) -> str:
        """STRING with a TTL: the id of the message that was sent with this deduplication id."""
        return f"{self.ns}:{queue}:once:{deduplication_id}"

    def unique(self, queue: str) -> str:
        """HASH: digest of a key -> id of a message, and id -> its record (see ``lua/lib/unique.lua``)."""
        return f"{self.ns}:{queue}:unique"

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

    def of_lanes(self, queue: str, dead: str) -> list[str]:
        """The keys of ``of_queue``, then ``leases`` and ``held``."""
        return [*self.of_queue(queue, dead), self.leases(queue), self.held()]

    def of_sample(self, queue: str, dead: str) -> list[str]:
        """The keys of ``of_lanes``, then ``metrics``."""
        return [*self.of_lanes(queue, dead), self.metrics(queue)]

    def of_whole_queue(self, queue: str, dead: str) -> list[str]:
        """The keys of ``lua/lib/drop_lanes.lua``, in its order."""
        beside = [self.progress(queue), self.waking(queue), self.unique(queue), self.line(queue)]
        return [*self.of_sample(queue, dead), *beside, self.slots(), *self.of_batches()]

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
            *self.of_idle(),
            *self.of_batches(),
            self.unique(queue),
            *self.of_limits(queue),
        ]

    def of_receive(self, queue: str, dead: str) -> list[str]:
        """The keys of ``of_queue``, then ``waking``, ``of_batches`` and ``unique``."""
        return [*self.of_queue(queue, dead), self.waking(queue), *self.of_batches(), self.unique(queue)]

    def of_removal(self, queue: str, dead: str) -> list[str]:
        """The keys of ``of_lanes``, then ``of_batches``."""
        return [*self.of_lanes(queue, dead), *self.of_batches()]

    def of_batches(self) -> list[str]:
        """The keys of ``lua/lib/members.lua``, in its order."""
        return [self.batches(), self.batch_order(), self.failed_members(), self.follow_ups()]

    def of_limits(self, queue: str) -> list[str]:
        """The keys of ``lua/lib/limits.lua``, in its order."""
        return [self.slots(), self.rates(), self.line(queue), self.waits()]

    def of_idle(self) -> list[str]:
        """The keys of ``lua/lib/idle.lua``, in its order."""
        return [self.served(), self.idle(), self.hints()]

    # --- beyond RSMQ, per namespace -----------------------------------------------------------

    def never(self) -> str:
        """A key that never exists: a write to it proves that Redis accepts writes."""
        return f"{self.ns}::never"

    def held(self) -> str:
        """HASH: lane (``<child> <queue>``) -> JSON of the messages that the child holds of the queue."""
        return f"{self.ns}::held"

    def served(self) -> str:
        """HASH: queue -> numbers of the sets of served queues that contain it (see ``lua/lib/idle.lua``)."""
        return f"{self.ns}::served"

    def idle(self) -> str:
        """ZSET: channel of an idle child -> its place among those of its set."""
        return f"{self.ns}::idle"

    def hints(self) -> str:
        """ZSET: number of a set and queue -> since when a message waits that found no idle child."""
        return f"{self.ns}::hints"

    def sender(self, token: str) -> str:
        """STRING with a TTL: "<last number> <first µs>" of one sender, to recognise its repeats."""
        return f"{self.ns}::sender:{token}"

    def outbox(self) -> str:
        """STREAM of outcomes on their way to the database, one entry per batch."""
        return f"{self.ns}::outbox"

    def outbox_stats(self) -> str:
        """HASH: ``bytes`` in the outbox, ``lost`` outcomes, and how many of these are ``acknowledged``."""
        return f"{self.ns}::outbox:stats"

    def unrecorded(self) -> str:
        """HASH: id of a task's message -> the outbox entries with its outcomes, until they are recorded."""
        return f"{self.ns}::unrecorded"

    def task_queues(self) -> str:
        """SET of the names of queues to which tasks were sent."""
        return f"{self.ns}::task_queues"

    def recorder(self) -> str:
        """STRING with a TTL: the name of the recorder that drains the outbox now."""
        return f"{self.ns}::recorder"

    def format(self) -> str:
        """STRING: the newest format of keys (``FORMAT``) of all workers that have run in the namespace."""
        return f"{self.ns}::format"

    def relay(self) -> str:
        """STRING with a TTL: the relay that sends staged messages now."""
        return f"{self.ns}::relay"

    def owner(self) -> str:
        """STRING: identity of the database to which the outcomes are written."""
        return f"{self.ns}::owner"

    def workers(self) -> str:
        """HASH: worker name, "#" and six digits per start -> "<ms of last heartbeat> <JSON>"."""
        return f"{self.ns}::workers"

    def quiet_workers(self) -> str:
        """HASH: field in ``workers`` -> token of the worker's start, if the worker must stop claiming."""
        return f"{self.ns}::workers:quiet"

    def sampled(self) -> str:
        """STRING with a TTL: the last minute in which a worker sampled the queues."""
        return f"{self.ns}::sampled"

    def schedules(self) -> str:
        """HASH: name of a schedule -> JSON of its state (see ``lua/lib/schedules.lua``)."""
        return f"{self.ns}::schedules"

    def batches(self) -> str:
        """HASH: id of a batch -> JSON, and its counts (see ``lua/lib/members.lua``)."""
        return f"{self.ns}::batches"

    def batch_order(self) -> str:
        """ZSET: id of a batch -> ms since 1970 of its beginning, then of its end."""
        return f"{self.ns}::batches:order"

    def failed_members(self) -> str:
        """ZSET: "<batch> <member>", with equal scores, for members that have failed."""
        return f"{self.ns}::batches:failed"

    def opening_batches(self) -> str:
        """ZSET: id of a batch whose members are being sent -> ms since 1970 of its sender's last call."""
        return f"{self.ns}::batches:opening"

    def follow_ups(self) -> str:
        """HASH: id of a message that a settled one has brought about -> JSON of it, until it is sent."""
        return f"{self.ns}::follow_ups"

    def slots(self) -> str:
        """ZSET: key, id and receive count of each running message with a limit of concurrency."""
        return f"{self.ns}::slots"

    def rates(self) -> str:
        """ZSET: key of a limit -> µs since 1970 from which its next message may start."""
        return f"{self.ns}::rates"

    def waits(self) -> str:
        """ZSET: key of a limit and queue whose messages wait for its slots (see ``lua/lib/limits.lua``)."""
        return f"{self.ns}::waits"

    def hits(self, counted: str) -> str:
        """STRING with a TTL: the count of a rate limit in the current window."""
        return f"{self.ns}::hits:{counted}"


#: The end of the name of a queue for low priorities.
LOW_PRIORITY = "-low"


def dead_letter_queue(queue: str) -> str:
    """The name of the ordinary queue that keeps the dead letters of ``queue``."""
    return f"{queue}-dead"


def low_priority_queue(queue: str) -> str:
    """The name of the sibling queue that takes the tasks of ``queue`` with a priority below 0.

    RSMQ's layout can place a message before others, but not behind messages that are sent later.
    """
    return queue + LOW_PRIORITY


def is_dead_letter_queue(queue: str) -> bool:
    """Whether ``queue`` keeps the dead letters of another."""
    return queue.endswith("-dead")
