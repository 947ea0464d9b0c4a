"""Measures CPU time and memory of each console page on a site with much data.

The benchmark starts a Redis and a database (SQLite in a temporary folder, or PostgreSQL), and fills both.
Django's test client requests the pages in this process. CPU time is measured for this process, the database
and Redis. Wall time is not used, because other load on the machine changes it from minute to minute.

Pages share some data for a few seconds. This data is cleared before each turn, so that the cost of a page
includes all data that the page shows.
"""

import argparse
import contextlib
import gc
import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from . import plenty
from .server import client_of, empty_server
from .table import note, say, show_table

PROMISED_MS = 300
TOKEN = "of-the-benchmark"


class Cost:
    """CPU seconds used so far by this process, the database's processes and Redis."""

    def __init__(self, redis: Any, database_pid: int | None) -> None:
        self._redis, self._database_pid = redis, database_pid

    def read(self) -> tuple[float, float, float]:
        info = self._redis.info("cpu")
        return (
            time.process_time(),
            _tree_seconds(self._database_pid) if self._database_pid else 0.0,
            info["used_cpu_user"] + info["used_cpu_sys"],
        )


def _tree_seconds(pid: int) -> float:
    """CPU seconds of a process and its children, including ended ones."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
            total += times.children_user + times.children_system
    return total


def pages(client: Any, huge_job: int) -> dict[str, str]:
    """The pages to measure: the path of each page, by its name in the table."""
    from queueing.admin.jobs.search import Place
    from queueing.models import Job

    last = Job.objects.latest("pk").pk
    deep = Job.objects.only("finished_at", "message_id").get(pk=max(1, last // 10))
    failed = Job.objects.only("pk").filter(state="dead").earliest("pk")
    jobs, queues = "/admin/queueing/job/", "/admin/queueing/queue/"
    of_deep, of_long, of_huge = (f"{queues}{name}/" for name in (plenty.DEEP, plenty.OF_LONG, plenty.OF_HUGE))
    message = client.peek_messages(plenty.DEEP, count=1)[0].id
    huge = client.peek_messages(plenty.OF_HUGE, newest=True, count=1, body_bytes=1)[0].id
    ranges = ("hour", "day", "week", "month")
    return {
        "jobs": jobs,
        "jobs, nine tenths down": f"{jobs}?before={Place.of(deep)}",
        "jobs: state done": f"{jobs}?state=done",
        "jobs: state dead": f"{jobs}?state=dead",
        "jobs: a queue": f"{jobs}?queue=queue3",
        "jobs: a rare queue, done": f"{jobs}?queue=rare&state=done",
        "jobs: a handler and a queue": f"{jobs}?handler=shop.handlers.handler7&queue=queue3",
        "jobs: a handler in a rare queue": f"{jobs}?handler=shop.handlers.handler7&queue=rare",
        "jobs: an exception": f"{jobs}?exception=KeyError",
        "jobs: past 7 days, done": f"{jobs}?period=week&state=done",
        "jobs: an id": f"{jobs}?q={deep.message_id}",
        "jobs: the beginning of an id": f"{jobs}?q={deep.message_id[:9]}",
        "jobs: the beginning of many ids": f"{jobs}?q=hof00000",
        "jobs: a text that is everywhere": f"{jobs}?q=email",
        "jobs: a text that is nowhere": f"{jobs}?q=nowhere at all",
        "jobs: a text in a queue": f"{jobs}?q=nowhere at all&queue=queue3",
        "jobs, new ones": f"{jobs}live/?since=0",
        "a job": f"{jobs}{failed.pk}/change/",
        "a job, its live part": f"{jobs}{failed.pk}/change/?part=live",
        "a job of 10 MB": f"{jobs}{huge_job}/change/",
        "delete a job of 10 MB?": f"{jobs}all/forget/?ids={huge_job}",
        "failures of a day": f"{jobs}failures/",
        "failures of a month": f"{jobs}failures/?period=month",
        "run again all dead?": f"{jobs}all/rerun/?state=dead",
        "delete all?": f"{jobs}all/forget/",
        "delete all with a text?": f"{jobs}all/forget/?q=nowhere at all",
        "export of all, its beginning": f"{jobs}export/",
        "export with a text, its beginning": f"{jobs}export/?q=nowhere at all",
        "queues": queues,
        "queues, the last page": f"{queues}?p=2",
        "queues, their figures": f"{queues}live/",
        "queues, a text in the name": f"{queues}?q=queue09",
        "a queue of a million": f"{of_deep}change/",
        "its first 50 messages": f"{of_deep}messages/",
        "its last 200 messages": f"{of_deep}messages/?which=last&count=200",
        "one of its messages": f"{of_deep}messages/{message}/",
        "cancel one of them?": f"{of_deep}cancel/?ids={message}",
        "purge it?": f"{of_deep}purge/",
        "delete it?": f"{of_deep}delete/",
        "move its messages?": f"{of_deep}move/",
        "200 messages of 900 kB": f"{of_long}messages/?count=200",
        "a message of 10 MB": f"{of_huge}messages/{huge}/",
        **{f"charts of a {name}": f"{of_deep}charts/?range={name}" for name in ranges},
        **{f"charts of all queues, {name}": f"{queues}charts/?range={name}" for name in ranges},
        "workers": "/admin/queueing/worker/",
        "schedules": "/admin/queueing/schedule/",
        "the admin's index": "/admin/",
        "the site's page": "/",
        "queues.json": "/queues.json",
        "metrics": "/metrics",
    }


class Pages:
    """A browser that is logged in, and the measurement of pages."""

    def __init__(self, cost: Cost) -> None:
        from django.contrib.auth.models import User
        from django.test import Client

        self._cost = cost
        self._client = Client(headers={"host": "localhost", "authorization": f"Bearer {TOKEN}"})
        self._client.force_login(User.objects.create_superuser("boss"))

    def measure(self, path: str, turns: int) -> tuple[str, ...]:
        """Request a page ``turns`` times, and return its figures as text.

        The first four figures are mean CPU times in ms: of all processes, of this process, of the database,
        of Redis. The others are the number of queries, the size in kB, and the peak memory in MB.
        """
        self._get(path)
        used = [0.0, 0.0, 0.0]
        for _turn in range(turns):
            forget_all()
            before = self._cost.read()
            size = self._get(path)
            used = [sum + now - then for sum, now, then in zip(used, self._cost.read(), before, strict=True)]
        ms = [seconds * 1000 / turns for seconds in used]
        figures = [f"{figure:.0f}" for figure in (sum(ms), *ms)]
        return (*figures, str(self._queries(path)), f"{size / 1000:.0f}", f"{self._peak_mb(path):.1f}")

    def _queries(self, path: str) -> int:
        from django.db import connection

        queries: list[str] = []

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            queries.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            self._get(path)
        return len(queries)

    def _peak_mb(self, path: str) -> float:
        forget_all()
        tracemalloc.start()
        self._get(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 1e6

    def _get(self, path: str) -> int:
        """Request a page.

        Returns its size in bytes. Only the first part of a streamed response is read and counted.
        """
        response = self._client.get(path)
        assert response.status_code == 200, (path, response.status_code, response.headers)
        if not response.streaming:
            return len(response.content)
        size = len(next(iter(response.streaming_content)))
        response.close()
        return size


def forget_all() -> None:
    """Clear all data that pages share for a few seconds."""
    from queueing.resilience.single_flight import SingleFlight

    for shared in [found for found in gc.get_objects() if isinstance(found, SingleFlight)]:
        shared.forget()


@contextlib.contextmanager
def database(is_postgres: bool) -> Iterator[tuple[str, int | None]]:
    """Yield the URL of a new, empty database, and its server's process id, which is ``None`` for SQLite."""
    if is_postgres:
        from tests.support.postgres_server import PostgresServer

        with PostgresServer() as server:
            yield server.url, server.pid
    else:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            yield f"sqlite:///{Path(folder) / 'db.sqlite3'}", None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.pages")
    parser.add_argument("--rows", type=int, default=1_000_000, help="processed jobs (%(default)s)")
    parser.add_argument("--messages", type=int, default=1_000_000, help="in one queue (%(default)s)")
    parser.add_argument("--queues", type=int, default=100, help="how many (%(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each page (%(default)s)")
    parser.add_argument("--only", default="", help="only pages with this text in their names")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    with database(options.postgres) as (url, pid), empty_server() as server:
        os.environ |= {"DEBUG": "1", "SECRET_KEY": "x", "DATABASE_URL": url, "REDIS_URL": server.url}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "mqsite.settings", "METRICS_TOKEN": TOKEN}
        import django
        from django.conf import settings

        django.setup()
        # In development Django keeps each query and asks SQLite for its text.
        settings.DEBUG = False
        run(client_of(server), Cost(server.connect(), pid), options)


