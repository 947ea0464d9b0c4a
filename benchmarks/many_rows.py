"""Measures a history of millions of rows on PostgreSQL: adding rows, pages of the console, and pruning rows.

The database server generates the rows, which are like those of ``plenty.py``. It builds secondary indexes
afterwards. Otherwise, ten million rows would take hours.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.postgres_server import PostgresServer

from . import history
from .pages import Cost, Pages
from .server import client_of, empty_server
from .table import note, show_table

#: Outcomes that are written, and rows that are pruned.
CHANGED = 20_000
#: The rows are of the last days.
DAYS = 28
SETTINGS = {"maintenance_work_mem": "512MB", "max_wal_size": "8GB", "shared_buffers": "512MB"}

JOBS = """
    INSERT INTO queueing_job (id, queue, message_id, handler, state, rc, attempts, crashes, sent_at,
        started_at, finished_at, wait_ms, run_ms, worker, body, body_is_whole, error, exception, result)
    SELECT n, CASE WHEN dice[1] < 0.0005 THEN 'rare' ELSE 'queue' || floor(dice[2] * 9) END,
        'hof' || lpad(n::text, 9, '0') || substr(md5(n::text), 1, 20),
        'shop.handlers.handler' || floor(dice[3] * 20), state, 1, 1, 0, at - interval '2 s',
        at - interval '1 s', at, 1000, 1000, 'host:1',
        '{{"number": ' || n || ', "email": "user' || n % 1000000 || '@example.com"}}', true,
        CASE state WHEN 'done' THEN '' ELSE 'ValueError: number ' || n END,
        CASE state WHEN 'done' THEN NULL ELSE 'ValueError' END, ''
    FROM (
        SELECT n, ARRAY[random(), random(), random()] AS dice,
            CASE WHEN n % 20 <> 0 THEN 'done' WHEN n % 60 = 0 THEN 'retrying' ELSE 'dead' END AS state,
            now() - interval '{days} days' * (1 - n / {last}::float) AS at
        FROM generate_series({first}, {last}) AS n
    ) AS made"""
ATTEMPTS = """
    INSERT INTO queueing_attempt
        (job_id, rc, outcome, handler, started_at, finished_at, worker, error, exception, traceback)
    SELECT id, rc, state, handler, started_at, finished_at, worker, error, exception, ''
    FROM queueing_job WHERE id BETWEEN {first} AND {last}"""
INDEXES = """
    SELECT indexdef, indexname FROM pg_indexes
    WHERE tablename IN ('queueing_job', 'queueing_attempt') AND indexname NOT LIKE '%%pkey'
    AND indexname NOT IN (SELECT conname FROM pg_constraint)"""


def grow(first: int, last: int) -> None:
    """Add jobs with the primary keys from ``first`` to ``last``, each with one attempt."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = cursor.fetchall()
        for _, name in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute("SET session_replication_role = replica")  # without checks of foreign keys
        for begin in range(first, last + 1, 500_000):
            end = min(begin + 499_999, last)
            for sql in (JOBS, ATTEMPTS):
                cursor.execute(sql.format(first=begin, last=end, days=DAYS))
            note(f"{end:,} rows")
        cursor.execute("SET session_replication_role = DEFAULT")
        for definition, name in indexes:
            cursor.execute(definition)
            note(f"index {name}")
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('queueing_job', 'id'), max(id)) FROM queueing_job"
        )
        cursor.execute("VACUUM ANALYZE queueing_job")
        cursor.execute("VACUUM ANALYZE queueing_attempt")


