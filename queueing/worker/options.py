"""What a worker was told to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of ``manage.py runworker``, with their defaults filled in."""

    queues: tuple[str, ...]
    #: Whether it takes the queues, too, to which tasks are sent for the first time while it works.
    takes_new_queues: bool = False
    name: str
    processes: int = 1
    threads: int = 1
    burst: bool = False
    log_jobs: bool = False
    #: Messages after which a child is replaced, megabytes of its own above which it is; 0: never.
    max_jobs: int = 0
    max_memory_mb: int = 0
    #: A file that is touched with each heartbeat that Redis has taken, and removed at the end.
    health_file: str = ""
    #: The read end of a pipe: the worker stops when it closes.
    parent: int | None = None
