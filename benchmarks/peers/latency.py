"""Start latency of a job: from before the call that sends it to its first line."""

from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks.table import show_table

from .peer import Peer, session

#: Number of jobs, and seconds between them: an idle worker, and a thousand jobs a second.
PACES = {"idle": (500, 0.02), "1,000/s": (3_000, 0.001)}


def latencies_ms(peer: Peer, pace: str) -> list[float]:
    count, seconds = PACES[pace]
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
            for pace in PACES:
                taken.setdefault((peer.name, pace), []).append(latencies_ms(peer, pace))
    rows = []
    for (name, pace), passed in taken.items():
        points = [quantiles(one, n=100) for one in passed]
        p50, p99 = (median(point[index] for point in points) for index in (49, 98))
        worst = max(max(one) for one in passed)
        rows.append([name, pace, f"{p50:.2f}", f"{p99:.2f}", f"{worst:.1f}"])
    rows.sort(key=lambda row: row[1], reverse=True)
    show_table(["peer", "sent", "p50 ms", "p99 ms", "worst ms"], rows)
