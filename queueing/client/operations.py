"""Methods beyond RSMQ: inspection of queues, policies, progress of running messages, and sweeps."""

from collections.abc import Sequence

from queueing.broker import decode, replies, rsmq_values
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import checked
from queueing.exceptions import QueueError
from queueing.messages import PeekedMessage, Progress, QueueFigures, QueueLimits, QueuePolicy, Swept
from queueing.policies import limits

from . import sweep
from .drafts import BATCH
from .rsmq import RSMQOperations
from .steps import Steps, operation

MAX_RECEIVE_COUNT = 1000
MAX_RETENTION_SECONDS = 9_999_999
#: Progress expires after this long, unless the end of the delivery deletes it before.
PROGRESS_MS = 86_400_000


class Operations(RSMQOperations):
    """The operations of RSMQ, and those that inspect and control queues."""

    # --- inspection ---------------------------------------------------------------------------

    @operation
    def queue_figures(self, qnames: Sequence[str] | None = None) -> Steps[list[QueueFigures]]:
        """The figures of queues, such as the number of ready messages, sorted by the names of the queues.

        ``None`` means all queues. Missing queues, and queues with a key of the wrong type, are left out.
        """
        names = (yield from self._list_queues()) if qnames is None else qnames
        found = yield from self._figures(sorted(set(names)))
        # A queue with a key of a wrong type must not hide the other queues. ``spoilt_keys`` names it.
        return [figures for figures in found if isinstance(figures, QueueFigures)]

    @operation
    def figures_of_queue(self, qname: str) -> Steps[QueueFigures | None]:
        """The figures of one queue, or ``None`` if it does not exist.

        Raises ``SpoiltKey`` if a key of the queue has the wrong type.
        """
        [found] = yield from self._figures([qname])
        if isinstance(found, QueueError):
            raise found
        return found

    def _figures(self, names: Sequence[str]) -> Steps[list[QueueFigures | QueueError | None]]:
        """Return one item for each name: figures, an error, or ``None`` if the queue does not exist."""
        found = yield self.session.call_each(
            [QueueCall("figures", [name], self.keys.of_lanes) for name in names]
        )
        return [
            reply
            if isinstance(reply, QueueError)
            else replies.figures(name, reply[1:])
            if reply[0] == b"ok"
            else None
            for name, reply in zip(names, found, strict=True)
        ]

    @operation
    def peek_messages(
        self, qname: str, *, count: int = 20, newest: bool = False, body_bytes: int | None = None
    ) -> Steps[list[PeekedMessage]]:
        """Read up to ``count`` messages (at most 1000) without receiving them, in delivery order.

        With ``newest``, the last messages of the queue are read, in reversed order. Bodies with more than
        ``body_bytes`` bytes are cut. Once Redis has read 10 MB of such long bodies, the bodies of further
        long messages are left empty. Raises ``QueueNotFound``.
        """
        count = max(1, min(count, BATCH))
        return self._peek(qname, count, "last" if newest else "first", "", body_bytes)

    @operation
    def peek_message(
        self, qname: str, id: str, *, body_bytes: int | None = None
    ) -> Steps[PeekedMessage | None]:
        """Read one message without receiving it. Returns ``None`` if it is not in the queue.

        A body with more than ``body_bytes`` bytes is cut. Raises ``QueueNotFound``.
        """
        found = yield from self._peek(qname, 1, "id", rsmq_values.message_id(id), body_bytes)
        return found[0] if found else None

    def _peek(
        self, qname: str, count: int, which: str, id: str, body_bytes: int | None
    ) -> Steps[list[PeekedMessage]]:
        keys = [*self._lane_keys(rsmq_values.qname(qname)), self.keys.line(qname)]
        call = Call("peek", keys, count, which, id, "" if body_bytes is None else body_bytes)
        found = checked((yield self.session.call(call)))
        return [replies.peeked(*fields) for fields in found]

    @operation
    def queue_limits(self, qname: str, *, keys: int = 20) -> Steps[QueueLimits]:
        """Count the messages that run under the limit of a queue, and those that wait for a policy's limit.

        The result also lists the limit keys for which messages wait, up to ``keys`` of them (at most 1000).
        """
        names = [self.keys.slots(), self.keys.line(rsmq_values.qname(qname))]
        call = Call("limited", names, limits.key_of_queue(qname), max(1, min(keys, BATCH)))
        return replies.limits((yield self.session.call(call)))

    def dead_letter_queue(self, qname: str) -> str:
        """The name of the dead-letter queue of ``qname``, as far as this client knows it without a call."""
        return self.session.dead_letter_queue(qname)

    # --- policies -----------------------------------------------------------------------------

    @operation
    def get_queue_policy(self, qname: str) -> Steps[QueuePolicy]:
        """The policies of a queue: redrive policy, retention and pause. Raises ``QueueNotFound``."""
        return self._policy(qname)

    @operation
    def set_redrive_policy(
        self, qname: str, max_receive_count: int, dead_letter_queue: str | None = None
    ) -> Steps[QueuePolicy]:
        """Let messages move to the dead-letter queue after ``max_receive_count`` receives (1 to 1000).

        A receiver of this package or the sweeper moves such a message when it is due again. Receives by other
        programs count, too. ``dead_letter_queue`` is ``<qname>-dead`` by default, and is created with the
        first dead letter. Raises ``QueueNotFound``, ``InvalidFormat``, and ``QueueError`` if the count is out
        of bounds, if ``qname`` is itself a dead-letter queue, or if both queues are the same.
        """
        qname = rsmq_values.qname(qname)
        if not (isinstance(max_receive_count, int) and 1 <= max_receive_count <= MAX_RECEIVE_COUNT):
            raise QueueError(f"max_receive_count must be between 1 and {MAX_RECEIVE_COUNT}.")
        dead = _valid_dead_letter_queue(qname, dead_letter_queue)
        return self._policy(qname, "max_receive_count", max_receive_count, "dead_letter_queue", dead)

    @operation
    def delete_redrive_policy(self, qname: str) -> Steps[QueuePolicy]:
        """Delete the redrive policy. Raises ``QueueNotFound``."""
        return self._policy(qname, "max_receive_count", "", "dead_letter_queue", "")

    @operation
    def set_retention(self, qname: str, seconds: int | None) -> Steps[QueuePolicy]:
        """Let the sweeper delete messages that have been ready for ``seconds``, counted from their due time.

        ``None`` ends the retention. Messages that run, are retried or were given back are not deleted. Raises
        ``QueueNotFound``, and ``QueueError`` if ``seconds`` is out of bounds.
        """
        if seconds is not None and not (isinstance(seconds, int) and 1 <= seconds <= MAX_RETENTION_SECONDS):
            raise QueueError(f"The retention must be between 1 and {MAX_RETENTION_SECONDS} seconds.")
        return self._policy(qname, "retention", "" if seconds is None else seconds)

    @operation
    def pause_queue(self, qname: str) -> Steps[QueuePolicy]:
        """Stop deliveries of a queue, but accept sends. Programs with RSMQ's own client ignore the pause.

        Raises ``QueueNotFound``.
        """
        return self._policy(qname, "paused", 1)

    @operation
    def resume_queue(self, qname: str) -> Steps[QueuePolicy]:
        """Resume deliveries of a queue, and wake waiting receivers. Raises ``QueueNotFound``."""
        return self._policy(qname, "paused", "")

    def _policy(self, qname: str, *pairs: str | int) -> Steps[QueuePolicy]:
        qname = rsmq_values.qname(qname)
        call = Call("policy", self.session.queue_keys(qname), self.keys.channel(qname), *pairs)
        count, dead, retention, paused = checked((yield self.session.call(call)))
        name = decode.text(dead)
        is_name = rsmq_values.QNAME.fullmatch(name)
        self.session.learn_dead_letter_queue(qname, name if is_name else dead_letter_queue(qname))
        return QueuePolicy(decode.integer(count), name, decode.integer(retention), bool(paused))

    # --- running messages ---------------------------------------------------------------------

    @operation
    def report_progress(self, qname: str, id: str, rc: int, fraction: float, note: str) -> Steps[bool]:
        """Store the progress of one delivery: a ``fraction`` from 0.0 to 1.0, and a ``note``.

        ``id`` and ``rc`` are the receipt of the delivery. Returns ``False`` without storing the progress if
        the message was received again or is gone.
        """
        keys = [self.keys.attributes(qname), self.keys.progress(qname)]
        call = Call("progress", keys, id, rc, f"{fraction:.4f} {note}", PROGRESS_MS)
        return bool((yield self.session.call(call)) == 1)

    @operation
    def progress_of(self, qname: str, ids: Sequence[str]) -> Steps[dict[str, Progress]]:
        """The progress of running messages, by id. ``ids`` are the messages to ask for.

        Messages that are not running, or whose run has reported no progress, are left out.
        """
        if not ids:
            return {}
        keys = [self.keys.attributes(qname), self.keys.progress(qname)]
        found = yield self.session.call(Call("progress_of", keys, *ids))
        return {id: replies.progress(text) for id, text in zip(ids, found, strict=True) if text}

    # --- the rest -----------------------------------------------------------------------------

    @operation
    def sweep_queue(self, qname: str) -> Steps[Swept]:
        """Sweep one queue. Returns the number of changes by kind, all 0 if the queue does not exist.

        A sweep deletes ids without a body, fields without a message, and messages older than the queue's
        retention. It moves messages that have reached the receive count of the redrive policy to the
        dead-letter queue. It repairs damage by other programs: keys of a wrong type, due times that are not
        numbers, leases without an end.
        """
        swept: Swept = yield self._maintain(lambda session: sum(sweep.sweep(session, qname), Swept()))
        return swept

    @operation
    def count_hit(self, name: str, window_seconds: int) -> Steps[int]:
        """Count an event for the rate limit ``name``. Returns the count in the current window.

        A window begins with its first event and lasts ``window_seconds``.
        """
        return int((yield self.session.call(Call("hit", [self.keys.hits(name)], window_seconds * 1000))))

    def _lane_keys(self, qname: str) -> list[str]:
        return self.keys.of_lanes(qname, self.session.dead_letter_queue(qname))


def _valid_dead_letter_queue(qname: str, named: str | None) -> str:
    if is_dead_letter_queue(qname):
        raise QueueError(f"{qname} is a dead-letter queue, and cannot have one itself.")
    dead = rsmq_values.qname(named or dead_letter_queue(qname))
    if dead == qname:
        raise QueueError("A queue cannot be its own dead-letter queue.")
    return dead
