"""The queues from a terminal: what ``manage.py queues`` does once its words are read.

Every verb of the command is a class; here is their order in its help. A verb talks to the client and
to a ``Screen``, which keeps hostile content from steering the terminal.
"""

from .base import Verb
from .looks import List, Peek, Show
from .messages import Cancel, Receive, Send
from .output import Screen
from .queues import Create, Delete, Pause, Resume, Set
from .schedules import PauseSchedule, ResumeSchedule, RunSchedule, Schedules
from .upkeep import Move, Purge, Redrive, Sweep
from .workers import QuietWorker, ResumeWorker, TakeNote, TakeOutbox, Workers

__all__ = ["VERBS", "Screen", "Verb"]

VERBS: tuple[type[Verb], ...] = (
    List, Show, Create, Set, Pause, Resume, Delete, Send, Receive, Peek, Cancel, Purge, Redrive, Move, Sweep,
    Schedules, RunSchedule, PauseSchedule, ResumeSchedule, Workers, QuietWorker, ResumeWorker, TakeNote,
    TakeOutbox,
)  # fmt: skip
