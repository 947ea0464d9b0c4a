"""Measures the start latency of a job, from just before the call that sends it until its code begins."""

from collections.abc import Sequence
from statistics import quantiles

from benchmarks.table import show_table, with_range

from .peer import Peer, session

#: Number of jobs, and seconds between them: an idle worker, and a thousand jobs a second.
PACES = {"idle": (500, 0.02), "1,000/s": (3_000, 0.001)}
#: The pace of a peer that drains fewer than these in a few seconds: it would be behind otherwise.
SLOW_JOBS, SLOW_PACE = 1_000, (60, 0.25)
#: A peer that drains fewer than these in a few seconds does not run a thousand a second.
FAST_JOBS = 10_000


def latencies_ms(peer: Peer, pace: str) -> list[float]:
    count, seconds = PACES[pace] if peer.jobs >= SLOW_JOBS else SLOW_PACE
    with session(peer) as work, work.worker() as worker:
        work.warm_up(worker)
        sent_ns = [int(ns) for ns in work.run("pace", count, seconds).split()]
        work.wait_for(count, worker)
        ran_ns = work.ran_ns(count)
        # A worker handles its first jobs more slowly: they belong to its start.
        return [(ran_ns[number] - sent_ns[number]) / 1e6 for number in range(10, count)]


def show_latency(peers: Sequence[Peer], passes: int) -> None:
    taken: dict[tuple[str, str], list[list[float]]] = {}
    for turn in range(passes):
        for peer in peers if turn % 2 == 0 else reversed(peers):
            for pace in PACES if peer.jobs >= FAST_JOBS else ("idle",):
                taken.setdefault((peer.name, pace), []).append(latencies_ms(peer, pace))
    rows = []
    for (name, pace), passed in taken.items():
        points = [quantiles(one, n=100) for one in passed]
        p50, p99 = (with_range([point[index] for point in points], ".2f") for index in (49, 98))
        worst = max(max(one) for one in passed)
        rows.append([name, pace, p50, p99, f"{worst:.1f}"])
    rows.sort(key=lambda row: row[1], reverse=True)
    show_table(["peer", "sent", "p50 ms (range)", "p99 ms (range)", "worst ms"], rows)
