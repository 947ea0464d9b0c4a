"""Measures the latency of messages that are sent without a notification. Prints a Markdown table.

RSMQ sends such messages if its option ``realtime`` is off. A worker finds them only by polling.
"""

import argparse
import random
import time
from statistics import median

from benchmarks.peers.peer import Peer, Session, session
from benchmarks.table import show_table
from tests.support.unannounced import send_unannounced
from tests.support.waiting import eventually

#: The first poll of an idle worker comes within this time.
FIRST_SECONDS = 5


def latencies_ms(work: Session, count: int, seconds: float) -> tuple[list[float], list[float]]:
    """Send ``count`` messages. Returns the latencies before the worker's first poll, and those after it.

    The pauses between messages are random, and ``seconds`` on average.
    """
    sent_ns = []
    for number in range(count):
        sent_ns.append(time.monotonic_ns())
        send_unannounced(work.redis, "bench", f"noop {number:0100d}")
        time.sleep(random.uniform(0.5, 1.5) * seconds)
    eventually(lambda: work.count() == count, within_seconds=30)
    ran_ns = work.ran_ns(count)
    learned_ns = sent_ns[0] + FIRST_SECONDS * 10**9
    found: tuple[list[float], list[float]] = [], []
    for number, sent in enumerate(sent_ns):
        found[sent > learned_ns].append((ran_ns[number] - sent) / 1e6)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.unannounced")
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.5, 2, 6], help="between two messages")
    parser.add_argument("--count", type=int, default=20, help="messages (%(default)s)")
    options = parser.parse_args()
    rows = []
    for seconds in options.seconds:
        with session(Peer("ours", "ours")) as work, work.worker() as worker:
            work.warm_up(worker)
            count = FIRST_SECONDS / seconds + options.count
            first, later = latencies_ms(work, round(count), seconds)
        rows.append([f"{seconds:g}", f"{max(first):.0f}", f"{median(later):.0f}", f"{max(later):.0f}"])
    show_table(["s between two", "before the first poll, worst ms", "after it, p50 ms", "worst ms"], rows)


if __name__ == "__main__":
    main()
