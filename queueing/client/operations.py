"""Methods beyond RSMQ: inspection of queues, policies, bulk operations and sweeps."""

from collections.abc import Callable, Iterable, Sequence

from redis import Redis

from queueing.broker import decode, replies, rsmq_values
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import checked
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.messages import PeekedMessage, Progress, QueueFigures, QueuePolicy, Swept
from queueing.text.errors import cut

from . import sweep
from .drafts import BATCH
from .rsmq import RSMQClient

#: Messages per step. Other clients of Redis wait during a step.
STEP = 200
MAX_RECEIVE_COUNT = 1000
MAX_RETENTION_SECONDS = 9_999_999
#: Progress expires after this long, if no settle deletes it.
PROGRESS_MS = 86_400_000

#: Characters of the reason for a stop, which is stored with the lease of the message.
REASON_CHARACTERS = 200

#: A callback after each step, with the number of finished messages and the number at the start. It may raise
#: an error to stop the operation.
Report = Callable[[int, int], None]


class QueueClient(RSMQClient):
    """An ``RSMQClient`` with methods that inspect and control queues."""

    def __init__(
        self, redis: Redis, ns: str = "rsmq", *, outbox_max: int = Config().OUTBOX_MAX, durable: int = 0
    ) -> None:
        """``outbox_max`` is the limit of the outbox in bytes (the setting ``OUTBOX_MAX``)."""
        super().__init__(redis, ns, durable=durable)
        self.outbox_max = outbox_max

    # --- inspection ---------------------------------------------------------------------------

    def queue_figures(self, qnames: Sequence[str] | None = None) -> list[QueueFigures]:
        """The figures of these queues, or of all queues for ``None``, sorted by name.

        Names without a queue are left out, and so are queues with spoilt keys.
        """
        found = self._figures(sorted(set(self.list_queues() if qnames is None else qnames)))
        # A queue with a key of a wrong type must not hide the other queues. ``spoilt_keys`` names it.
        return [figures for figures in found if isinstance(figures, QueueFigures)]

    def figures_of_queue(self, qname: str) -> QueueFigures | None:
        """The figures of one queue, ``None`` if it does not exist. Raises ``SpoiltKey``."""
        [found] = self._figures([qname])
        if isinstance(found, QueueError):
            raise found
        return found

    def _figures(self, names: Sequence[str]) -> list[QueueFigures | QueueError | None]:
        """For each name the figures of the queue, its error, or ``None`` if it does not exist."""
        calls = [QueueCall("figures", [name], self.keys.of_lanes) for name in names]
        return [
            reply
            if isinstance(reply, QueueError)
            else replies.figures(name, reply[1:])
            if reply[0] == b"ok"
            else None
            for name, reply in zip(names, self.session.call_each(calls), strict=True)
        ]

    def peek_messages(
        self, qname: str, *, count: int = 20, newest: bool = False, body_bytes: int | None = None
    ) -> list[PeekedMessage]:
        """Read up to ``count`` messages (at most 1000) in delivery order, without receiving them.

        ``newest`` reads from the end of the queue. ``body_bytes`` limits each body to its beginning. Beyond
        10 MB of beginnings in all, further long bodies are empty. Raises ``QueueNotFound``.
        """
        count = max(1, min(count, BATCH))
        return self._peek(qname, count, "last" if newest else "first", "", body_bytes)

    def peek_message(self, qname: str, id: str, *, body_bytes: int | None = None) -> PeekedMessage | None:
        """Read one message without receiving it. Returns ``None`` if it is not in the queue.

        ``body_bytes`` limits the body to its beginning. Raises ``QueueNotFound``.
        """
        found = self._peek(qname, 1, "id", rsmq_values.message_id(id), body_bytes)
        return found[0] if found else None

    def _peek(
        self, qname: str, count: int, which: str, id: str, body_bytes: int | None
    ) -> list[PeekedMessage]:
        keys = self._lane_keys(rsmq_values.qname(qname))
        call = Call("peek", keys, count, which, id, "" if body_bytes is None else body_bytes)
        return [replies.peeked(*fields) for fields in checked(self.session.call(call))]

    def dead_letter_queue(self, qname: str) -> str:
        """The name of the dead-letter queue of ``qname`` that this client knows, without a call of Redis."""
        return self.session.dead_letter_queue(qname)

    # --- policies -----------------------------------------------------------------------------

    def get_queue_policy(self, qname: str) -> QueuePolicy:
        """The attributes of a queue beyond RSMQ's. Raises ``QueueNotFound``."""
        return self._policy(qname)

    def set_redrive_policy(
        self, qname: str, max_receive_count: int, dead_letter_queue: str | None = None
    ) -> QueuePolicy:
        """Move messages that were received ``max_receive_count`` times (1 to 1000) to the dead-letter queue.

        A receiver of this package or the sweeper moves a message when it is due again. Receives by other
        programs count, too. ``dead_letter_queue`` is ``<qname>-dead`` by default, and is created with the
        first dead letter. Raises ``QueueNotFound``, ``InvalidFormat``, and ``QueueError`` if the count is out
        of bounds or ``qname`` is itself a dead-letter queue.
        """
        qname = rsmq_values.qname(qname)
        if not (isinstance(max_receive_count, int) and 1 <= max_receive_count <= MAX_RECEIVE_COUNT):
            raise QueueError(f"max_receive_count must be between 1 and {MAX_RECEIVE_COUNT}.")
        dead = _valid_dead_letter_queue(qname, dead_letter_queue)
        return self._policy(qname, "max_receive_count", max_receive_count, "dead_letter_queue", dead)

    def delete_redrive_policy(self, qname: str) -> QueuePolicy:
        """Delete the redrive policy. Raises ``QueueNotFound``."""
        return self._policy(qname, "max_receive_count", "", "dead_letter_queue", "")

    def set_retention(self, qname: str, seconds: int | None) -> QueuePolicy:
        """Delete messages that have been ready for ``seconds``, counted from their due time.

        ``None`` ends the retention. The sweeper deletes them. Messages that run, are retried or were given
        back stay. Raises ``QueueNotFound``, and ``QueueError`` if the number is out of bounds.
        """
        if seconds is not None and not (isinstance(seconds, int) and 1 <= seconds <= MAX_RETENTION_SECONDS):
            raise QueueError(f"The retention must be between 1 and {MAX_RETENTION_SECONDS} seconds.")
        return self._policy(qname, "retention", "" if seconds is None else seconds)

    def pause_queue(self, qname: str) -> QueuePolicy:
        """Stop deliveries of a queue, but accept sends. Programs that use RSMQ ignore the pause.

        Raises ``QueueNotFound``.
        """
        return self._policy(qname, "paused", 1)

    def resume_queue(self, qname: str) -> QueuePolicy:
        """Resume deliveries of a queue, and wake waiting receivers. Raises ``QueueNotFound``."""
        return self._policy(qname, "paused", "")

    def _policy(self, qname: str, *pairs: str | int) -> QueuePolicy:
        qname = rsmq_values.qname(qname)
        call = Call("policy", self.session.queue_keys(qname), self.keys.channel(qname), *pairs)
        count, dead, retention, paused = checked(self.session.call(call))
        name = decode.text(dead)
        is_name = rsmq_values.QNAME.fullmatch(name)
        self.session.learn_dead_letter_queue(qname, name if is_name else dead_letter_queue(qname))
        return QueuePolicy(decode.integer(count), name, decode.integer(retention), bool(paused))

    # --- bulk operations ----------------------------------------------------------------------

    def purge_queue(self, qname: str, *, progress: Report | None = None) -> int:
        """Delete all messages that no worker holds. Returns their number. Raises ``QueueNotFound``."""
        qname = rsmq_values.qname(qname)
        total = self._attributes(qname).msgs
        deleted = held = 0
        while deleted + held < total:
            # Messages that workers hold stay, so the next step must read past them.
            passed = held
            keys = self.keys.of_removal(qname, self.session.dead_letter_queue(qname))
            call = Call("purge", keys, STEP + passed)
            found, held = checked(self.session.call(call))
            deleted += found
            if progress:
                progress(deleted, total)
            if not found and held <= passed:
                break
        return deleted

    def move_messages(
        self,
        source: str,
        target: str,
        *,
        count: int | None = None,
        ids: Sequence[str] | None = None,
        progress: Report | None = None,
    ) -> int:
        """Move ready messages: all, the first ``count``, or those with ``ids``. Returns their number.

        A message keeps its id, body and receive count. Held, hidden and delayed messages stay. Raises
        ``QueueNotFound`` for either queue, and ``QueueError`` if the queues are the same or if both ``count``
        and ``ids`` are given.
        """
        source, target = rsmq_values.qname(source), rsmq_values.qname(target)
        if source == target:
            raise QueueError("A queue's messages cannot be moved to itself.")
        if count is not None and (ids is not None or count < 0):
            raise QueueError("Name a count from 0, or the ids, not both.")
        self._attributes(target)  # raises if the target does not exist, even if there is nothing to move
        wanted = list(dict.fromkeys(map(rsmq_values.message_id, ids))) if ids is not None else None
        total = self._attributes(source).msgs if wanted is None else len(wanted)
        total = total if count is None else min(total, count)
        keys = [*self.session.queue_keys(source), self.keys.attributes(target), self.keys.schedule(target)]
        keys += [self.keys.headers(target), self.keys.ends(target)]
        moved = passed = 0
        while passed < total:
            step = min(STEP, total - passed)
            named = wanted[passed : passed + step] if wanted is not None else []
            call = Call("move", keys, self.keys.channel(target), step, *named)
            [found] = checked(self.session.call(call))
            moved += found
            passed += step if wanted is not None else found
            if progress:
                progress(passed, total)
            if not found and wanted is None:
                break
        return moved

    def redrive(
        self,
        qname: str,
        *,
        count: int | None = None,
        ids: Sequence[str] | None = None,
        progress: Report | None = None,
    ) -> int:
        """Move dead letters back to ``qname``: all, the first ``count``, or those with ``ids``.

        Returns their number. A moved message has all its attempts again. If several queues share the
        dead-letter queue, their messages move, too. Raises ``QueueNotFound`` if ``qname`` does not exist.
        """
        dead = self._policy(qname).dead_letter_queue or dead_letter_queue(qname)
        if not self.session.call(Call("exists", [self.keys.attributes(dead)])):
            return 0
        return self.move_messages(dead, qname, count=count, ids=ids, progress=progress)

    def cancel_message(self, qname: str, id: str, *, reason: str = "") -> str:
        """Delete a message that no receiver holds, and record it as ``cancelled`` with the reason.

        Returns ``cancelled``, or why the message stays: ``running`` (a worker holds it), ``hidden`` (another
        receiver hides it) or ``gone`` (it is not in the queue). After a lost reply the call is repeated, so
        ``gone`` can also mean that the first try cancelled it. Raises ``QueueNotFound``.
        """
        return self.cancel_messages(qname, [id], reason=reason)[0]

    def cancel_messages(self, qname: str, ids: Iterable[str], *, reason: str = "") -> list[str]:
        """Call ``cancel_message`` for many ids, in limited steps. Returns the word for each id."""
        return self._cancel(qname, ids, reason, "leave")

    def stop_message(self, qname: str, id: str, *, reason: str = "", force: bool = False) -> str:
        """Cancel a message, and ask its worker to stop it if it runs.

        An async function is cancelled, and another function sees ``context.is_cancelled``, both within a
        quarter of the lease. With ``force`` its process is also ended, as at a time limit. A run that raises
        after it was asked is recorded as ``cancelled`` with the reason. One that returns is ``done``.

        Returns the word of ``cancel_message``. ``running`` means that the worker was asked. Raises
        ``QueueNotFound``.
        """
        return self.stop_messages(qname, [id], reason=reason, force=force)[0]

    def stop_messages(
        self, qname: str, ids: Iterable[str], *, reason: str = "", force: bool = False
    ) -> list[str]:
        """Call ``stop_message`` for many ids, in limited steps. Returns the word for each id."""
        reason = cut(reason or "stopped", REASON_CHARACTERS)
        return self._cancel(qname, ids, reason, "kill" if force else "stop")

    def _cancel(self, qname: str, ids: Iterable[str], reason: str, running: str) -> list[str]:
        qname = rsmq_values.qname(qname)
        wanted = [rsmq_values.message_id(id) for id in ids]
        words: list[str] = []
        for start in range(0, len(wanted), STEP):
            args = self.keys.channel(qname), self.outbox_max, reason, running, *wanted[start : start + STEP]
            call = QueueCall("cancel", [qname], self.keys.of_room, *args)
            words += map(decode.text, checked(self.session.call(call)))
        return words

    # --- running messages ---------------------------------------------------------------------

    def report_progress(self, qname: str, id: str, rc: int, fraction: float, note: str) -> bool:
        """Store the progress of the delivery ``rc`` of ``id``, as a fraction from 0.0 to 1.0 and a note.

        Returns whether it was stored. It is not if that delivery has ended or the message is gone.
        """
        keys = [self.keys.attributes(qname), self.keys.progress(qname)]
        call = Call("progress", keys, id, rc, f"{fraction:.4f} {note}", PROGRESS_MS)
        return bool(self.session.call(call) == 1)

    def progress_of(self, qname: str, ids: Sequence[str]) -> dict[str, Progress]:
        """The progress of the present runs of ``ids``, by id. Runs that reported none are left out."""
        if not ids:
            return {}
        keys = [self.keys.attributes(qname), self.keys.progress(qname)]
        found = self.session.call(Call("progress_of", keys, *ids))
        return {id: replies.progress(text) for id, text in zip(ids, found, strict=True) if text}

    # --- the rest -----------------------------------------------------------------------------

    def sweep_queue(self, qname: str) -> Swept:
        """Sweep one queue, if it exists. Returns the number of changes by kind.

        A sweep deletes ids without a body, fields without a message, and messages beyond the queue's
        retention. It moves messages that are worn out by the redrive policy to the dead letters. It repairs
        the damage of other programs: keys of a wrong type, due times that are not times, endless leases.
        """
        return sum(sweep.sweep(self.session, qname), Swept())

    def count_hit(self, name: str, window_seconds: int) -> int:
        """Count an event for a rate limit. Returns its count in the window that the first event began."""
        return int(self.session.call(Call("hit", [self.keys.hits(name)], window_seconds * 1000)))

    def _lane_keys(self, qname: str) -> list[str]:
        return self.keys.of_lanes(qname, self.session.dead_letter_queue(qname))


def _valid_dead_letter_queue(qname: str, named: str | None) -> str:
    if is_dead_letter_queue(qname):
        raise QueueError(f"{qname} is a dead-letter queue, and cannot have one itself.")
    dead = rsmq_values.qname(named or dead_letter_queue(qname))
    if dead == qname:
        raise QueueError("A queue cannot be its own dead-letter queue.")
    return dead
