"""What a worker was told to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of ``manage.py runworker``, with their defaults filled in."""

    queues: tuple[str, ...]
    name: str
    processes: int = 1
    threads: int = 1
    burst: bool = False
    log_jobs: bool = False
