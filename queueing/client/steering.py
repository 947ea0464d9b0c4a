"""Steering queues: policies, pause and resume, purge, move and redrive, in bounded steps."""

from collections.abc import Sequence
from typing import Any

from queueing.broker import decode, rsmq_values
from queueing.broker.keys import dead_letter_queue, is_dead_letter_queue
from queueing.exceptions import QueueError
from queueing.messages import QueuePolicy

from .base import ClientBase, Progress, checked

#: Messages per step: each step holds up everybody else.
STEP = 200
MAX_RECEIVE_COUNT = 1000
MAX_RETENTION_SECONDS = 9_999_999


class Steering(ClientBase):
    """What an operator does to a queue."""

    # --- policies -----------------------------------------------------------------------------

    def get_queue_policy(self, qname: str) -> QueuePolicy:
        """What the queue has beyond RSMQ's attributes, or ``QueueNotFound``."""
        return self._policy(qname)

    def set_redrive_policy(
        self, qname: str, max_receive_count: int, dead_letter_queue: str | None = None
    ) -> QueuePolicy:
        """Let what was received ``max_receive_count`` times (1 to 1000) go to the dead letters.

        It is enforced where one of our receivers or the sweeper meets the message due again, whoever
        received it. ``dead_letter_queue``: ``<qname>-dead`` unless named; it is made when it is
        needed. Raises ``QueueNotFound``, ``InvalidFormat``, and ``QueueError`` for a dead-letter
        queue of a dead-letter queue or a number out of bounds.
        """
        qname = rsmq_values.qname(qname)
        if not (isinstance(max_receive_count, int) and 1 <= max_receive_count <= MAX_RECEIVE_COUNT):
            raise QueueError(f"max_receive_count must be between 1 and {MAX_RECEIVE_COUNT}.")
        dead = self._valid_dead_letter_queue(qname, dead_letter_queue)
        return self._policy(qname, "max_receive_count", max_receive_count, "dead_letter_queue", dead)

    def delete_redrive_policy(self, qname: str) -> QueuePolicy:
        """Take the redrive policy away. Raises ``QueueNotFound``."""
        return self._policy(qname, "max_receive_count", "", "dead_letter_queue", "")

    def set_retention(self, qname: str, seconds: int | None) -> QueuePolicy:
        """Let messages expire that have been ready for so many seconds; ``None``: never.

        Counted from the due time. What runs, is retried or was given back is not touched. The
        sweeper does it. Raises ``QueueNotFound``, ``QueueError`` for a number out of bounds.
        """
        if seconds is not None and not (isinstance(seconds, int) and 1 <= seconds <= MAX_RETENTION_SECONDS):
            raise QueueError(f"The retention must be between 1 and {MAX_RETENTION_SECONDS} seconds.")
        return self._policy(qname, "retention", "" if seconds is None else seconds)

    def pause_queue(self, qname: str) -> QueuePolicy:
        """Give out no more messages; sends go on. Programs that use RSMQ itself do not heed it."""
        return self._policy(qname, "paused", 1)

    def resume_queue(self, qname: str) -> QueuePolicy:
        """Give out messages again; whoever waits is woken."""
        return self._policy(qname, "paused", "")

    # --- many messages ------------------------------------------------------------------------

    def purge_queue(self, qname: str, *, progress: Progress | None = None) -> int:
        """Delete all messages that no worker holds. Returns how many. Raises ``QueueNotFound``."""
        qname = rsmq_values.qname(qname)
        total = self._count(qname)
        deleted = held = 0
        while deleted + held < total:
            # What is held lies among them and stays: look past it.
            passed = held
            found, held = checked(self.scripts.run("purge", self._lane_keys(qname), STEP + passed))
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
        progress: Progress | None = None,
    ) -> int:
        """Move ready messages, all, the first ``count`` or those of ``ids``; id, body and rc stay.

        Returns how many. What is held, hidden or delayed is not moved. Raises ``QueueNotFound`` for
        either queue, ``QueueError`` where they are the same.
        """
        source, target = rsmq_values.qname(source), rsmq_values.qname(target)
        if source == target:
            raise QueueError("A queue's messages cannot be moved to itself.")
        if count is not None and (ids is not None or count < 0):
            raise QueueError("Name a count from 0, or the ids, not both.")
        self._count(target)  # which has to be there, even if there is nothing to move
        wanted = list(dict.fromkeys(map(rsmq_values.message_id, ids))) if ids is not None else None
        total = self._count(source) if wanted is None else len(wanted)
        total = total if count is None else min(total, count)
        keys = [*self._queue_keys(source), self.keys.attributes(target), self.keys.schedule(target)]
        keys += [self.keys.headers(target), self.keys.ends(target)]
        moved = passed = 0
        while passed < total:
            step = min(STEP, total - passed)
            named = wanted[passed : passed + step] if wanted is not None else []
            [found] = checked(self.scripts.run("move", keys, self.keys.channel(target), step, *named))
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
        progress: Progress | None = None,
    ) -> int:
        """Move dead letters of ``qname`` back to it, all, ``count`` or those of ``ids``: how many.

        They have all their attempts again. Of a dead-letter queue that several queues share, it takes
        the messages of all. Raises ``QueueNotFound`` where ``qname`` is not there.
        """
        dead = self._policy(qname).dead_letter_queue or dead_letter_queue(qname)
        if not self.scripts.run("exists", [self.keys.attributes(dead)]):
            return 0
        return self.move_messages(dead, qname, count=count, ids=ids, progress=progress)

    # --- inside -------------------------------------------------------------------------------

    def _policy(self, qname: str, *pairs: Any) -> QueuePolicy:
        qname = rsmq_values.qname(qname)
        channel = self.keys.channel(qname)
        reply = checked(self.scripts.run("policy", self._queue_keys(qname), channel, *pairs))
        count, dead, retention, paused = reply
        name = decode.text(dead)
        is_name = rsmq_values.QNAME.fullmatch(name)
        self.learn_dead_letter_queue(qname, name if is_name else dead_letter_queue(qname))
        return QueuePolicy(decode.integer(count), name, decode.integer(retention), bool(paused))

    def _valid_dead_letter_queue(self, qname: str, named: str | None) -> str:
        if is_dead_letter_queue(qname):
            raise QueueError(f"{qname} is a dead-letter queue: it has none of its own.")
        dead = rsmq_values.qname(named or dead_letter_queue(qname))
        if dead == qname:
            raise QueueError("A queue cannot be its own dead-letter queue.")
        return dead

    def _count(self, qname: str) -> int:
        return int(checked(self.scripts.run("attributes", self._queue_keys(qname)))[7])