def run(client: Any, cost: Cost, options: argparse.Namespace) -> None:
    """Fill the site with data, measure each page, and print the table."""
    from django.core.management import call_command
    from django.db import connection

    from queueing.client.default import use_client

    use_client(client)
    call_command("migrate", verbosity=0)
    begin = time.perf_counter()
    plenty.fill(options.rows)
    huge_job = plenty.add_huge_job()
    plenty.fill_queues(client, options.queues, options.messages)
    plenty.fill_workers(client, 50)
    plenty.fill_schedules(client, 200)
    note(f"made in {time.perf_counter() - begin:.0f} s")
    sizes = f"{options.rows:,} jobs, {options.messages:,} messages, {options.queues} queues"
    say(f"{connection.vendor}, {sizes}\n")
    browser, rows = Pages(cost), []
    for name, path in pages(client, huge_job).items():
        if options.only in name:
            rows.append((name, *browser.measure(path, options.turns)))
            note(" ".join(rows[-1]))
    show_table(("page", "CPU ms", "web", "database", "Redis", "queries", "kB", "peak MB"), rows)
    late = [row[0] for row in rows if int(row[1]) >= PROMISED_MS]
    say(f"\n{PROMISED_MS} ms or more: {', '.join(late) or 'none'}")
    connection.close()


if __name__ == "__main__":
    main()
