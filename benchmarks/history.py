"""Measures the cost of writing a row of the history: with the recorder's code, and with ``bulk_create``.

The recorder is the part of a worker that writes the outcomes of messages to the history, in the database.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import django

from queueing.broker.idempotency import SendCall, random_tails
from tests.support.postgres_server import PostgresServer
from tests.support.worker_process import site_environment

from .table import show_table

if TYPE_CHECKING:
    from queueing.broker.outcomes import Outcome

#: Outcomes per turn: the batch size of a recorder with a backlog.
SIZE = 2_000
NOW_MS = 1_764_000_000_000.0
BODY = "x" * 100


@contextmanager
def database(postgres: bool) -> Iterator[str]:
    """Yield the URL of a new, empty database on PostgreSQL or SQLite."""
    if postgres:
        with PostgresServer() as server:
            yield server.url
    else:
        with TemporaryDirectory(prefix="benchmark-") as folder:
            yield f"sqlite:///{Path(folder) / 'db.sqlite3'}"


def outcomes(turn: int) -> "list[Outcome]":
    """The outcomes of ``SIZE`` new jobs. Each ``turn`` has other jobs."""
    from queueing.broker.outcomes import Outcome, State

    first_us = int(NOW_MS * 1000) + turn * SIZE
    return [
        Outcome(
            queue="bench", id=id, rc=1, event=State.DONE, worker="host-1.0-abcdef",
            handler="shop.handlers.ship",
            started_ms=NOW_MS + number, finished_ms=NOW_MS + number + 0.25, attempts=1, body=BODY,
        )
        for number, id in enumerate(SendCall("", 0, random_tails(SIZE)).ids(first_us))
    ]  # fmt: skip


def by_orm(done: "Sequence[Outcome]") -> None:
    """Write the columns that the recorder writes, but with ``bulk_create``.

    Unlike the recorder's code, it fails if a job already has a row, for example because of an earlier receipt
    or a repeated write.
    """
    from queueing.broker.decode import moment
    from queueing.history.columns import COLUMNS, OF_ATTEMPT, table
    from queueing.history.writer import LOOKED_UP
    from queueing.models import Attempt, Job

    for start in range(0, len(done), LOOKED_UP):
        columns = table(done[start : start + LOOKED_UP], lambda column: list(map(moment, column)))
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
        traces = [row.pop("traceback") for row in rows]
        jobs = Job.objects.bulk_create([Job(**row) for row in rows])
        shared = [(name, column) for column, name in OF_ATTEMPT.items() if column != "traceback"]
        Attempt.objects.bulk_create(
            [
                Attempt(job=job, traceback=trace, **{name: row[column] for name, column in shared})
                for job, trace, row in zip(jobs, traces, rows, strict=True)
            ]
        )


def by_query(done: "Sequence[Outcome]") -> None:
    """Write outcomes as the recorder does for messages that may already have rows.

    It reads the existing rows, and then inserts the missing ones.
    """
    from django.db import transaction

    from queueing.history import writer

    for start in range(0, len(done), writer.LOOKED_UP):
        with transaction.atomic():
            writer._write_known(done[start : start + writer.LOOKED_UP])


def timed(write: "Callable[[Sequence[Outcome]], None]", done: "Sequence[Outcome]") -> tuple[float, float]:
    """Run ``write``. Returns µs of wall time and µs of this process's CPU time per outcome."""
    process, wall = time.process_time(), time.perf_counter()
    write(done)
    return tuple(  # type: ignore[return-value]
        (after - before) * 1e6 / len(done)
        for after, before in ((time.perf_counter(), wall), (time.process_time(), process))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.history")
    parser.add_argument("--turns", type=int, default=7, help="turns of each side (%(default)s)")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    with database(options.postgres) as url:
        for name, value in site_environment("redis://127.0.0.1:1/0", url).items():
            if value is not None:
                os.environ[name] = value
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from queueing.history import writer

        call_command("migrate", verbosity=0)
        sides = {"ours": writer.write, "ours, known messages": by_query, "bulk_create": by_orm}
        names = [*sides, "ours, a second time", "ours, second deliveries"]
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for turn in range(options.turns):
            for number, (name, write) in enumerate(sides.items()):
                done = outcomes(len(sides) * turn + number)
                taken[name].append(timed(write, done))
                if name == "ours":
                    taken["ours, a second time"].append(timed(write, done))
                    second = [replace(one, rc=2, finished_ms=one.finished_ms + 1) for one in done]
                    taken["ours, second deliveries"].append(timed(write, second))
        rows = [
            [f"{name}, {connection.vendor}", *(f"{median(us):.0f}" for us in zip(*costs, strict=True))]
            for name, costs in taken.items()
        ]
        connection.close()
    show_table(["written by", "µs/job", "our process, µs/job"], rows)


if __name__ == "__main__":
    main()
