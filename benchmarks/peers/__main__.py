"""Compares this queue with other job queues, called peers, in turns. Prints a Markdown table."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from .drain import NAP_THREADS, show_drain, show_sleep
from .enqueue import show_enqueue
from .idle import show_idle
from .install import install, require_installed
from .latency import show_latency
from .peer import Peer
from .start import show_start

OURS = Peer("ours", "ours", jobs=30_000)
OURS_TASKS = Peer("ours, tasks", "ours_tasks", jobs=30_000)
BULLMQ = Peer("BullMQ", "bullmq_peer.js", threads=100, jobs=30_000)
HUEY = Peer("huey", "huey_peer.py", jobs=10_000)
DRAMATIQ = Peer("dramatiq", "dramatiq_peer.py", threads=8, jobs=20_000)
TASKIQ = Peer("taskiq (stream)", "taskiq_peer.py", threads=100, jobs=10_000)
SAQ = Peer("saq", "saq_peer.py", threads=10, jobs=5_000)
STREAQ = Peer("streaq", "streaq_peer.py", threads=16, jobs=1_500)
RQ = Peer("rq", "rq_peer.py", jobs=100)
ARQ = Peer("arq", "arq_peer.py", threads=10, jobs=1_000, venv="venv-arq")
CELERY = Peer("celery", "celery_peer.py", jobs=3_000)
DJANGO_Q = Peer("django-q2", "django_q_peer.py", jobs=1_000)
DJANGO_TASKS_DB = Peer("django-tasks-db", "django_tasks_db_peer.py", jobs=300, needs_postgres=True)
PROCRASTINATE = Peer("procrastinate", "procrastinate_peer.py", threads=10, jobs=300, needs_postgres=True)
PYRSMQ = Peer("PyRSMQ", "pyrsmq_peer.py", jobs=1_000)
#: The peers of every benchmark.
OTHERS = [
    BULLMQ, HUEY, DRAMATIQ, TASKIQ, SAQ, STREAQ, RQ, ARQ, CELERY, DJANGO_Q, DJANGO_TASKS_DB, PROCRASTINATE,
    PYRSMQ,
]  # fmt: skip


def two(peer: Peer, name: str = "2 processes") -> Peer:
    return replace(peer, name=f"{peer.name}, {name}", processes=2)


def threads(peer: Peer, count: int) -> Peer:
    return replace(peer, name=f"{peer.name}, {count} threads", threads=count)


def napping(peer: Peer) -> Peer:
    return replace(peer, threads=NAP_THREADS)


#: The peers of each benchmark.
MEASURES: dict[str, tuple[Callable[[Sequence[Peer], int], object], list[Peer]]] = {
    "drain": (
        show_drain,
        [OURS, OURS_TASKS, two(OURS, "2 children"), *OTHERS, two(HUEY), two(DRAMATIQ), two(TASKIQ)],
    ),
    "threads": (show_drain, [OURS, threads(OURS, 2), threads(OURS, 8), two(OURS, "2 children")]),
    "latency": (show_latency, [OURS, *OTHERS]),
    "idle": (lambda peers, passes: show_idle(peers), [OURS, *OTHERS]),
    "enqueue": (show_enqueue, [OURS, OURS_TASKS, *OTHERS]),
    "sleep": (show_sleep, [napping(peer) for peer in (OURS, BULLMQ, HUEY, DRAMATIQ, TASKIQ, SAQ)]),
    "start": (show_start, [OURS, *OTHERS]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.peers")
    parser.add_argument("what", choices=["install", *MEASURES])
    parser.add_argument("--passes", type=int, default=3, help="passes of drain, latency, … (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="those whose name begins so")
    parser.add_argument("--jobs", type=int, help="jobs that ours and BullMQ drain")
    parser.add_argument("--database", default="", metavar="URL", help="of our history (a new SQLite file)")
    options = parser.parse_args()
    if options.what == "install":
        install()
        return
    show, peers = MEASURES[options.what]
    if options.only:
        peers = [peer for peer in peers if peer.name.startswith(tuple(options.only))]
    if any(not peer.is_ours for peer in peers):
        require_installed()
    show([_told(peer, options) for peer in peers], options.passes)


def _told(peer: Peer, options: argparse.Namespace) -> Peer:
    jobs = options.jobs if options.jobs and peer.jobs == OURS.jobs else peer.jobs
    return replace(peer, jobs=jobs, database_url=options.database)


if __name__ == "__main__":
    main()
