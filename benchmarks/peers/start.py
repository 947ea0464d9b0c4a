"""Measures the time from the start of a worker to the start of a waiting job."""

import time
from collections.abc import Sequence
from statistics import median

from benchmarks.table import show_table

from .peer import Peer, session


def seconds_to_first_job(peer: Peer) -> float:
    with session(peer) as work:
        # As an installed package the worker has its bytecode, which its first start writes here.
        work.environment |= {
            "PYTHONDONTWRITEBYTECODE": None,
            "PYTHONPYCACHEPREFIX": str(work.stamps.parent / "bytecode"),
        }
        with work.worker() as worker:
            work.warm_up(worker)
        work.run("fill", "noop", 1)
        started_ns = time.monotonic_ns()
        with work.worker() as worker:
            work.wait_for(1, worker)
        return (work.ran_ns(1)[0] - started_ns) / 1e9


def show_start(peers: Sequence[Peer], passes: int) -> None:
    taken: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for turn in range(passes):
        for peer in peers if turn % 2 == 0 else reversed(peers):
            taken[peer.name].append(seconds_to_first_job(peer))
    rows = [
        [name, f"{median(seconds):.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}"]
        for name, seconds in taken.items()
    ]
    show_table(["peer", "start to first job, s", "range"], rows)
