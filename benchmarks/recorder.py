"""Measures the recorder: how fast it writes the outcomes of a full outbox to a database, and at what cost.

No other part of a worker runs.
"""

import argparse
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import django

from tests.support.worker_process import site_environment

from .history import BODY
from .pages import Cost, database
from .server import client_of, empty_server
from .table import note, show_table

if TYPE_CHECKING:
    from queueing.client import QueueClient

QUEUE = "bench"
#: Messages of a claim, and so outcomes of an entry.
BATCH = 100


def fill(client: "QueueClient", jobs: int) -> None:
    """Send, claim and settle ``jobs`` messages as a worker's child process does.

    Their outcomes fill the outbox.
    """
    from queueing.broker.leases import QueueLease
    from queueing.broker.outcomes import Outcome, State
    from queueing.conf import Config

    child = f"host-1.0-{secrets.token_hex(3)}"
    lease = QueueLease(client.session, Config(OUTBOX_MAX=100_000_000), child, QUEUE)
    for _ in range(0, jobs, BATCH):
        client.send_messages(QUEUE, [BODY] * BATCH)
        claimed = client.session.call_each([lease.claim(BATCH, suspects="take")])[0]
        now_ms = time.time() * 1000
        outcomes = [
            Outcome(
                QUEUE, one.message.id, one.message.rc, State.DONE, child, "shop.handlers.ship",
                started_ms=now_ms + number, finished_ms=now_ms + number + 0.25, attempts=1, body=BODY,
            )
            for number, one in enumerate(lease.read_claim(claimed).deliveries)
        ]  # fmt: skip
        lease.read_settle(client.session.call_each([lease.settle(outcomes)])[0])


@contextmanager
def costs(cost: Cost, jobs: int, taken: list[tuple[float, ...]]) -> Iterator[None]:
    """Measure the code of the ``with`` block, and append its figures to ``taken``.

    The figures are outcomes per second, then µs per outcome: wall time, CPU time of this process, of the
    database and of Redis.
    """
    before = time.perf_counter(), *cost.read()
    yield
    after = time.perf_counter(), *cost.read()
    wall, *used = ((now - then) * 1e6 / jobs for now, then in zip(after, before, strict=True))
    taken.append((1e6 / wall, wall, *used))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.recorder")
    parser.add_argument("--turns", type=int, default=3, help="%(default)s")
    parser.add_argument("--jobs", type=int, default=40_000, help="outcomes of a turn (%(default)s)")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    taken: list[tuple[float, ...]] = []
    with database(options.postgres) as (url, pid), empty_server() as server:
        for name, value in site_environment(server.url, url).items():
            if value is not None:
                os.environ[name] = value
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from queueing.conf import Config
        from queueing.worker.recorder import POLL_SECONDS, Recorder

        call_command("migrate", verbosity=0)
        client, cost = client_of(server), Cost(server.connect(), pid)
        client.create_queue(QUEUE)
        recorder = Recorder(client, Config(HISTORY_ROWS=10**9), name="bench")
        for _ in range(options.turns):
            fill(client, options.jobs)
            with costs(cost, options.jobs, taken):
                while recorder.step(time.monotonic()) != POLL_SECONDS:
                    pass
            note(f"{taken[-1][0]:,.0f} outcomes a second")
        vendor = connection.vendor
        connection.close()
    titles = ["database", "outcomes/s", "µs", "recorder, µs", "PostgreSQL, µs", "Redis, µs"]
    middle = [median(values) for values in zip(*taken, strict=True)]
    show_table(titles, [[vendor, f"{middle[0]:,.0f}", *(f"{value:.0f}" for value in middle[1:])]])


if __name__ == "__main__":
    main()
