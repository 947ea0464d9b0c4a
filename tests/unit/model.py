"""The client's methods on plain dictionaries: what the scripts promise, without Redis.

Same names, parameters, results and errors as ``QueueClient``; the clock is an attribute. It knows
nothing of workers: what they hold is tested elsewhere.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from queueing.broker.session_base import DEAD_RETENTION_SECONDS
from queueing.exceptions import MessageTooLong, NoAttributeSupplied, QueueError, QueueExists, QueueNotFound
from queueing.messages import Draft, Message, PeekedMessage, QueueAttributes, QueueFigures, QueuePolicy, Swept


@dataclass
class Kept:
    """A message in a queue."""

    id: str
    body: str
    due_ms: int
    rc: int = 0
    fr: int = 0

    @property
    def sent_ms(self) -> float:
        return int(self.id[:10], 36) / 1000

    @property
    def head_ms(self) -> int:
        """Its place where it was given back: that of its sending."""
        return int(self.sent_ms)


@dataclass
class Queue:
    vt: int
    delay: int
    maxsize: int
    created: int
    modified: int
    totalsent: int = 0
    totalrecv: int = 0
    max_receive_count: int = 0
    dead_letter_queue: str = ""
    retention: int = 0
    paused: bool = False
    messages: dict[str, Kept] = field(default_factory=dict)

    def in_order(self) -> list[Kept]:
        return sorted(self.messages.values(), key=lambda kept: (kept.due_ms, kept.id))


class Model:
    """All queues of one namespace."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.queues: dict[str, Queue] = {}
        #: Both are kept beside a queue, so what another program deletes leaves them behind.
        self.headers: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        #: How many of a message's receives do not count: it was given back, or moved since.
        self.released: dict[str, dict[str, int]] = defaultdict(dict)
        self.windows: dict[tuple[str, str], tuple[str, int]] = {}

    @property
    def now_ms(self) -> int:
        return self.now_us // 1000

    @property
    def now_seconds(self) -> int:
        return self.now_us // 1_000_000

    # --- queues -------------------------------------------------------------------------------

    def found(self, qname: str) -> Queue:
        if qname not in self.queues:
            raise QueueNotFound
        return self.queues[qname]

    def create_queue(self, qname: str, *, vt: int = 30, delay: int = 0, maxsize: int = 65536) -> int:
        if qname in self.queues:
            raise QueueExists
        self.lose_queue(qname)
        self._forget_beside(qname)
        self.queues[qname] = Queue(vt, delay, maxsize, self.now_seconds, self.now_seconds)
        return 1

    def delete_queue(self, qname: str) -> int:
        self._forget_beside(qname)
        self.found(qname)
        self.lose_queue(qname)
        return 1

    def lose_queue(self, qname: str) -> None:
        """Another program deletes the queue. It does not know the keys beside it."""
        self.queues.pop(qname, None)

    def list_queues(self) -> list[str]:
        return sorted(self.queues)

    def get_queue_attributes(self, qname: str) -> QueueAttributes:
        queue = self.found(qname)
        hidden = sum(kept.due_ms > self.now_ms for kept in queue.messages.values())
        return QueueAttributes(
            *(queue.vt, queue.delay, queue.maxsize, queue.totalrecv, queue.totalsent),
            *(queue.created, queue.modified, len(queue.messages), hidden),
        )

    def set_queue_attributes(self, qname: str, **changes: int) -> QueueAttributes:
        if not changes:
            raise NoAttributeSupplied
        queue = self.found(qname)
        for name, value in changes.items():
            setattr(queue, name, value)
        queue.modified = self.now_seconds
        return self.get_queue_attributes(qname)

    def queue_figures(self, qnames: Sequence[str] | None = None) -> list[QueueFigures]:
        names = sorted(self.queues if qnames is None else self.queues.keys() & set(qnames))
        return [self._figures(name) for name in names]

    def _figures(self, qname: str) -> QueueFigures:
        queue, due = self.queues[qname], self._due(qname)
        dead = self.queues.get(queue.dead_letter_queue or f"{qname}-dead")
        waiting_ms = max(0.0, self.now_ms - max(due[0].sent_ms, due[0].due_ms)) if due else 0.0
        return QueueFigures(
            qname,
            self.get_queue_attributes(qname),
            ready=len(due),
            delayed=len(queue.messages) - len(due),
            running=0,
            dead=len(dead.messages) if dead else 0,
            latency_seconds=round(waiting_ms) / 1000,
            paused=queue.paused,
        )

    # --- sending ------------------------------------------------------------------------------

    def send_messages(
        self, qname: str, messages: Sequence[str | Draft], *, delay: int | None, ids: Sequence[str]
    ) -> list[str | None]:
        """The ids of those that had been sent before, ``None`` for the new ones, which get ``ids``."""
        queue = self.found(qname)
        drafts = [message if isinstance(message, Draft) else Draft(body=message) for message in messages]
        too_long = [len(draft.body.encode("utf-16-le")) // 2 > queue.maxsize for draft in drafts]
        if queue.maxsize != -1 and any(too_long):
            raise MessageTooLong
        delay_ms = 1000 * (queue.delay if delay is None else delay)
        return [
            self._send(qname, draft, ids[index] if ids else "", (self.now_us + index) // 1000 + delay_ms)
            for index, draft in enumerate(drafts)
        ]

    def _send(self, qname: str, draft: Draft, id: str, due_ms: int) -> str | None:
        window = (qname, draft.deduplication_id or "")
        if draft.deduplication_id:
            first_id, end_ms = self.windows.get(window, ("", 0))
            if self.now_ms < end_ms:
                return first_id
            self.windows[window] = (id, self.now_ms + draft.deduplication_seconds * 1000)
        if draft.delay_ms is not None:
            due_ms = self.now_ms + draft.delay_ms
        if draft.due_ms is not None:
            due_ms = max(self.now_ms, draft.due_ms)
        queue = self.queues[qname]
        queue.messages[id] = Kept(id, draft.body, due_ms)
        queue.totalsent += 1
        if draft.headers:
            self.headers[qname][id] = dict(draft.headers)
        return None

    # --- receiving ----------------------------------------------------------------------------

    def receive_messages(self, qname: str, count: int = 10, *, vt: int | None = None) -> list[Message]:
        queue = self.found(qname)
        while not queue.paused:
            taken, buried = [], 0
            for kept in self._due(qname)[:count]:
                if self._is_worn_out(qname, kept):
                    self._bury(qname, kept)
                    buried += 1
                else:
                    taken.append(self._receive(qname, kept, queue.vt if vt is None else vt))
            if taken or not buried:
                return taken
        return []

    def receive_message(self, qname: str, *, vt: int | None = None) -> Message | None:
        return next(iter(self.receive_messages(qname, 1, vt=vt)), None)

    def pop_message(self, qname: str) -> Message | None:
        message = self.receive_message(qname, vt=0)
        if message:
            self._forget(qname, message.id)
        return message

    def _receive(self, qname: str, kept: Kept, vt: int) -> Message:
        kept.rc += 1
        kept.fr = kept.fr or self.now_ms
        kept.due_ms = self.now_ms + vt * 1000
        self.queues[qname].totalrecv += 1
        headers = self.headers[qname].get(kept.id, {})
        return Message(kept.id, kept.body, kept.rc, kept.fr, kept.sent_ms, headers)

    def peek_messages(self, qname: str, *, count: int = 20, newest: bool = False) -> list[PeekedMessage]:
        kept = self.found(qname).in_order()
        return [self._peeked(qname, one) for one in (kept[::-1] if newest else kept)[:count]]

    def peek_message(self, qname: str, id: str) -> PeekedMessage | None:
        kept = self.found(qname).messages.get(id)
        return self._peeked(qname, kept) if kept else None

    def _peeked(self, qname: str, kept: Kept) -> PeekedMessage:
        state = "ready" if kept.due_ms <= self.now_ms else "delayed"
        size_bytes, headers = len(kept.body.encode()), self.headers[qname].get(kept.id, {})
        return PeekedMessage(
            kept.id, kept.body, kept.rc, kept.due_ms, kept.sent_ms, state, size_bytes, headers
        )

    # --- by id and by receipt -----------------------------------------------------------------

    def delete_message(self, qname: str, id: str, *, rc: int | None = None) -> int:
        kept = self.queues[qname].messages.get(id) if qname in self.queues else None
        if rc is not None and (kept is None or kept.rc != rc):
            return 0
        self._forget(qname, id)
        return int(kept is not None)

    def delete_messages(self, qname: str, messages: Sequence[str | Message]) -> list[int]:
        return [self.delete_message(qname, id, rc=rc) for id, rc in map(receipt, messages)]

    def change_message_visibility(self, qname: str, id: str, vt: int, *, rc: int | None = None) -> int:
        kept = self.found(qname).messages.get(id)
        if kept is None or rc not in (None, kept.rc):
            return 0
        kept.due_ms = self.now_ms + vt * 1000
        return 1

    def change_visibilities(self, qname: str, messages: Sequence[str | Message], vt: int) -> list[int]:
        self.found(qname)
        return [self.change_message_visibility(qname, id, vt, rc=rc) for id, rc in map(receipt, messages)]

    def release_message(self, qname: str, message: Message) -> int:
        kept = self.found(qname).messages.get(message.id)
        if kept is None or kept.rc != message.rc:
            return 0
        # If it is back already and was not hidden since, this is a repeat of the same release.
        if kept.due_ms != kept.head_ms:
            self.released[qname][kept.id] = self.released[qname].get(kept.id, 0) + 1
        kept.due_ms = kept.head_ms
        return 1

    # --- steering -----------------------------------------------------------------------------

    def get_queue_policy(self, qname: str) -> QueuePolicy:
        queue = self.found(qname)
        return QueuePolicy(queue.max_receive_count, queue.dead_letter_queue, queue.retention, queue.paused)

    def set_redrive_policy(self, qname: str, count: int, dead: str | None = None) -> QueuePolicy:
        if qname.endswith("-dead") or dead == qname:
            raise QueueError
        return self._set(qname, max_receive_count=count, dead_letter_queue=dead or f"{qname}-dead")

    def delete_redrive_policy(self, qname: str) -> QueuePolicy:
        return self._set(qname, max_receive_count=0, dead_letter_queue="")

    def set_retention(self, qname: str, seconds: int | None) -> QueuePolicy:
        return self._set(qname, retention=seconds or 0)

    def pause_queue(self, qname: str) -> QueuePolicy:
        return self._set(qname, paused=True)

    def resume_queue(self, qname: str) -> QueuePolicy:
        return self._set(qname, paused=False)

    def _set(self, qname: str, **values: int | str) -> QueuePolicy:
        self.found(qname).__dict__.update(values)
        return self.get_queue_policy(qname)

    def purge_queue(self, qname: str) -> int:
        ids = list(self.found(qname).messages)
        for id in ids:
            self._forget(qname, id)
        return len(ids)

    def move_messages(
        self, source: str, target: str, *, count: int | None = None, ids: Sequence[str] | None = None
    ) -> int:
        if source == target or (count is not None and ids is not None):
            raise QueueError
        self.found(target)
        messages = self.found(source).messages
        due = self._due(source)
        wanted = due[:count] if ids is None else [messages[id] for id in ids if messages.get(id) in due]
        moved = {kept.id: kept for kept in wanted}
        for kept in moved.values():
            self._move(source, target, kept)
            if kept.rc:
                self.released[target][kept.id] = kept.rc
        return len(moved)

    def redrive(self, qname: str, *, count: int | None = None, ids: Sequence[str] | None = None) -> int:
        dead = self.found(qname).dead_letter_queue or f"{qname}-dead"
        return self.move_messages(dead, qname, count=count, ids=ids) if dead in self.queues else 0

    # --- sweeping -----------------------------------------------------------------------------

    def sweep_queue(self, qname: str) -> Swept:
        swept = Swept()
        for kept in self._due(qname) if qname in self.queues else ():
            retention_ms = self.queues[qname].retention * 1000
            is_over = max(kept.due_ms, kept.sent_ms) + retention_ms < self.now_ms
            is_back = bool(self.released[qname].get(kept.id)) and kept.due_ms <= kept.head_ms
            if self._is_worn_out(qname, kept):
                self._bury(qname, kept)
                swept += Swept(buried=1)
            elif retention_ms and is_over and not is_back:
                self._forget(qname, kept.id)
                swept += Swept(expired=1)
        for beside in (self.headers[qname], self.released[qname]):
            for id in self._orphans(qname, beside):
                del beside[id]
                swept += Swept(orphans=1)
        return swept

    def sweep_lost_queues(self) -> int:
        lost = [
            beside[qname]
            for beside in (self.headers, self.released)
            for qname in list(beside)
            if beside[qname] and qname not in self.queues
        ]
        for kept in lost:
            kept.clear()
        return len(lost)

    # --- inside -------------------------------------------------------------------------------

    def _due(self, qname: str) -> list[Kept]:
        return [kept for kept in self.queues[qname].in_order() if kept.due_ms <= self.now_ms]

    def _is_worn_out(self, qname: str, kept: Kept) -> bool:
        limit = self.queues[qname].max_receive_count
        counted = kept.rc - self.released[qname].get(kept.id, 0)
        return bool(limit) and counted >= limit

    def _bury(self, qname: str, kept: Kept) -> None:
        dead = self.queues[qname].dead_letter_queue
        if dead not in self.queues:
            now = self.now_seconds
            self.queues[dead] = Queue(30, 0, -1, now, now, retention=DEAD_RETENTION_SECONDS)
        self._move(qname, dead, kept)

    def _move(self, source: str, target: str, kept: Kept) -> None:
        headers = self.headers[source].get(kept.id)
        self._forget(source, kept.id)
        if headers:
            self.headers[target][kept.id] = headers
        kept.due_ms = self.now_ms
        self.queues[target].messages[kept.id] = kept
        self.queues[target].totalsent += 1

    def _forget(self, qname: str, id: str) -> None:
        self.headers[qname].pop(id, None)
        self.released[qname].pop(id, None)
        if qname in self.queues:
            self.queues[qname].messages.pop(id, None)

    def _forget_beside(self, qname: str) -> None:
        self.headers[qname].clear()
        self.released[qname].clear()

    def _orphans(self, qname: str, beside: dict) -> list[str]:
        messages = self.queues[qname].messages if qname in self.queues else {}
        return [id for id in beside if id not in messages]


def receipt(named: str | Message) -> tuple[str, int | None]:
    return (named.id, named.rc) if isinstance(named, Message) else (named, None)


def outcome(call: Callable[[], object]) -> object:
    """The result of a call, or the class of its error."""
    try:
        return call()
    except QueueError as error:
        return type(error)
