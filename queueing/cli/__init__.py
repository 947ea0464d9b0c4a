"""The verbs (subcommands) of ``manage.py queues``, in the order in which its help lists them.

Each verb is a class. It calls the client and writes to a ``Screen``, which escapes characters that could
control the terminal.
"""

from .base import Verb
from .batches import Batches, CancelBatch, RetryBatch
from .limits import Limits
from .messages import Cancel, Move, Peek, Purge, Receive, Redrive, Send, Stop
from .output import Screen
from .queues import Create, Delete, List, Pause, Resume, Set, Show, Sweep
from .relocate import Relocate
from .schedules import PauseSchedule, ResumeSchedule, RunSchedule, Schedules
from .staged import DeleteStaged, SendStaged, Staged
from .workers import QuietWorker, ResumeWorker, TakeNote, TakeOutbox, Workers

__all__ = ["VERBS", "Screen", "Verb"]

VERBS: tuple[type[Verb], ...] = (
    List, Show, Create, Set, Pause, Resume, Delete, Send, Receive, Peek, Cancel, Stop, Purge, Redrive, Move,
    Relocate, Sweep, Limits, Staged, SendStaged, DeleteStaged, Batches,
    RetryBatch, CancelBatch,
    Schedules, RunSchedule, PauseSchedule, ResumeSchedule, Workers, QuietWorker, ResumeWorker, TakeNote,
    TakeOutbox,
)  # fmt: skip
