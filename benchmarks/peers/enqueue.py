"""Measures how fast one process sends jobs: one per call, and in bulk.

Some peers have no bulk call. They make twenty concurrent calls if they are asynchronous, otherwise one call
after another.
"""

from collections.abc import Sequence

from benchmarks.table import show_table, with_range

from .peer import Peer, session

COUNTS = {"single": 3_000, "bulk": 20_000}


def show_enqueue(peers: Sequence[Peer], passes: int) -> None:
    rates: dict[str, dict[str, list[float]]] = {peer.name: {how: [] for how in COUNTS} for peer in peers}
    for turn in range(passes):
        for peer in peers if turn % 2 == 0 else reversed(peers):
            with session(peer) as work:
                for how, most in COUNTS.items():
                    count = min(most, peer.jobs)
                    rates[peer.name][how].append(count / float(work.run("rate", how, count)))
    rows = [[name, *(with_range(rate) for rate in by_how.values())] for name, by_how in rates.items()]
    show_table(["peer", *(f"{how}, jobs/s (range)" for how in COUNTS)], rows)
