"""Operations on many messages of a queue, in steps of limited size."""

from collections.abc import Callable, Iterable, Sequence

from queueing.broker import decode, rsmq_values
from queueing.broker.keys import dead_letter_queue
from queueing.broker.scripts import Call
from queueing.broker.session import checked
from queueing.exceptions import QueueError
from queueing.text.errors import cut

from .operations import Operations
from .steps import Steps, operation

#: Messages per step. Other clients of Redis wait during a step.
STEP = 200
#: The most characters of the reason for a stop. The reason is stored with the lease of the message.
REASON_CHARACTERS = 200

#: A callback after each step. It gets the number of processed messages, and the number of messages at the
#: start. It may raise an error to stop the operation.
Report = Callable[[int, int], None]


class BulkOperations(Operations):
    """All operations of a client.

    This class adds the operations that delete, move, cancel and stop many messages.
    """

    @operation
    def purge_queue(self, qname: str, *, progress: Report | None = None) -> Steps[int]:
        """Delete all messages that no worker holds. Returns the number of deleted messages.

        ``progress`` is called after each step with two numbers: the messages that are processed so far, and
        the messages that there were at the start. Raises ``QueueNotFound``.
        """
        qname = rsmq_values.qname(qname)
        total = (yield from self._attributes(qname)).msgs
        deleted = held = 0
        while deleted + held < total:
            # Messages that workers hold stay, so the next step must read past them.
            passed = held
            call = self._room_call("purge", qname, STEP + passed)
            found, held = checked((yield self.session.call(call)))
            deleted += found
            if progress:
                progress(deleted, total)
            if not found and held <= passed:
                break
        return deleted

    @operation
    def move_messages(
        self,
        source: str,
        target: str,
        *,
        count: int | None = None,
        ids: Sequence[str] | None = None,
        progress: Report | None = None,
    ) -> Steps[int]:
        """Move ready messages: all, the first ``count``, or those with ``ids``. Returns how many were moved.

        A message keeps its id, body and receive count. Messages that are held, hidden or delayed are not
        moved. For ``progress`` see ``purge_queue``. Raises ``QueueNotFound`` if either queue does not exist,
        and ``QueueError`` if the queues are the same or if both ``count`` and ``ids`` are given.
        """
        return self._move(source, target, count, ids, progress)

    def _move(
        self,
        source: str,
        target: str,
        count: int | None,
        ids: Sequence[str] | None,
        progress: Report | None,
    ) -> Steps[int]:
        source, target = rsmq_values.qname(source), rsmq_values.qname(target)
        if source == target:
            raise QueueError("A queue's messages cannot be moved to itself.")
        if count is not None and (ids is not None or count < 0):
            raise QueueError("Name a count from 0, or the ids, not both.")
        yield from self._attributes(
            target
        )  # raises if the target does not exist, even if there is nothing to move
        wanted = list(dict.fromkeys(map(rsmq_values.message_id, ids))) if ids is not None else None
        total = (yield from self._attributes(source)).msgs if wanted is None else len(wanted)
        total = total if count is None else min(total, count)
        of_target = self.session.queue_keys(target)[:4]
        moved = passed = 0
        while passed < total:
            step = min(STEP, total - passed)
            named = wanted[passed : passed + step] if wanted is not None else []
            call = self._room_call("move", source, self.keys.channel(target), step, *named)
            call.keys = lambda queue, dead: [*self.keys.of_room(queue, dead), *of_target]
            [found] = checked((yield self.session.call(call)))
            moved += found
            passed += step if wanted is not None else found
            if progress:
                progress(passed, total)
            if not found and wanted is None:
                break
        return moved

    @operation
    def redrive(
        self,
        qname: str,
        *,
        count: int | None = None,
        ids: Sequence[str] | None = None,
        progress: Report | None = None,
    ) -> Steps[int]:
        """Move dead letters back to ``qname``: all, the first ``count``, or those with ``ids``.

        Returns how many were moved. The attempts of a moved message are counted from 0 again. If several
        queues share the dead-letter queue, the messages of all these queues are moved to ``qname``.
        For ``progress`` see ``purge_queue``. Raises ``QueueNotFound`` if ``qname`` does not exist, and
        ``QueueError`` if both ``count`` and ``ids`` are given.
        """
        dead = (yield from self._policy(qname)).dead_letter_queue or dead_letter_queue(qname)
        if not (yield self.session.call(Call("exists", [self.keys.attributes(dead)]))):
            return 0
        return (yield from self._move(dead, qname, count, ids, progress))

    @operation
    def cancel_message(self, qname: str, id: str, *, reason: str = "") -> Steps[str]:
        """Delete a message that no receiver holds, and record it as ``cancelled`` with the reason.

        Returns ``cancelled``, or why the message stays: ``running`` (a worker holds it), ``hidden`` (another
        receiver hides it) or ``gone`` (it is not in the queue). After a lost reply the call is repeated, so
        ``gone`` can also mean that the first try cancelled it. Raises ``QueueNotFound``.
        """
        [word] = yield from self._cancel(qname, [id], reason, "leave")
        return word

    @operation
    def cancel_messages(self, qname: str, ids: Iterable[str], *, reason: str = "") -> Steps[list[str]]:
        """Call ``cancel_message`` for many ids, in steps. Returns the result for each id."""
        return self._cancel(qname, ids, reason, "leave")

    @operation
    def stop_message(self, qname: str, id: str, *, reason: str = "", force: bool = False) -> Steps[str]:
        """Cancel a message. If it is running, ask its worker to stop the run.

        The request reaches the run within a quarter of the setting ``LEASE``: an async function is cancelled,
        and for any other function ``context.is_cancelled`` becomes true. With ``force`` the process of the
        run is also killed, like that of a run that exceeds its time limit. A run that raises an exception
        after the request is recorded as ``cancelled`` with the reason. A run that returns is ``done``.

        Returns the same words as ``cancel_message``. ``running`` means that the worker was asked to stop.
        Raises ``QueueNotFound``.
        """
        [word] = yield from self._stop(qname, [id], reason, force)
        return word

    @operation
    def stop_messages(
        self, qname: str, ids: Iterable[str], *, reason: str = "", force: bool = False
    ) -> Steps[list[str]]:
        """Call ``stop_message`` for many ids, in steps. Returns the result for each id."""
        return self._stop(qname, ids, reason, force)

    def _stop(self, qname: str, ids: Iterable[str], reason: str, force: bool) -> Steps[list[str]]:
        reason = cut(reason or "stopped", REASON_CHARACTERS)
        return self._cancel(qname, ids, reason, "kill" if force else "stop")

    def _cancel(self, qname: str, ids: Iterable[str], reason: str, running: str) -> Steps[list[str]]:
        qname = rsmq_values.qname(qname)
        wanted = [rsmq_values.message_id(id) for id in ids]
        words: list[str] = []
        for start in range(0, len(wanted), STEP):
            call = self._room_call("cancel", qname, reason, running, *wanted[start : start + STEP])
            words += map(decode.text, checked((yield self.session.call(call))))
        return words
