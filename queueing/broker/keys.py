"""The name and type of every Redis key.

RSMQ defines the first group of keys in ``Keys``, this package the others. RSMQ's queue names contain no
``:``, so keys such as ``{ns}:{queue}:<anything but Q>`` and ``{ns}::<name>`` never collide with RSMQ's keys.
"""

from functools import lru_cache

#: The version of the layout of all keys below. It is raised when an older release cannot work with the keys
#: of this release.
FORMAT = 1


def _types(**names: str) -> dict[str, str]:
    """A dict of names to Redis types. Each argument lists the names of one type: ``hash="Q ends"``."""
    return {name: kind for kind, listed in names.items() for name in listed.split()}


#: The Redis types of the keys of one queue, by the part of the key after the queue's name.
QUEUE_TYPES = _types(hash="Q ends headers progress metrics unique", zset="leases waking line")
#: The Redis types of the keys of a namespace, by the part of the key after ``::``.
NAMESPACE_TYPES = _types(
    hash="held outbox:stats unrecorded served never workers workers:quiet schedules batches follow_ups",
    zset="idle hints batches:order batches:failed batches:opening slots rates waits",
    string="recorder relay owner format sampled",
    set="task_queues",
    stream="outbox",
)
#: Keys of a namespace that begin with one of these prefixes (after ``::``) are strings.
STRINGS = ("sender:", "hits:")