def paths() -> dict[str, str]:
    from queueing.admin.jobs.search import Place
    from queueing.models import Job

    first, last = Job.objects.earliest("pk").pk, Job.objects.latest("pk").pk
    deep = Job.objects.filter(pk__gte=first + (last - first) // 10).earliest("pk")
    failed = Job.objects.only("pk").filter(state="dead").latest("pk")
    jobs = "/admin/queueing/job/"
    return {
        "jobs": jobs,
        "jobs, nine tenths down": f"{jobs}?before={Place.of(deep)}",
        "jobs: state dead": f"{jobs}?state=dead",
        "jobs: a queue": f"{jobs}?queue=queue3",
        "jobs: a rare queue, done": f"{jobs}?queue=rare&state=done",
        "jobs: an id": f"{jobs}?q={deep.message_id}",
        "jobs: the beginning of an id": f"{jobs}?q={deep.message_id[:9]}",
        "jobs: a text that is nowhere": f"{jobs}?q=nowhere at all",
        "jobs, new ones": f"{jobs}live/?since=0",
        "a job": f"{jobs}{failed.pk}/change/",
        "failures of a day": f"{jobs}failures/",
        "failures of a month": f"{jobs}failures/?period=month",
        "export of all, its beginning": f"{jobs}export/",
    }


class Figures:
    """Measures functions and collects the results.

    ``rows`` has the table: for each measured function, wall time and CPU time at each size of the history.
    """

    def __init__(self, cost: Cost) -> None:
        self._cost = cost
        self.rows: dict[str, list[str]] = {}

    def take(self, name: str, run: Callable[[], Any], *, turns: int = 1, of: int = 0) -> None:
        """Call ``run`` ``turns`` times, and add the least wall time and CPU time to the table row ``name``.

        Without ``of``, the unit is ms. If ``run`` handles several rows, ``of`` is their number, and the unit
        is µs per row.
        """
        took = []
        for _ in range(turns):
            begun, (process, database, _) = time.perf_counter(), self._cost.read()
            run()
            wall = time.perf_counter() - begun
            used, used_there, _ = self._cost.read()
            took.append((wall, used - process + used_there - database))
        wall, cpu = map(min, zip(*took, strict=True))
        unit, scale = ("µs", 1e6 / of) if of else ("ms", 1e3)
        self.rows.setdefault(f"{name}, {unit}", []).extend([f"{wall * scale:,.0f}", f"{cpu * scale:,.0f}"])
        note(f"{name}: {wall * scale:,.0f} {unit}, CPU {cpu * scale:,.0f}")


def measure(figures: Figures, pages: Pages, count: int, turn: Iterator[int]) -> None:
    """Measure a history of ``count`` rows, and add the results to ``figures``."""
    from queueing.history import writer

    history.SIZE = CHANGED
    for name, path in paths().items():
        figures.take(name, lambda path=path: pages._get(path), turns=3)  # type: ignore[misc]
    batches = [history.outcomes(next(turn)) for _ in range(3)]
    figures.take("an outcome is added", lambda: writer.write(batches.pop()), turns=3, of=CHANGED)
    rows = count + 3 * CHANGED
    figures.take("nothing is pruned", lambda: writer.prune(days=10_000, rows=rows * 2), turns=3)
    figures.take("rows are counted, one is pruned", lambda: writer.prune(days=10_000, rows=rows - 1))
    figures.take("a row is pruned", lambda: writer.prune(days=10_000, rows=rows - CHANGED), of=CHANGED)


@contextmanager
def site() -> Iterator[Cost]:
    """Set up a site with its own PostgreSQL and Redis. Yields the counters of the site's CPU time."""
    with PostgresServer(**SETTINGS) as database, empty_server() as server:
        os.environ |= {"DEBUG": "1", "SECRET_KEY": "x", "DATABASE_URL": database.url, "REDIS_URL": server.url}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "mqsite.settings"}
        import django
        from django.conf import settings

        django.setup()
        settings.DEBUG = False
        from django.core.management import call_command
        from django.db import connection

        from queueing.client.default import use_client

        use_client(client_of(server))
        call_command("migrate", verbosity=0)
        yield Cost(server.connect(), database.pid)
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.many_rows")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    options = parser.parse_args()
    with site() as cost:
        figures, pages, turn, made = Figures(cost), Pages(cost), iter(range(10**6)), 0
        titles = ["", *(f"{count:,} rows{what}" for count in options.rows for what in ("", ", CPU"))]
        for count in options.rows:
            from queueing.models import Job

            newest = Job.objects.order_by("-id").values_list("id", flat=True).first() or 0
            grow(newest + 1, newest + count - made)
            measure(figures, pages, count, turn)
            made = count
        show_table(titles, [(name, *values) for name, values in figures.rows.items()])


if __name__ == "__main__":
    main()
