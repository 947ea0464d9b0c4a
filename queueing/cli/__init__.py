"""The queues from a terminal: what ``manage.py queues`` does once its words are read.

Every verb of the command is a class; here is their order in its help. A verb talks to the client and
to a ``Screen``, which keeps hostile content from steering the terminal.
"""

from .base import Verb
from .messages import Cancel, Move, Peek, Purge, Receive, Redrive, Send
from .output import Screen
from .queues import Create, Delete, List, Pause, Resume, Set, Show, Sweep
from .schedules import PauseSchedule, ResumeSchedule, RunSchedule, Schedules
from .workers import QuietWorker, ResumeWorker, TakeNote, TakeOutbox, Workers

__all__ = ["VERBS", "Screen", "Verb"]

VERBS: tuple[type[Verb], ...] = (
    List, Show, Create, Set, Pause, Resume, Delete, Send, Receive, Peek, Cancel, Purge, Redrive, Move, Sweep,
    Schedules, RunSchedule, PauseSchedule, ResumeSchedule, Workers, QuietWorker, ResumeWorker, TakeNote,
    TakeOutbox,
)  # fmt: skip