class Keys:
    """The names of all keys in the namespace ``ns``."""

    def __init__(self, ns: str) -> None:
        self.ns = ns
        # Making these 28 names takes as long as 5 % of a call that deletes one message.
        self.of_room = lru_cache(maxsize=1024)(self._of_room)

    # --- lists of keys ------------------------------------------------------------------------

    def of_namespace(self) -> list[str]:
        """The keys that have a fixed name and belong to the whole namespace, not to one queue."""
        return [self.queues(), *(f"{self.ns}::{name}" for name in NAMESPACE_TYPES)]

    def all_of_queue(self, queue: str) -> list[str]:
        """All keys of one queue, except the keys for deduplication ids."""
        return [self.schedule(queue), *(f"{self.ns}:{queue}:{part}" for part in QUEUE_TYPES)]

    def beside(self, queue: str) -> list[str]:
        """The keys that this package adds to one queue, except the keys for deduplication ids."""
        return [f"{self.ns}:{queue}:{part}" for part in QUEUE_TYPES if part != "Q"]

    def type_of(self, key: str) -> str:
        """The Redis type that ``key`` must have, or ``""`` if any type is allowed."""
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
        """SET of queue names, for listing the queues. A queue exists if and only if it has attributes."""
        return f"{self.ns}:QUEUES"

    def attributes(self, queue: str) -> str:
        """HASH of the queue's attributes and counters, with up to three more fields for each message.

        They are ``<id>`` (body), ``<id>:rc`` (receive count), ``<id>:fr`` (first receive, ms since 1970).
        """
        return f"{self.ns}:{queue}:Q"

    def schedule(self, queue: str) -> str:
        """ZSET: message id -> ms since 1970 from which the message may be received.

        Due messages with a priority have lower scores, so that they are received first.
        """
        return f"{self.ns}:{queue}"

    def channel(self, queue: str) -> str:
        """PUB/SUB channel of one queue. After each send, the number of messages in the queue is published."""
        return f"{self.ns}:rt:{queue}"

    def ended(self, id: str) -> str:
        """PUB/SUB channel of one task. An empty message is published when a delivery of the task ends."""
        return f"{self.ns}:rt:{id}"

    def channel_of_child(self, child: str) -> str:
        """PUB/SUB channel of one child of a worker. The name of a queue is published to wake the child."""
        return f"{self.ns}:rt::{child}"

    # --- beyond RSMQ, per queue ---------------------------------------------------------------

    def ends(self, queue: str) -> str:
        """HASH: message id -> ``<failed> <crashed> <released>``, how many deliveries have ended in each way.

        A message gets its field after its first delivery. Up to four numbers may follow: ms since 1970 of
        the last claim, the crashes that ended a worker, the receives (counted as released) before a move, and
        the receives at a time when nobody held the message, if not all of them have ended.
        """
        return f"{self.ns}:{queue}:ends"

    def leases(self, queue: str) -> str:
        """ZSET: ``<child> <queue>`` -> ms since 1970 at which the lease of this child on this queue ends."""
        return f"{self.ns}:{queue}:leases"

    def headers(self, queue: str) -> str:
        """HASH: message id -> JSON of the headers, or ``p<priority> <JSON>`` if there is a priority."""
        return f"{self.ns}:{queue}:headers"

    def progress(self, queue: str) -> str:
        """HASH: message id -> ``<receive count> <fraction> <note>``, the progress (0 to 1) of a delivery."""
        return f"{self.ns}:{queue}:progress"

    def metrics(self, queue: str) -> str:
        """HASH of counters and samples, by minute and by longer periods (see ``lua/lib/metrics.lua``)."""
        return f"{self.ns}:{queue}:metrics"

    def waking(self, queue: str) -> str:
        """ZSET: message id -> ms since 1970 at which the next claim or receive checks the message.

        It has messages with a priority until they are due, and unique messages that wait for an earlier one.
        """
        return f"{self.ns}:{queue}:waking"

    def line(self, queue: str) -> str:
        """ZSET of the messages that wait for a limit, as ``<key of the limit> <100 - priority> <id>``."""
        return f"{self.ns}:{queue}:line"

    def deduplication(self, queue: str, deduplication_id: str) -> str:
        """STRING with a TTL: the id of the message that was sent with this deduplication id."""
        return f"{self.ns}:{queue}:once:{deduplication_id}"

    def unique(self, queue: str) -> str:
        """HASH of unique messages: ``k:<digest of a unique key>`` -> id of the newest message with that key.

        Further fields: message id -> ``<digest> <before> <after> <due time>``. The message waits for the end
        of ``<before>``, and ``<after>`` waits for the end of this message (see ``lua/lib/unique.lua``).
        """
        return f"{self.ns}:{queue}:unique"

    def of_queue(self, queue: str, dead: str) -> list[str]:
        """The eight keys of a queue and its dead-letter queue, in the order of ``lua/lib/queue.lua``."""
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
        """The keys of ``of_queue``, followed by ``leases`` and ``held``."""
        return [*self.of_queue(queue, dead), self.leases(queue), self.held()]

    def of_sample(self, queue: str, dead: str) -> list[str]:
        """The keys of ``of_lanes``, followed by ``metrics``."""
        return [*self.of_lanes(queue, dead), self.metrics(queue)]

    def _of_room(self, queue: str, dead: str) -> tuple[str, ...]:
        """The keys for ``lua/lib/keys.lua``, in the order that the file expects."""
        return (
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
            self.slots(),
            self.rates(),
            self.line(queue),
            self.waits(),
        )

    def of_batches(self) -> list[str]:
        """The keys for ``lua/lib/members.lua``, in the order that the file expects."""
        return [self.batches(), self.batch_order(), self.failed_members(), self.follow_ups()]

    def of_slots(self) -> list[str]:
        """The keys for ``lua/sweep_slots.lua``, in the order that the file expects."""
        return [self.slots(), self.held(), self.rates()]

    def of_idle(self) -> list[str]:
        """The keys for ``lua/lib/idle.lua``, in the order that the file expects."""
        return [self.served(), self.idle(), self.hints()]

    # --- beyond RSMQ, per namespace -----------------------------------------------------------

    def never(self) -> str:
        """A key that never exists. Scripts delete it, without effect, to check that Redis accepts writes."""
        return f"{self.ns}::never"

    def held(self) -> str:
        """HASH: ``<child> <queue>`` -> JSON of the lease: the messages of the queue that the child holds."""
        return f"{self.ns}::held"

    def served(self) -> str:
        """HASH: queue -> ids of the groups of workers that process its messages (see ``lua/lib/idle.lua``).

        A group is all workers that process the same list of queues. Further fields describe each group.
        """
        return f"{self.ns}::served"

    def idle(self) -> str:
        """ZSET: channel of an idle child process of a worker -> score.

        Each group of workers has a range of scores, and its child with the lowest score is woken first.
        """
        return f"{self.ns}::idle"

    def hints(self) -> str:
        """ZSET of the queues in which a message waits for an idle child process.

        Workers with the same queues are a group. A member is ``<id of the group> <queue>``. In each group,
        the queue that has waited longest has the lowest score.
        """
        return f"{self.ns}::hints"

    def sender(self, token: str) -> str:
        """STRING with a TTL: number and reply of a sender's last call, to recognise a repeat of the call."""
        return f"{self.ns}::sender:{token}"

    def outbox(self) -> str:
        """STREAM of outcomes that are not in the database yet. One entry has all outcomes of one script."""
        return f"{self.ns}::outbox"

    def outbox_stats(self) -> str:
        """HASH of the outbox: its ``bytes``, and its ``lost`` and ``acknowledged`` outcomes, among others."""
        return f"{self.ns}::outbox:stats"

    def unrecorded(self) -> str:
        """HASH: message id of a task -> ids of the outbox entries with its outcomes."""
        return f"{self.ns}::unrecorded"

    def task_queues(self) -> str:
        """SET of the names of queues to which tasks were sent."""
        return f"{self.ns}::task_queues"

    def recorder(self) -> str:
        """STRING with a TTL: the name of the recorder that moves outcomes to the database at the moment."""
        return f"{self.ns}::recorder"

    def format(self) -> str:
        """STRING: the newest version of the key layout that any worker in the namespace has used."""
        return f"{self.ns}::format"

    def relay(self) -> str:
        """STRING with a TTL: the name of the relay that sends the messages of transactions at the moment."""
        return f"{self.ns}::relay"

    def owner(self) -> str:
        """STRING: the identity of the database to which the outcomes are written."""
        return f"{self.ns}::owner"

    def workers(self) -> str:
        """HASH: ``<worker>#<token>`` -> ``<heartbeat> <JSON>``.

        ``<token>`` is the first six characters of a token that differs for each start of a worker.
        ``<heartbeat>`` is the time of the last heartbeat in ms since 1970. The JSON describes the worker.
        """
        return f"{self.ns}::workers"

    def quiet_workers(self) -> str:
        """HASH of workers that must not claim: field of the worker in ``workers`` -> its complete token."""
        return f"{self.ns}::workers:quiet"

    def sampled(self) -> str:
        """STRING with a TTL: the minute, counted from 1970, in which a worker last sampled the queues."""
        return f"{self.ns}::sampled"

    def schedules(self) -> str:
        """HASH: name of a schedule -> JSON of its state (see ``lua/lib/schedules.lua``)."""
        return f"{self.ns}::schedules"

    def batches(self) -> str:
        """HASH: id of a batch -> JSON, and fields for its counts and callbacks (``lua/lib/members.lua``)."""
        return f"{self.ns}::batches"

    def batch_order(self) -> str:
        """ZSET: id of a batch -> ms since 1970 at which it began or, if it has ended, at which it ended."""
        return f"{self.ns}::batches:order"

    def failed_members(self) -> str:
        """ZSET of the failed members of batches, as ``<batch> <member> <queue>``. All scores are equal."""
        return f"{self.ns}::batches:failed"

    def opening_batches(self) -> str:
        """ZSET: id of a batch that is still being sent -> ms since 1970 of its sender's last call."""
        return f"{self.ns}::batches:opening"

    def follow_ups(self) -> str:
        """HASH: message id -> JSON of an unsent message: the next step of a chain, or a batch's callback."""
        return f"{self.ns}::follow_ups"

    def slots(self) -> str:
        """ZSET of running messages under concurrency limits, as ``<key of a limit> <id> <receive count>``."""
        return f"{self.ns}::slots"

    def rates(self) -> str:
        """ZSET: key of a rate limit -> µs since 1970 from which the next message with this key may start.

        It also has the times at which queues give way to others (see ``lua/lib/limits.lua``).
        """
        return f"{self.ns}::rates"

    def waits(self) -> str:
        """ZSET of limits and the queues whose messages wait for them (see ``lua/lib/limits.lua``)."""
        return f"{self.ns}::waits"

    def hits(self, counted: str) -> str:
        """STRING with a TTL: the event count in the current window of the rate limit named ``counted``."""
        return f"{self.ns}::hits:{counted}"


#: The suffix of the name of a low-priority queue.
LOW_PRIORITY = "-low"


def dead_letter_queue(queue: str) -> str:
    """The default name of the dead-letter queue of ``queue``. A dead-letter queue is an ordinary queue."""
    return f"{queue}-dead"


def low_priority_queue(queue: str) -> str:
    """The name of the sibling queue for those tasks of ``queue`` that have a priority below 0.

    RSMQ's layout can place a message before others, but cannot keep it behind those that are sent later.
    """
    return queue + LOW_PRIORITY


def is_dead_letter_queue(queue: str) -> bool:
    """Whether ``queue`` has the default name of a dead-letter queue."""
    return queue.endswith("-dead")
